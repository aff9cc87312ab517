//! Reference statistics on disk: `.npz` files with `mu` and `sigma`.
//!
//! The layout is the one of EDM and of pytorch-fid, so their files are read and ours are read by
//! them. A third array `count` says how many samples were measured; both programs ignore it.

use std::path::{Path, PathBuf};

use dsno_checkpoint::npy::{self, Array, NpyError, Values};
use thiserror::Error;

use crate::{FeatureStatistics, StatisticsError};

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
/// * [`ReferenceError::Npy`] if the file cannot be read, is not an archive, or lacks `mu` or `sigma`.
/// * [`ReferenceError::Array`] if an array has another type or shape.
/// * [`ReferenceError::Statistics`] if the numbers are not a mean and a covariance.
///
/// # Examples
///
/// ```
/// use dsno_eval::{FeatureStatistics, read_reference, write_reference};
///
/// # let folder = tempfile::tempdir()?;
/// let path = folder.path().join("reference.npz");
/// let statistics = FeatureStatistics::new(vec![0.5, 1.0], vec![2.0, 0.5, 0.5, 1.0], Some(50_000))?;
/// write_reference(&path, &statistics)?;
/// assert_eq!(read_reference(&path)?, statistics);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_reference(path: &Path) -> Result<FeatureStatistics, ReferenceError> {
    let names = ["mu", "sigma", "count"];
    let mut arrays = npy::read_npz_where(path, |name| names.contains(&name))?;
    let mut take = |name: &'static str| {
        arrays.remove(name).ok_or_else(|| NpyError::NoArray {
            path: path.to_path_buf(),
            name: name.to_owned(),
        })
    };
    let wrong = |name, expected, array: &Array| ReferenceError::Array {
        path: path.to_path_buf(),
        name,
        expected,
        found: format!("{} {:?}", array.values.descr(), array.shape),
    };
    let mu = take("mu")?;
    let mean = reals(&mu, 1).ok_or_else(|| wrong("mu", "<f8 or <f4 [d]", &mu))?;
    let sigma = take("sigma")?;
    let expected = "<f8 or <f4 [d, d]";
    let covariance = reals(&sigma, 2).ok_or_else(|| wrong("sigma", expected, &sigma))?;
    let count = take("count")
        .ok()
        .map(|array| count(&array).ok_or_else(|| wrong("count", "one <i8, 0 or more", &array)));
    FeatureStatistics::new(mean, covariance, count.transpose()?).map_err(|source| {
        ReferenceError::Statistics {
            path: path.to_path_buf(),
            source,
        }
    })
}

/// Writes a mean and covariance as an `.npz` file that EDM and pytorch-fid read.
///
/// The file is whole or absent, and equal statistics give equal bytes.
///
/// # Errors
///
/// [`ReferenceError::Npy`] if the file cannot be written.
pub fn write_reference(path: &Path, statistics: &FeatureStatistics) -> Result<(), ReferenceError> {
    let dim = statistics.dim();
    let array = |shape: &[usize], values| Array {
        shape: shape.to_vec(),
        values,
    };
    let mu = array(&[dim], Values::F64(statistics.mean().to_vec()));
    let sigma = Values::F64(statistics.covariance().to_vec());
    let sigma = array(&[dim, dim], sigma);
    let count = statistics.count().map(|count| {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        array(&[], Values::I64(vec![count]))
    });
    let mut arrays = vec![("mu", &mu), ("sigma", &sigma)];
    arrays.extend(count.as_ref().map(|count| ("count", count)));
    Ok(npy::write_npz(path, &arrays)?)
}

/// The numbers of an array of `f32` or `f64` with `axes` axes.
fn reals(array: &Array, axes: usize) -> Option<Vec<f64>> {
    match &array.values {
        _ if array.shape.len() != axes => None,
        Values::F64(values) => Some(values.clone()),
        Values::F32(values) => Some(values.iter().copied().map(f64::from).collect()),
        _ => None,
    }
}

/// A scalar that counts samples.
fn count(array: &Array) -> Option<u64> {
    match &array.values {
        Values::I64(values) if values.len() == 1 => u64::try_from(values[0]).ok(),
        _ => None,
    }
}

