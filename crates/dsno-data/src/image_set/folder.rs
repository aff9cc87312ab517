//! Folders of pictures, one sub-folder per class.

use std::path::Path;

use super::ImageSet;
use super::decode::{self, Options};
use super::gather::{Gather, Prepare};
use super::listing::Listing;
use crate::error::DataError;

/// Up to so many pictures, or so many bytes of files, all are decoded when a set is checked.
const DECODED_PICTURES: usize = 5000;
const DECODED_BYTES: u64 = 64 << 20;
/// Of larger sets, about so many, evenly spaced.
const DECODED_SAMPLE: usize = 1000;
/// A check ends after so many problems.
const PROBLEMS: usize = 100;

/// Checks the number of channels asked for.
pub(crate) fn options(
    folder: &Path,
    channels: usize,
    exif_rotation: bool,
) -> Result<Options, DataError> {
    if channels == 1 || channels == 3 {
        return Ok(Options {
            channels,
            exif_rotation,
        });
    }
    let set = folder.file_name().unwrap_or_default();
    Err(DataError::Channels {
        set: set.to_string_lossy().into_owned(),
        asked: channels,
        found: 3,
    })
}

/// Reads the pictures of a listing, which has at least one.
pub(crate) fn read(
    listing: &Listing,
    options: Options,
    prepare: Prepare,
) -> Result<ImageSet, DataError> {
    let mut gather: Option<(Gather, [usize; 2])> = None;
    let mut planes = Vec::new();
    for (file, _) in &listing.files {
        let picture = decode::picture(file, options)?;
        let (gather, expected) = if let Some(begun) = &mut gather {
            begun
        } else {
            let count = listing.files.len();
            let begun = Gather::new(prepare, options.channels, picture.size, count)?;
            gather.insert((begun, picture.size))
        };
        same_size(file, picture.size, *expected)?;
        picture.planes(&mut planes);
        gather.push(&planes);
    }
    let (gather, _) = gather.ok_or_else(|| DataError::Empty {
        path: Path::new("").to_path_buf(),
    })?;
    let labels = listing.files.iter().map(|&(_, label)| label);
    let labels = (!listing.classes.is_empty()).then(|| labels.collect());
    Ok(gather.finish(labels, listing.classes.len() as u32))
}

/// Looks at every picture, and decodes all of them or, of many, some; says the size of the first.
pub(crate) fn check(
    listing: &Listing,
    options: Options,
    problems: &mut Vec<DataError>,
) -> Option<[usize; 2]> {
    let count = listing.files.len();
    let bytes = || {
        let files = listing.files.iter();
        let lengths = files.map(|(file, _)| file.metadata().map_or(0, |found| found.len()));
        lengths.sum::<u64>()
    };
    let step = if count <= DECODED_PICTURES || bytes() <= DECODED_BYTES {
        1
    } else {
        count.div_ceil(DECODED_SAMPLE)
    };
    let mut expected = None;
    for (index, (file, _)) in listing.files.iter().enumerate() {
        let whole = index % step == 0 || index + 1 == count;
        let found = decode::check(file, options, whole)
            .and_then(|size| same_size(file, size, *expected.get_or_insert(size)));
        problems.extend(found.err());
        if problems.len() >= PROBLEMS {
            break;
        }
    }
    expected
}

fn same_size(file: &Path, found: [usize; 2], expected: [usize; 2]) -> Result<(), DataError> {
    if found == expected {
        return Ok(());
    }
    let path = file.to_path_buf();
    Err(DataError::ImageSize {
        path,
        found,
        expected,
    })
}
