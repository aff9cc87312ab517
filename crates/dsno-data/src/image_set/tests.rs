use std::fs;
use std::io::Write;
use std::path::PathBuf;

use burn::tensor::Device;

use super::*;
use crate::error::DecodeError;
use crate::order::Example;

fn idx(shape: &[u32], bytes: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, 8, shape.len() as u8];
    file.extend(shape.iter().flat_map(|n| n.to_be_bytes()));
    file.extend(bytes);
    file
}

/// Writes files into a folder that lives as long as the test.
fn folder(files: &[(&str, &[u8])]) -> (tempfile::TempDir, impl Fn(&str) -> PathBuf + use<>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_path_buf();
    for (name, bytes) in files {
        let file = path.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, bytes).unwrap();
    }
    (folder, move |name: &str| path.join(name))
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn png(width: usize, height: usize, bytes: &[u8]) -> Vec<u8> {
    let channels = bytes.len() / (width * height);
    Uint8Images::new(1, height, width, channels, bytes.to_vec())
        .unwrap()
        .encode_png(0)
        .unwrap()
}

#[test]
fn idx_files_are_read_plain_or_gzip_under_either_name() {
    let images = idx(&[2, 1, 2], &[0, 255, 51, 102]);
    let labels = idx(&[2], &[3, 0]);
    let (_keep, at) = folder(&[
        ("plain", &images),
        ("zipped.gz", &gzip(&images)),
        ("y", &labels),
    ]);
    let plain = ImageSet::from_idx_files(at("plain"), Some(&at("y.gz"))).unwrap();
    let zipped = ImageSet::from_idx_files(at("zipped"), Some(&at("y"))).unwrap();
    assert_eq!(plain, zipped);
    assert_eq!(
        (plain.len(), plain.height(), plain.width(), plain.channels()),
        (2, 1, 2, 1)
    );
    assert_eq!((plain.labels(), plain.classes()), (Some(&[3, 0][..]), 4));
    assert_eq!(plain.image(1), [-0.6, -0.2]);
}

/// An IDX file of elements of another type than bytes.
fn idx_of(code: u8, shape: &[u32], bytes: &[u8]) -> Vec<u8> {
    let mut file = idx(shape, bytes);
    file[2] = code;
    file
}

#[test]
fn idx_files_of_other_types_and_axes_are_read_where_nothing_changes() {
    let int = |v: i32| v.to_be_bytes();
    let real = |v: f32| v.to_be_bytes();
    let (_keep, at) = folder(&[
        ("grey", &idx(&[2, 1, 2], &[0, 255, 51, 102])),
        (
            "named-gz-and-plain.gz",
            &idx(&[2, 1, 2], &[0, 255, 51, 102]),
        ),
        (
            "gzip-by-another-name",
            &gzip(&idx(&[2, 1, 2], &[0, 255, 51, 102])),
        ),
        ("one-channel", &idx(&[2, 1, 2, 1], &[0, 255, 51, 102])),
        ("colour", &idx(&[1, 1, 2, 3], &[1, 2, 3, 4, 5, 6])),
        ("planes-first", &idx(&[1, 3, 2, 2], &[0; 12])),
        (
            "i4",
            &idx_of(0x0c, &[2, 1, 2], &[0, 255, 51, 102].map(int).concat()),
        ),
        (
            "f4",
            &idx_of(
                0x0d,
                &[2, 1, 2],
                &[0.0, 255.0, 51.0, 102.0].map(real).concat(),
            ),
        ),
        (
            "halves",
            &idx_of(0x0d, &[2, 1, 2], &[0.0, 0.5, 1.0, 0.5].map(real).concat()),
        ),
        ("y-i4", &idx_of(0x0c, &[2], &[3, 0].map(int).concat())),
        ("y-column", &idx(&[2, 1], &[3, 0])),
        ("y-one-hot", &idx(&[2, 4], &[0, 0, 0, 1, 1, 0, 0, 0])),
        (
            "y-negative",
            &idx_of(0x0c, &[2], &[3, -1].map(int).concat()),
        ),
    ]);
    let read = |name: &str| ImageSet::from_idx_files(at(name), None);
    let grey = read("grey").unwrap();
    for name in [
        "named-gz-and-plain.gz",
        "gzip-by-another-name",
        "one-channel",
        "i4",
        "f4",
    ] {
        assert_eq!(read(name).unwrap(), grey, "{name}");
    }
    let colour = read("colour").unwrap();
    let byte = |b: f64| (b / 127.5 - 1.0) as f32;
    assert_eq!((colour.channels(), colour.len()), (3, 1));
    assert_eq!(colour.image(0), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0].map(byte));
    assert!(matches!(
        read("planes-first"),
        Err(DataError::IdxAxes { .. })
    ));
    assert!(matches!(
        read("halves"),
        Err(DataError::IdxValue {
            index: 1,
            value: 0.5,
            largest: 255,
            ..
        })
    ));
    let labels = |name: &str| ImageSet::from_idx_files(at("grey"), Some(&at(name)));
    assert_eq!(labels("y-i4").unwrap().labels(), Some(&[3, 0][..]));
    assert_eq!(labels("y-column").unwrap().labels(), Some(&[3, 0][..]));
    assert!(matches!(
        labels("y-one-hot"),
        Err(DataError::IdxAxes { .. })
    ));
    assert!(matches!(
        labels("y-negative"),
        Err(DataError::IdxValue { index: 1, .. })
    ));
}

