//! What lies in a folder of pictures: which files are read, as which classes, and which are not.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::magic;
use crate::error::{DataError, DecodeError};
use crate::source::{self, missing, read_error};
use crate::survey::unread;

/// Endings of pictures that are read; what a file really is, its first bytes say.
const READ: [&str; 9] = [
    "png", "apng", "jpg", "jpeg", "jpe", "jfif", "webp", "bmp", "dib",
];

/// Endings of pictures in formats that are not read.
const OTHERS: [&str; 30] = [
    "gif", "tif", "tiff", "heic", "heif", "avif", "jxl", "jp2", "j2k", "jpx", "ppm", "pgm", "pbm",
    "pnm", "pam", "pfm", "tga", "ico", "svg", "psd", "exr", "hdr", "dds", "qoi", "ff", "dng",
    "cr2", "nef", "arw", "pcx",
];

/// What systems and file servers leave in folders of pictures, in small letters; hidden files apart.
const NO_IMAGES: [&str; 9] = [
    "thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    "@eadir",
    "__macosx",
    "#recycle",
    "$recycle.bin",
    "system volume information",
    "lost+found",
];

/// The pictures of a folder.
#[derive(Debug)]
pub(crate) struct Listing {
    /// Names of the class folders, in order; empty if pictures lie in the folder itself.
    pub(crate) classes: Vec<String>,
    /// The pictures with their labels, class by class, sorted by name.
    pub(crate) files: Vec<(PathBuf, u32)>,
    /// Number of pictures that are not read, by kind.
    pub(crate) unread: BTreeMap<String, usize>,
}

/// What is in one folder.
#[derive(Default)]
struct Entries {
    pictures: Vec<PathBuf>,
    folders: Vec<PathBuf>,
    unread: BTreeMap<String, usize>,
}

impl Listing {
    /// Lists a folder of pictures, or of one sub-folder for each class.
    ///
    /// # Errors
    ///
    /// [`DataError::MissingFile`], [`DataError::Read`], [`DataError::Empty`], [`DataError::Unread`],
    /// [`DataError::Mixed`] and [`DataError::EmptyClass`].
    pub(crate) fn of(folder: &Path) -> Result<Self, DataError> {
        if !folder.is_dir() {
            return Err(missing(folder));
        }
        let Entries {
            pictures,
            mut folders,
            mut unread,
        } = Entries::of(folder)?;
        let with_pictures = first_with_pictures(&folders)?;
        if !pictures.is_empty() {
            not_mixed(folder, &pictures, with_pictures)?;
            return Ok(Self {
                classes: Vec::new(),
                files: pictures.into_iter().map(|file| (file, 0)).collect(),
                unread,
            });
        }
        in_order(&mut folders);
        let mut files = Vec::new();
        let mut empty = None;
        for (label, class) in (0..).zip(&folders) {
            let below = Entries::of(class)?;
            let nested = first_with_pictures(&below.folders)?;
            if below.pictures.is_empty() {
                let path = class.clone();
                empty = empty.or(Some(DataError::EmptyClass { path, nested }));
            } else {
                not_mixed(class, &below.pictures, nested)?;
            }
            files.extend(below.pictures.into_iter().map(|file| (file, label)));
            for (kind, count) in below.unread {
                *unread.entry(kind).or_default() += count;
            }
        }
        match empty {
            _ if with_pictures.is_none() => Err(no_pictures(folder, &unread)),
            Some(error) => Err(error),
            None => Ok(Self {
                classes: folders.iter().map(|folder| name(folder)).collect(),
                files,
                unread,
            }),
        }
    }
}

impl Entries {
    /// Everything in a folder that may belong to a set, sorted by name.
    fn of(folder: &Path) -> Result<Self, DataError> {
        let failed = |source| read_error(folder, source);
        let mut entries = Self::default();
        for entry in fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_string_lossy().to_lowercase();
            if name.starts_with('.') || NO_IMAGES.contains(&name.trim_end()) {
                continue;
            }
            let path = entry.path();
            let kind = entry.file_type().map_err(failed)?;
            if kind.is_dir() || kind.is_symlink() && path.is_dir() {
                entries.folders.push(path);
            } else {
                entries.add_file(path, &name)?;
            }
        }
        entries.pictures.sort();
        entries.folders.sort();
        Ok(entries)
    }

    /// Sorts a file in; of names that say no format, or one that is not read, its first bytes decide.
    fn add_file(&mut self, path: PathBuf, name: &str) -> Result<(), DataError> {
        let (_, ending) = name.rsplit_once('.').unwrap_or((name, ""));
        let other = OTHERS.contains(&ending);
        if READ.contains(&ending) {
            self.pictures.push(path);
        } else if other || ending.is_empty() {
            let mut file = File::open(&path).map_err(|error| read_error(&path, error))?;
            let start = source::read_up_to(&mut file, &path, magic::START as u64)?;
            match magic::format(&start) {
                Ok(_) => self.pictures.push(path),
                Err(_) if other => *self.unread.entry(ending.to_owned()).or_default() += 1,
                Err(DecodeError::Other(words)) if words.contains("picture, which") => {
                    let kind = "without an ending".to_owned();
                    *self.unread.entry(kind).or_default() += 1;
                }
                Err(_) => {}
            }
        }
        Ok(())
    }
}

/// The first of some folders that has pictures, in it or below.
fn first_with_pictures(folders: &[PathBuf]) -> Result<Option<PathBuf>, DataError> {
    for folder in folders {
        let below = Entries::of(folder)?;
        if !below.pictures.is_empty() || first_with_pictures(&below.folders)?.is_some() {
            return Ok(Some(folder.clone()));
        }
    }
    Ok(None)
}

fn not_mixed(
    folder: &Path,
    pictures: &[PathBuf],
    with_pictures: Option<PathBuf>,
) -> Result<(), DataError> {
    with_pictures.map_or(Ok(()), |below| {
        Err(DataError::Mixed {
            path: folder.to_path_buf(),
            pictures: pictures.len(),
            folder: below,
        })
    })
}

fn no_pictures(folder: &Path, found: &BTreeMap<String, usize>) -> DataError {
    let path = folder.to_path_buf();
    if found.is_empty() {
        return DataError::Empty { path };
    }
    let unread = unread(found);
    DataError::Unread { path, unread }
}

/// Sorts class folders: as numbers if all names are numbers, else by name, as they are.
fn in_order(folders: &mut [PathBuf]) {
    let number = |folder: &PathBuf| {
        let name = name(folder);
        let digits = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
        name.parse::<u64>().ok().filter(|_| digits)
    };
    if folders.iter().all(|folder| number(folder).is_some()) {
        folders.sort_by_key(number);
    }
}

fn name(folder: &Path) -> String {
    let name = folder.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests;
