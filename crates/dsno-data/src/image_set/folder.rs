//! Folders of PNG and JPEG files, one sub-folder per class.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Raw, decode};
use crate::error::DataError;
use crate::source::{missing, read_error};

pub(super) fn read(path: &Path, channels: usize) -> Result<Raw, DataError> {
    if !path.is_dir() {
        return Err(missing(path));
    }
    if channels != 1 && channels != 3 {
        let set = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        return Err(DataError::Channels {
            set,
            asked: channels,
            found: 3,
        });
    }
    let classes: Vec<_> = entries(path)?
        .into_iter()
        .filter(|entry| entry.is_dir())
        .collect();
    let files: Vec<(PathBuf, u32)> = if classes.is_empty() {
        pictures(path)?.into_iter().map(|file| (file, 0)).collect()
    } else {
        let mut files = Vec::new();
        for (label, class) in (0..).zip(&classes) {
            files.extend(pictures(class)?.into_iter().map(|file| (file, label)));
        }
        files
    };
    let Some((first, _)) = files.first() else {
        return Err(DataError::Empty {
            path: path.to_path_buf(),
        });
    };
    let expected = decode::picture(first, channels)?.size;
    let mut bytes = Vec::new();
    for (file, _) in &files {
        let picture = decode::picture(file, channels)?;
        if picture.size != expected {
            let (path, found) = (file.clone(), picture.size);
            return Err(DataError::ImageSize {
                path,
                found,
                expected,
            });
        }
        bytes.extend(picture.planes());
    }
    let labels = (!classes.is_empty()).then(|| files.iter().map(|&(_, label)| label).collect());
    let [height, width] = expected;
    Ok(Raw {
        channels,
        height,
        width,
        bytes,
        labels,
        classes: classes.len() as u32,
    })
}

/// Everything in a folder that is not hidden, sorted by name.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let failed = |source| read_error(folder, source);
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

fn pictures(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let mut paths = entries(folder)?;
    paths.retain(|path| {
        let extension = path
            .extension()
            .unwrap_or_default()
            .to_string_lossy()
            .to_lowercase();
        matches!(extension.as_str(), "png" | "jpg" | "jpeg") && path.is_file()
    });
    Ok(paths)
}