#[test]
fn damaged_idx_files_are_one_clear_error() {
    let lying = idx(&[u32::MAX, u32::MAX, u32::MAX], &[0; 9]);
    let large = idx(&[60_000, 1000, 1000], &[0; 9]);
    let short = idx(&[2, 1, 2], &[0; 3]);
    let long = idx(&[2, 1, 2], &[0; 5]);
    let labels = idx(&[3], &[0; 3]);
    let whole = idx(&[2, 1, 2], &[0; 4]);
    let cut = &gzip(&vec![7; 5000])[..20];
    let files: [(&str, &[u8]); 10] = [
        ("text", b"version https://git-lfs.github.com/spec/v1"),
        ("lying", &lying),
        ("large", &large),
        ("short", &short),
        ("long", &long),
        ("labels", &labels),
        ("whole", &whole),
        ("cut.gz", cut),
        ("tiny", &[0, 0]),
        ("none", &idx(&[0, 28, 28], &[])),
    ];
    let (_keep, at) = folder(&files);
    let error = |name: &str| ImageSet::from_idx_files(at(name), None).unwrap_err();
    assert!(matches!(error("lying"), DataError::IdxShape { .. }));
    assert!(matches!(
        error("large"),
        DataError::Size {
            found: 25,
            expected: 60_000_000_016,
            ..
        }
    ));
    assert!(matches!(
        error("short"),
        DataError::Size {
            found: 19,
            expected: 20,
            ..
        }
    ));
    assert!(matches!(
        error("long"),
        DataError::Size {
            found: 21,
            expected: 20,
            ..
        }
    ));
    assert!(matches!(error("labels"), DataError::IdxAxes { .. }));
    assert!(matches!(error("tiny"), DataError::IdxMagic { .. }));
    assert!(matches!(
        error("text"),
        DataError::IdxMagic {
            found: 0x7665_7273,
            ..
        }
    ));
    assert!(matches!(error("cut.gz"), DataError::Read { .. }));
    assert!(matches!(error("none"), DataError::Empty { .. }));
    assert!(matches!(error("absent"), DataError::MissingFile { .. }));
    let counted = ImageSet::from_idx_files(at("whole"), Some(&at("labels"))).unwrap_err();
    assert!(matches!(
        counted,
        DataError::LabelCount {
            labels: 3,
            images: 2,
            ..
        }
    ));
}

