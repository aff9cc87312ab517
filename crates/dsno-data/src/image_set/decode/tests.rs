//! Pictures of `tests/cases/data` are what Pillow makes of them.

use std::path::PathBuf;

use dsno_checkpoint::npy::{self, Values};

use super::*;
use crate::image_set::listing::Listing;

const COLOUR: Options = Options {
    channels: 3,
    exif_rotation: false,
};

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases/data")
}

fn files(set: &str) -> Vec<PathBuf> {
    let listing = Listing::of(&cases().join("datasets").join(set)).unwrap();
    listing.files.into_iter().map(|(file, _)| file).collect()
}

/// Largest difference of every picture of a set to Pillow's, and the mean one.
fn differences(set: &str, options: Options) -> Vec<(String, u8, f64)> {
    let expected = npy::read_npz(cases().join("expected.npz")).unwrap();
    let expected = &expected[set];
    let Values::U8(bytes) = &expected.values else {
        panic!("{}", expected.values.descr());
    };
    let files = files(set);
    assert_eq!(files.len(), expected.shape[0], "{files:?}");
    let size = [expected.shape[1], expected.shape[2]];
    let pictures = bytes.chunks_exact(size[0] * size[1] * 3);
    let compared = files.iter().zip(pictures).map(|(file, expected)| {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let found = picture(file, options).unwrap();
        assert_eq!((found.size, found.channels), (size, 3), "{name}");
        assert_eq!(check(file, options, false).unwrap(), size, "{name}");
        let differences = found.bytes.iter().zip(expected);
        let differences: Vec<u8> = differences.map(|(a, b)| a.abs_diff(*b)).collect();
        let sum: f64 = differences.iter().map(|&d| f64::from(d)).sum();
        let largest = differences.iter().max().copied().unwrap();
        (name, largest, sum / differences.len() as f64)
    });
    compared.collect()
}

/// Formats without loss to the bit; JPEG decoders may round otherwise, Pillow's own differ by 3.
fn allowed(name: &str) -> u8 {
    let lossy = ["jpg", "jfif", "jpeg_named.png", "lossy.webp"];
    if lossy.iter().any(|ending| name.ends_with(ending)) {
        3
    } else {
        0
    }
}

#[test]
fn every_kind_of_png_and_jpeg_is_read_as_pillow_reads_it() {
    for (name, largest, _) in differences("kinds", COLOUR) {
        assert!(largest <= allowed(&name), "{name}: {largest}");
    }
}

#[test]
fn webp_and_bmp_are_read_as_pillow_reads_them() {
    for set in ["formats", "mixed"] {
        for (name, largest, _) in differences(set, COLOUR) {
            assert!(largest <= allowed(&name), "{set}/{name}: {largest}");
        }
    }
}

#[test]
fn pictures_are_turned_if_asked_for() {
    let options = Options {
        exif_rotation: true,
        ..COLOUR
    };
    for (name, largest, _) in differences("turned", options) {
        assert!(largest <= allowed(&name), "{name}: {largest}");
    }
    let stored = files("turned")
        .iter()
        .map(|file| picture(file, COLOUR).unwrap().size)
        .collect::<Vec<_>>();
    assert_eq!(stored[..4], [[6, 9]; 4]);
    assert_eq!(stored[4..], [[9, 6]; 5]);
}

#[test]
fn black_ink_of_cmyk_is_black() {
    for (name, _, mean) in differences("cmykk", COLOUR) {
        assert!(mean / 127.5 < 0.02, "{name}: {mean} of 255");
    }
}

#[test]
fn odd_files_are_read_or_named() {
    let files = files("oddjpeg");
    let read = |whole: bool| {
        let results = files.iter().map(|file| {
            let found = check(file, COLOUR, whole);
            if whole {
                assert_eq!(found.is_ok(), picture(file, COLOUR).is_ok());
            }
            (
                file.file_name().unwrap().to_string_lossy()[..2].to_owned(),
                found,
            )
        });
        results.collect::<Vec<_>>()
    };
    for whole in [true, false] {
        for (number, found) in read(whole) {
            let good = ["00", "01", "02", "10"].contains(&number.as_str());
            // A wrong checksum in the middle shows only when all is decoded.
            let hidden = number == "08" && !whole;
            assert!(found.is_ok() == good || hidden, "{number}: {found:?}");
        }
    }
}

#[test]
fn damaged_pictures_are_errors_and_never_panics() {
    for file in files("formats") {
        let bytes = std::fs::read(&file).unwrap();
        for cut in 0..bytes.len().min(300) {
            let _no_panic = decode(&bytes[..cut], COLOUR);
        }
        for at in 0..bytes.len().min(150) {
            let mut changed = bytes.clone();
            changed[at] ^= 0xff;
            let _no_panic = decode(&changed, COLOUR);
        }
        let half = &bytes[..bytes.len() / 2];
        assert!(
            decode(half, COLOUR).is_err() && !ends(half),
            "{}",
            file.display()
        );
    }
}

#[test]
fn what_is_no_picture_is_named() {
    let folder = tempfile::tempdir().unwrap();
    for (bytes, word) in [
        (
            &b"version https://git-lfs.github.com/spec/v1\n"[..],
            "Git LFS",
        ),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"GIF89a", "GIF"),
        (b"\0\0\0\x1cftypavif", "AVIF"),
        (b"hello", "neither PNG"),
    ] {
        let path = folder.path().join("x.png");
        std::fs::write(&path, bytes).unwrap();
        let text = picture(&path, COLOUR).err().map(|error| error.to_string());
        assert!(
            text.as_ref().is_some_and(|text| text.contains(word)),
            "{text:?}"
        );
    }
}
