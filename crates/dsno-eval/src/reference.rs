//! Reference statistics on disk: `.npz` files with `mu` and `sigma`.
//!
//! The layout is the one of EDM and of pytorch-fid, so their files are read and ours are read by
//! them. A third array `count` says how many samples were measured; both programs ignore it.

mod npy;

use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;
use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

pub use npy::NpyError;

use crate::{FeatureStatistics, StatisticsError, atomic};

/// Reads the mean and covariance of a reference set from an `.npz` file.
///
/// # Shapes
///
/// | array   | shape    | type                                                  |
/// |---------|----------|-------------------------------------------------------|
/// | `mu`    | `[d]`    | `f64` or `f32`                                        |
/// | `sigma` | `[d, d]` | `f64` or `f32`, symmetric                             |
/// | `count` | `[]`     | `i64`, optional                                       |
///
/// # Errors
///
/// * [`ReferenceError::Read`] if the file cannot be read.
/// * [`ReferenceError::Archive`] if it is not a zip archive or is damaged.
/// * [`ReferenceError::Missing`] if `mu` or `sigma` is not in it.
/// * [`ReferenceError::Array`] if an array is not in a layout that is understood.
/// * [`ReferenceError::Statistics`] if the numbers are not a mean and a covariance.
///
/// # Examples
///
/// ```
/// use dsno_eval::{FeatureStatistics, read_reference, write_reference};
///
/// # let folder = tempfile::tempdir()?;
/// let path = folder.path().join("reference.npz");
/// let gaussian = FeatureStatistics::new(vec![0.5, 1.0], vec![2.0, 0.5, 0.5, 1.0], Some(50_000))?;
/// write_reference(&path, &gaussian)?;
/// assert_eq!(read_reference(&path)?, gaussian);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_reference(path: &Path) -> Result<FeatureStatistics, ReferenceError> {
    let read = |source| ReferenceError::Read {
        path: path.to_path_buf(),
        source,
    };
    let file = BufReader::new(File::open(path).map_err(read)?);
    let mut archive = ZipArchive::new(file).map_err(|source| ReferenceError::Archive {
        path: path.to_path_buf(),
        source,
    })?;
    let missing = |name| ReferenceError::Missing {
        path: path.to_path_buf(),
        name,
    };
    let mean = entry(&mut archive, path, "mu")?.ok_or_else(|| missing("mu"))?;
    let covariance = entry(&mut archive, path, "sigma")?.ok_or_else(|| missing("sigma"))?;
    let count = entry(&mut archive, path, "count")?;
    let array = |name, source| ReferenceError::Array {
        path: path.to_path_buf(),
        name,
        source,
    };
    let mean = npy::read_floats(&mean, 1).map_err(|source| array("mu", source))?;
    let covariance = npy::read_floats(&covariance, 2).map_err(|source| array("sigma", source))?;
    let count = count.map(|bytes| npy::read_count(&bytes)).transpose();
    let count = count.map_err(|source| array("count", source))?;
    FeatureStatistics::new(mean, covariance, count).map_err(|source| ReferenceError::Statistics {
        path: path.to_path_buf(),
        source,
    })
}

/// Writes a mean and covariance as an `.npz` file that EDM and pytorch-fid read.
///
/// The file is whole or absent, and equal statistics give equal bytes.
///
/// # Errors
///
/// * [`ReferenceError::Archive`] if the archive cannot be put together.
/// * [`ReferenceError::Write`] if the file cannot be written.
pub fn write_reference(path: &Path, gaussian: &FeatureStatistics) -> Result<(), ReferenceError> {
    let dim = gaussian.dim();
    let mut arrays = vec![
        ("mu.npy", npy::write_floats(gaussian.mean(), &[dim])),
        (
            "sigma.npy",
            npy::write_floats(gaussian.covariance(), &[dim, dim]),
        ),
    ];
    arrays.extend(
        gaussian
            .count()
            .map(|count| ("count.npy", npy::write_count(count))),
    );
    let archive = pack(&arrays).map_err(|source| ReferenceError::Archive {
        path: path.to_path_buf(),
        source,
    })?;
    atomic::write(path, &archive).map_err(|source| ReferenceError::Write {
        path: path.to_path_buf(),
        source,
    })
}

