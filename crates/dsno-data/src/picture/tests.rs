use super::*;
use crate::ImageSet;

fn two() -> Uint8Images {
    Uint8Images::new(2, 1, 2, 3, (0..12).collect()).unwrap()
}

#[test]
fn pixels_are_cut_off_and_clamped() {
    assert_eq!(to_u8(-1.0 + 1.99 / 127.5), 1);
    assert_eq!(to_u8(0.999), 254);
    assert_eq!(to_u8(7.0), 255);
    let from_file = |byte: u8| (f64::from(byte) / 127.5 - 1.0) as f32;
    assert!((0..=255).all(|byte| to_u8(from_file(byte)) == byte));
}

#[test]
fn planes_and_pixels_are_transposed_both_ways() {
    assert_eq!(two().to_chw(), [0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11]);
    let values: Vec<f32> = two()
        .to_chw()
        .iter()
        .map(|&b| (f32::from(b) + 0.5) / 127.5 - 1.0)
        .collect();
    assert_eq!(
        Uint8Images::from_values(&values, [2, 3, 1, 2]).unwrap(),
        two()
    );
}

#[test]
fn shapes_that_do_not_fit_are_errors() {
    assert!(Uint8Images::new(2, 1, 2, 2, vec![0; 8]).is_err());
    assert!(Uint8Images::new(0, 1, 1, 1, vec![]).is_err());
    assert!(Uint8Images::from_values(&[0.0; 5], [1, 1, 2, 2]).is_err());
    assert!(Uint8Images::new(usize::MAX, 2, 2, 3, vec![0]).is_err());
    assert!(two().grid(0, 3).is_err());
    assert!(matches!(
        two().encode_png(2),
        Err(PictureError::Index { index: 2, count: 2 })
    ));
}

#[test]
fn a_grid_puts_pictures_row_by_row_on_white() {
    let grid = two().grid(1, 3).unwrap();
    assert_eq!(grid.shape(), [1, 5, 14, 3]);
    let row = &grid.bytes()[2 * 14 * 3..][..14 * 3];
    assert_eq!(row[2 * 3..4 * 3], [0, 1, 2, 3, 4, 5]);
    assert_eq!(row[6 * 3..8 * 3], [6, 7, 8, 9, 10, 11]);
    assert!(row[8 * 3..].iter().all(|&b| b == 255));
    assert_eq!(
        two().enlarged(2).bytes()[..12],
        [0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5]
    );
}

#[test]
fn png_files_come_back_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    two().save_png_folder(folder.path(), 7).unwrap();
    assert!(folder.path().join("00008.png").exists());
    let images = ImageSet::from_folder(folder.path(), 3).unwrap();
    assert_eq!(images, ImageSet::from_pictures(&two()));
    let grey = Uint8Images::new(1, 1, 2, 1, vec![0, 200]).unwrap();
    grey.save_png(0, folder.path().join("grey.png")).unwrap();
    fs::remove_file(folder.path().join("00007.png")).unwrap();
    fs::remove_file(folder.path().join("00008.png")).unwrap();
    assert_eq!(
        ImageSet::from_folder(folder.path(), 1).unwrap(),
        ImageSet::from_pictures(&grey)
    );
}

#[test]
fn an_archive_without_pictures_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("statistics.npz");
    let mu = Array {
        shape: vec![1],
        values: Values::F64(vec![0.0]),
    };
    npy::write_npz(&path, &[("mu", &mu)]).unwrap();
    assert!(matches!(
        Uint8Images::load_npz(&path),
        Err(PictureError::NoPictures { .. })
    ));
}

#[test]
fn grey_pictures_need_no_axis_of_channels() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases/data");
    let grey = Uint8Images::load_npz(cases.join("images_nhw.npz")).unwrap();
    assert_eq!(grey.shape(), [8, 16, 16, 1]);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy");
    let write = |shape: &[usize], values: Values| {
        let shape = shape.to_vec();
        npy::write(&path, &Array { shape, values }).unwrap();
        Uint8Images::load_npy(&path)
    };
    let pictures = write(&[2, 1, 2, 3], Values::U8((0..12).collect())).unwrap();
    assert_eq!(pictures, two());
    let reals = write(&[2, 1, 2, 3], Values::F32(vec![0.0; 12]));
    assert!(matches!(
        reals,
        Err(PictureError::Array { found: "<f4", .. })
    ));
    let flat = write(&[2, 6], Values::U8(vec![0; 12]));
    assert!(matches!(
        flat,
        Err(PictureError::Array { found: "|u1", .. })
    ));
    let planes = write(&[2, 3, 4, 4], Values::U8(vec![0; 96]));
    assert!(matches!(
        planes,
        Err(PictureError::Shape { channels: 4, .. })
    ));
}
