//! IDX, the format of MNIST and its successors: a magic number, the shape, then bytes.

use std::path::Path;

use super::Raw;
use crate::error::DataError;
use crate::source;

const IMAGES: u32 = 0x0803;
const LABELS: u32 = 0x0801;

pub(super) fn read(images: &Path, labels: Option<&Path>) -> Result<Raw, DataError> {
    let (shape, bytes) = read_file::<3>(images, IMAGES)?;
    let [count, height, width] = shape;
    if bytes.is_empty() {
        return Err(DataError::Empty {
            path: images.to_path_buf(),
        });
    }
    let labels = labels.map(|path| read_labels(path, count)).transpose()?;
    let classes = labels
        .iter()
        .flatten()
        .max()
        .map_or(0, |&largest| largest + 1);
    Ok(Raw {
        channels: 1,
        height,
        width,
        bytes,
        labels,
        classes,
    })
}

fn read_labels(path: &Path, images: usize) -> Result<Vec<u32>, DataError> {
    let ([labels], bytes) = read_file::<1>(path, LABELS)?;
    if labels != images {
        return Err(DataError::LabelCount {
            path: path.to_path_buf(),
            labels,
            images,
        });
    }
    Ok(bytes.into_iter().map(u32::from).collect())
}

/// Reads a file of bytes with `N` axes; memory grows only with the bytes that are really there.
fn read_file<const N: usize>(path: &Path, magic: u32) -> Result<([usize; N], Vec<u8>), DataError> {
    let path = &source::locate(path)?;
    let header_bytes = 4 + 4 * N as u64;
    let mut source = source::open(path)?;
    let header = source::read_up_to(&mut source, path, header_bytes)?;
    let (words, _) = header.as_chunks::<4>();
    let mut words = words.iter().map(|&word| u32::from_be_bytes(word));
    let found = words.next().unwrap_or_default();
    if found != magic {
        return Err(DataError::IdxMagic {
            path: path.clone(),
            found,
            expected: magic,
        });
    }
    if header.len() as u64 != header_bytes {
        let found = header.len() as u64;
        return Err(DataError::Size {
            path: path.clone(),
            found,
            expected: header_bytes,
        });
    }
    let shape: Vec<u64> = words.map(u64::from).collect();
    let expected = shape
        .iter()
        .try_fold(1_u64, |product, &n| product.checked_mul(n));
    let Some(expected) = expected.filter(|&n| isize::try_from(n).is_ok()) else {
        return Err(DataError::IdxShape {
            path: path.clone(),
            shape,
        });
    };
    let bytes = source::read_up_to(&mut source, path, expected + 1)?;
    if bytes.len() as u64 != expected {
        let (found, expected) = (header_bytes + bytes.len() as u64, header_bytes + expected);
        return Err(DataError::Size {
            path: path.clone(),
            found,
            expected,
        });
    }
    Ok((std::array::from_fn(|axis| shape[axis] as usize), bytes))
}