#[test]
fn sub_folders_are_classes_in_the_order_of_their_names() {
    let (red, blue) = (png(1, 1, &[255, 0, 0]), png(1, 1, &[0, 0, 255]));
    let (_keep, at) = folder(&[
        ("set/b/1.png", &red),
        ("set/a/2.png", &blue),
        ("set/a/10.PNG", &red),
        ("set/a/notes.txt", b"not an image"),
        ("set/@eaDir/1.png", &red),
        ("set/Thumbs.db", b"not an image"),
        ("mixed/a/1.png", &red),
        ("mixed/stray.png", &red),
    ]);
    let images = ImageSet::from_folder(at("set"), 3).unwrap();
    assert_eq!(
        (images.labels(), images.classes()),
        (Some(&[0, 0, 1][..]), 2)
    );
    assert_eq!(images.image(1), [-1.0, -1.0, 1.0]);
    let grey = ImageSet::from_folder(at("set"), 1).unwrap();
    assert_eq!(grey.image(0), [(76.0 / 127.5_f64 - 1.0) as f32]);
    let mixed = ImageSet::from_folder(at("mixed"), 3).unwrap_err();
    assert!(
        matches!(mixed, DataError::Mixed { pictures: 1, .. }),
        "{mixed}"
    );
}

#[test]
fn jpeg_files_are_read_and_transparency_is_laid_on_white() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/data");
    let (_keep, at) = folder(&[("x.jpg", &fs::read(golden.join("red-blue.jpg")).unwrap())]);
    let images = ImageSet::from_folder(at(""), 3).unwrap();
    let image = images.image(0);
    assert_eq!((images.height(), images.width()), (8, 16));
    // Red on the left, blue on the right; JPEG decoders may differ by a step or two of 255.
    for (at, expected) in [
        (0, 1.0),
        (15, -1.0),
        (8 * 16 * 2, -1.0),
        (8 * 16 * 2 + 15, 1.0),
    ] {
        assert!(
            (image[at] - expected).abs() < 3.0 / 127.5,
            "{at}: {}",
            image[at]
        );
    }

    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, 2, 1);
    encoder.set_color(png::ColorType::Rgba);
    let mut writer = encoder.write_header().unwrap();
    writer
        .write_image_data(&[9, 9, 9, 0, 0, 0, 0, 255])
        .unwrap();
    writer.finish().unwrap();
    let (_keep, at) = folder(&[("x.png", &file)]);
    assert_eq!(
        ImageSet::from_folder(at(""), 1).unwrap().image(0),
        [1.0, -1.0]
    );
}

#[test]
fn damaged_pictures_are_errors_that_name_the_file() {
    let whole = png(8, 8, &(0..192).collect::<Vec<u8>>());
    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    let mut lying = whole.clone();
    lying[16..24].copy_from_slice(&[0, 0, 255, 255, 0, 0, 255, 255]);
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/data");
    let jpeg = fs::read(golden.join("red-blue.jpg")).unwrap();
    for (name, bytes) in [
        ("cut.png", &whole[..whole.len() / 2]),
        ("flipped.png", &flipped),
        ("lying.png", &lying),
        ("empty.png", &[]),
        ("text.jpg", b"hello"),
        ("cut.jpg", &jpeg[..200]),
    ] {
        let (_keep, at) = folder(&[(name, bytes)]);
        let error = ImageSet::from_folder(at(""), 3).unwrap_err();
        assert!(matches!(error, DataError::Decode { .. }), "{name}: {error}");
        assert!(error.to_string().contains(name));
    }
    let (_keep, at) = folder(&[("lying.png", &lying)]);
    let error = ImageSet::from_folder(at(""), 3).unwrap_err();
    let DataError::Decode { source, .. } = error else {
        panic!("{error}")
    };
    assert!(!matches!(source, DecodeError::Unknown));
}