/// What can go wrong with a file of reference statistics.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReferenceError {
    /// The file cannot be read or written, or lacks an array.
    #[error(transparent)]
    Npy(#[from] NpyError),
    /// An array has another type or shape.
    #[error("array `{name}` is {found}, expected {expected}, in {}", path.display())]
    Array {
        /// The file.
        path: PathBuf,
        /// Name of the array.
        name: &'static str,
        /// Type and shape that are expected.
        expected: &'static str,
        /// Type and shape that were found.
        found: String,
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

    fn floats(shape: &[usize], values: &[f64]) -> Array {
        Array {
            shape: shape.to_vec(),
            values: Values::F64(values.to_vec()),
        }
    }

    #[test]
    fn reads_back_to_the_bit_what_it_wrote_and_writes_equal_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a.npz"), folder.path().join("b.npz"));
        for count in [None, Some(50_000)] {
            let (mean, covariance) = (vec![0.1, -1e-300], vec![1.0 / 3.0, 0.1, 0.1, 7.0]);
            let statistics = FeatureStatistics::new(mean, covariance, count).unwrap();
            write_reference(&a, &statistics).unwrap();
            write_reference(&b, &statistics).unwrap();
            assert_eq!(read_reference(&a).unwrap(), statistics);
            assert_eq!(std::fs::read(&a).unwrap(), std::fs::read(&b).unwrap());
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
        }
    }

    #[test]
    fn names_the_array_that_is_missing_or_has_the_wrong_shape_or_type() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npz");
        let mean = floats(&[2], &[0.0, 0.0]);
        let read = |arrays: &[(&str, &Array)]| {
            npy::write_npz(&path, arrays).unwrap();
            read_reference(&path).unwrap_err()
        };
        let error = read(&[("mu", &mean)]);
        assert!(
            matches!(error, ReferenceError::Npy(NpyError::NoArray { name, .. }) if name == "sigma")
        );
        let error = read(&[("mu", &mean), ("sigma", &floats(&[4], &[1.0; 4]))]);
        assert!(matches!(error, ReferenceError::Array { name: "sigma", .. }));
        let error = read(&[("mu", &mean), ("sigma", &floats(&[3, 3], &[1.0; 9]))]);
        assert!(matches!(error, ReferenceError::Statistics { .. }));
        let unit = floats(&[2, 2], &[1.0, 0.0, 0.0, 1.0]);
        let negative = Array {
            shape: vec![],
            values: Values::I64(vec![-1]),
        };
        let error = read(&[("mu", &mean), ("sigma", &unit), ("count", &negative)]);
        assert!(matches!(error, ReferenceError::Array { name: "count", .. }));
    }

    #[test]
    fn reads_single_precision_beside_arrays_of_other_types() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npz");
        let singles = |shape: &[usize], values: &[f32]| Array {
            shape: shape.to_vec(),
            values: Values::F32(values.to_vec()),
        };
        let pictures = Array {
            shape: vec![1],
            values: Values::U8(vec![7]),
        };
        let arrays = [
            ("mu", &singles(&[1], &[0.5])),
            ("sigma", &singles(&[1, 1], &[2.0])),
            ("arr_0", &pictures),
        ];
        npy::write_npz(&path, &arrays).unwrap();
        let read = read_reference(&path).unwrap();
        assert_eq!((read.mean(), read.covariance()), (&[0.5][..], &[2.0][..]));
    }

    #[test]
    fn refuses_what_is_not_an_archive_or_is_cut_short() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npz");
        let read = || match read_reference(&path).unwrap_err() {
            ReferenceError::Npy(error) => error,
            other => panic!("{other}"),
        };
        assert!(matches!(read(), NpyError::Read { .. }));
        std::fs::write(&path, b"not a zip").unwrap();
        assert!(matches!(read(), NpyError::Archive { .. }));
        let statistics = FeatureStatistics::new(vec![0.0], vec![1.0], None).unwrap();
        write_reference(&path, &statistics).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        assert!(matches!(read(), NpyError::Archive { .. }));
    }
}
