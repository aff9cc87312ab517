//! `.npz`: several arrays in one ZIP archive, as `numpy.savez` writes it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter};
use std::path::Path;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

use super::{Array, NpyError, check_shape, content, stream};
use crate::atomic;

/// Reads all arrays of an `.npz` file, compressed or not, by name.
///
/// # Errors
///
/// * [`NpyError::Read`] if the file cannot be read.
/// * [`NpyError::Archive`] if it is not a ZIP archive or its checksums do not match.
/// * [`NpyError::Content`] if a member is not an array of a known type.
pub fn read_npz(path: impl AsRef<Path>) -> Result<BTreeMap<String, Array>, NpyError> {
    read_npz_where(path, |_name| true)
}

/// Reads those arrays of an `.npz` file whose names are wanted; others may be of any type.
///
/// # Errors
///
/// As [`read_npz`].
pub fn read_npz_where(
    path: impl AsRef<Path>,
    wanted: impl Fn(&str) -> bool,
) -> Result<BTreeMap<String, Array>, NpyError> {
    let path = path.as_ref();
    let at = |source| NpyError::Read {
        path: path.to_path_buf(),
        source,
    };
    let broken = |source| NpyError::Archive {
        path: path.to_path_buf(),
        source,
    };
    let file = BufReader::new(File::open(path).map_err(at)?);
    let mut archive = ZipArchive::new(file).map_err(broken)?;
    let mut arrays = BTreeMap::new();
    for member in 0..archive.len() {
        let mut member = archive.by_index(member).map_err(broken)?;
        let name = member
            .name()
            .map_err(broken)?
            .trim_end_matches(".npy")
            .to_owned();
        if !wanted(&name) {
            continue;
        }
        let array = stream::read(&mut member).map_err(at)?;
        let array = array.map_err(|problem| content(path, &name, problem))?;
        arrays.insert(name, array.array);
    }
    Ok(arrays)
}

/// Writes named arrays as an uncompressed `.npz` file, atomically and without a time stamp.
///
/// The same arrays always give the same bytes.
///
/// # Errors
///
/// * [`NpyError::Shape`] if a shape does not describe its elements.
/// * [`NpyError::Write`] if the file could not be put in place.
///
/// # Examples
///
/// ```
/// use dsno_checkpoint::npy::{self, Array, Values};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("statistics.npz");
/// let mu = Array { shape: vec![2], values: Values::F64(vec![0.25, -1.0]) };
/// npy::write_npz(&path, &[("mu", &mu)])?;
/// assert_eq!(npy::read_npz(&path)?["mu"], mu);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write_npz(path: impl AsRef<Path>, arrays: &[(&str, &Array)]) -> Result<(), NpyError> {
    let path = path.as_ref();
    for (_, array) in arrays {
        check_shape(path, &array.shape, array.values.len())?;
    }
    Ok(atomic::write_atomic_with(path, |file| {
        write_members(file, arrays)
    })?)
}

fn write_members(file: &mut BufWriter<File>, arrays: &[(&str, &Array)]) -> io::Result<()> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default())
        .large_file(true);
    let mut archive = ZipWriter::new(file);
    for (name, array) in arrays {
        archive.start_file(format!("{name}.npy"), options)?;
        stream::write(&mut archive, array)?;
    }
    archive.finish()?;
    Ok(())
}