#[test]
fn odd_folders_are_errors() {
    let (_keep, at) = folder(&[
        ("sizes/1.png", &png(1, 1, &[0])),
        ("sizes/2.png", &png(2, 1, &[0, 0])),
        ("none/x", b""),
    ]);
    let error = |name: &str, channels| ImageSet::from_folder(at(name), channels).unwrap_err();
    let expected = [1, 1];
    assert!(
        matches!(error("sizes", 1), DataError::ImageSize { found: [1, 2], expected: e, .. } if e == expected)
    );
    assert!(matches!(
        error("sizes", 2),
        DataError::Channels { asked: 2, .. }
    ));
    assert!(matches!(error("none", 3), DataError::Empty { .. }));
    assert!(matches!(error("absent", 3), DataError::MissingFile { .. }));
}

#[test]
fn a_sheet_is_cut_row_by_row() {
    let sheet = png(2, 2, &[1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]);
    let (_keep, at) = folder(&[
        ("sheet.png", &sheet),
        ("table", b"index,label,name\n0,1,\"a, b\"\n1,0,c\n2,1,d\n"),
        ("gap", b"index,label\n0,1\n2,0\n"),
        ("many", b"index,label\n0,1\n1,0\n2,0\n3,0\n4,0\n"),
        ("none", b"index,label\n"),
    ]);
    let images = ImageSet::from_sprite_sheet(at("sheet.png"), at("table"), 1).unwrap();
    assert_eq!((images.len(), images.labels()), (3, Some(&[1, 0, 1][..])));
    assert_eq!(images.image(2), [(3.0 / 127.5_f64 - 1.0) as f32; 3]);
    let error = |table: &str, tile| {
        ImageSet::from_sprite_sheet(at("sheet.png"), at(table), tile).unwrap_err()
    };
    assert!(matches!(
        error("gap", 1),
        DataError::LabelLine {
            line: 3,
            expected: 1,
            ..
        }
    ));
    assert!(matches!(
        error("many", 1),
        DataError::SheetRoom {
            room: 4,
            listed: 5,
            ..
        }
    ));
    assert!(matches!(
        error("table", 0),
        DataError::SheetRoom { room: 0, .. }
    ));
    assert!(matches!(error("none", 1), DataError::Empty { .. }));
}

#[test]
fn padding_is_black_and_averages_are_exact() {
    let pictures = Uint8Images::new(1, 2, 2, 1, vec![10, 20, 30, 41]).unwrap();
    let images = ImageSet::from_pictures(&pictures);
    let padded = images.padded_to(4).unwrap();
    let byte = |b: f64| (b / 127.5 - 1.0) as f32;
    assert_eq!(padded.image(0)[5..7], [byte(10.0), byte(20.0)]);
    assert_eq!(padded.image(0)[..5], [-1.0; 5]);
    assert_eq!(images.averaged_to(1).unwrap().image(0), [byte(25.25)]);
    assert_eq!(
        padded
            .averaged_to(2)
            .unwrap()
            .averaged_to(1)
            .unwrap()
            .image(0),
        [byte(101.0 / 16.0)]
    );
    assert!(matches!(
        padded.padded_to(3),
        Err(DataError::Pad { to: 3, .. })
    ));
    assert!(matches!(
        padded.averaged_to(3),
        Err(DataError::Average { to: 3, .. })
    ));
    assert!(matches!(
        padded.averaged_to(0),
        Err(DataError::Average { .. })
    ));
}

#[test]
fn a_split_and_a_flip_keep_the_rest() {
    let pictures = Uint8Images::new(3, 1, 2, 1, vec![0, 1, 2, 3, 4, 5]).unwrap();
    let images = ImageSet::from_pictures(&pictures);
    let rest = images.split(1..3).unwrap();
    assert_eq!((rest.len(), rest.image(0)), (2, images.image(1)));
    assert!(matches!(
        images.split(2..4),
        Err(DataError::Range { len: 3, .. })
    ));
    assert!(images.split(2..2).is_err());
    let device = Device::flex();
    let batch = rest.examples(
        &[Example {
            index: 1,
            flip: true,
        }],
        &device,
    );
    let mut mirrored = images.image(2);
    mirrored.reverse();
    assert_eq!(batch.into_data().try_to_vec::<f32>().unwrap(), mirrored);
}