/// The bytes of array `name`, or `None` if the archive lacks it.
fn entry<R: Read + Seek>(
    archive: &mut ZipArchive<R>,
    path: &Path,
    name: &str,
) -> Result<Option<Vec<u8>>, ReferenceError> {
    let mut file = match archive.by_name(&format!("{name}.npy")) {
        Ok(file) => file,
        Err(ZipError::FileNotFound) => return Ok(None),
        Err(source) => {
            return Err(ReferenceError::Archive {
                path: path.to_path_buf(),
                source,
            });
        }
    };
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)
        .map_err(|source| ReferenceError::Read {
            path: path.to_path_buf(),
            source,
        })?;
    Ok(Some(bytes))
}

/// An archive without compression and without dates, as `numpy.savez` lays it out.
fn pack(arrays: &[(&str, Vec<u8>)]) -> Result<Vec<u8>, ZipError> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, bytes) in arrays {
        writer.start_file(*name, options)?;
        writer.write_all(bytes)?;
    }
    Ok(writer.finish()?.into_inner())
}

/// What can go wrong with a file of reference statistics.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReferenceError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not a usable zip archive.
    #[error("not a usable .npz archive: {}", path.display())]
    Archive {
        /// The file.
        path: PathBuf,
        /// Why.
        source: ZipError,
    },
    /// An array is not in the archive.
    #[error("array `{name}` is missing, `mu` and `sigma` are expected, in {}", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// Name of the array.
        name: &'static str,
    },
    /// An array is not in a layout that is understood.
    #[error("array `{name}` cannot be used, in {}", path.display())]
    Array {
        /// The file.
        path: PathBuf,
        /// Name of the array.
        name: &'static str,
        /// Why.
        source: NpyError,
    },
    /// The numbers are not a mean and a covariance.
    #[error("not a mean and a covariance: {}", path.display())]
    Statistics {
        /// The file.
        path: PathBuf,
        /// Why.
        source: StatisticsError,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write_npz(path: &Path, arrays: &[(&str, Vec<u8>)]) {
        std::fs::write(path, pack(arrays).unwrap()).unwrap();
    }

    #[test]
    fn reads_back_to_the_bit_what_it_wrote_and_writes_equal_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a.npz"), folder.path().join("b.npz"));
        let gaussian =
            FeatureStatistics::new(vec![0.1, -1e-300], vec![1.0 / 3.0, 0.1, 0.1, 7.0], None)
                .unwrap();
        write_reference(&a, &gaussian).unwrap();
        write_reference(&b, &gaussian).unwrap();
        assert_eq!(read_reference(&a).unwrap(), gaussian);
        assert_eq!(std::fs::read(&a).unwrap(), std::fs::read(&b).unwrap());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn names_the_array_that_is_missing_or_has_the_wrong_shape() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npz");
        let mean = || ("mu.npy", npy::write_floats(&[0.0, 0.0], &[2]));
        write_npz(&path, &[mean()]);
        assert!(matches!(
            read_reference(&path),
            Err(ReferenceError::Missing { name: "sigma", .. })
        ));
        write_npz(
            &path,
            &[mean(), ("sigma.npy", npy::write_floats(&[1.0; 4], &[4]))],
        );
        assert!(matches!(
            read_reference(&path),
            Err(ReferenceError::Array {
                name: "sigma",
                source: NpyError::Axes { .. },
                ..
            })
        ));
        write_npz(
            &path,
            &[mean(), ("sigma.npy", npy::write_floats(&[1.0; 9], &[3, 3]))],
        );
        assert!(matches!(
            read_reference(&path),
            Err(ReferenceError::Statistics { .. })
        ));
    }

    #[test]
    fn refuses_what_is_not_an_archive_or_is_cut_short() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npz");
        assert!(matches!(
            read_reference(&path),
            Err(ReferenceError::Read { .. })
        ));
        std::fs::write(&path, b"not a zip").unwrap();
        assert!(matches!(
            read_reference(&path),
            Err(ReferenceError::Archive { .. })
        ));
        let gaussian = FeatureStatistics::new(vec![0.0], vec![1.0], None).unwrap();
        write_reference(&path, &gaussian).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        assert!(matches!(
            read_reference(&path),
            Err(ReferenceError::Archive { .. })
        ));
    }
}
