//! What is kept of the images of one pass, on disk.

use std::path::Path;

use dsno_checkpoint::npy::{self, Array, NpyError, Values};

/// Names of the arrays of every chunk; those of pairs are called after their metrics.
const FEATURES: &str = "features";
const IMAGES: &str = "images";
const SECONDS: &str = "seconds";

/// What is kept of the images of one pass.
pub(super) struct Chunk {
    /// `[len, dim]`
    pub(super) features: Vec<f32>,
    pub(super) dim: usize,
    /// Those of the first images that are kept themselves.
    pub(super) images: Vec<f32>,
    /// By name of a metric, its values for each pair.
    pub(super) pairs: Vec<(&'static str, Vec<f64>)>,
    /// Time to make all of them.
    pub(super) seconds: f64,
}

fn pairs_of(metric: &str) -> String {
    format!("pairs-{metric}")
}

impl Chunk {
    pub(super) fn write(self, path: &Path) -> Result<(), NpyError> {
        let flat = |values: Values| Array {
            shape: vec![values.len()],
            values,
        };
        let features = Array {
            shape: vec![self.features.len() / self.dim.max(1), self.dim],
            values: Values::F32(self.features),
        };
        let mut arrays = vec![
            (FEATURES.to_owned(), features),
            (IMAGES.to_owned(), flat(Values::F32(self.images))),
            (SECONDS.to_owned(), flat(Values::F64(vec![self.seconds]))),
        ];
        let pairs = self.pairs.into_iter();
        arrays.extend(pairs.map(|(metric, values)| (pairs_of(metric), flat(Values::F64(values)))));
        let named: Vec<(&str, &Array)> = arrays.iter().map(|(n, a)| (n.as_str(), a)).collect();
        npy::write_npz(path, &named)
    }
}

/// Whether a chunk is there and undamaged.
pub(super) fn is_whole(path: &Path) -> bool {
    npy::read_npz(path).is_ok()
}

/// Number of features in a row, and the rows.
pub(super) fn features(path: &Path) -> Result<(usize, Vec<f32>), NpyError> {
    let array = read(path, FEATURES)?;
    match (array.shape.last(), array.values) {
        (Some(&dim), Values::F32(values)) => Ok((dim, values)),
        _ => Err(absent(path, FEATURES)),
    }
}

/// The images that are kept, `[C, H, W]` each.
pub(super) fn images(path: &Path) -> Result<Vec<f32>, NpyError> {
    match read(path, IMAGES)?.values {
        Values::F32(values) => Ok(values),
        _ => Err(absent(path, IMAGES)),
    }
}

/// The values of a metric for each pair.
pub(super) fn pairs(path: &Path, metric: &str) -> Result<Vec<f64>, NpyError> {
    reals(path, &pairs_of(metric))
}

/// Seconds that all images took.
pub(super) fn seconds(path: &Path) -> Result<f64, NpyError> {
    let seconds = reals(path, SECONDS)?;
    seconds
        .first()
        .copied()
        .ok_or_else(|| absent(path, SECONDS))
}

fn reals(path: &Path, name: &str) -> Result<Vec<f64>, NpyError> {
    match read(path, name)?.values {
        Values::F64(values) => Ok(values),
        _ => Err(absent(path, name)),
    }
}

fn read(path: &Path, name: &str) -> Result<Array, NpyError> {
    let mut arrays = npy::read_npz_where(path, |found| found == name)?;
    arrays.remove(name).ok_or_else(|| absent(path, name))
}

fn absent(path: &Path, name: &str) -> NpyError {
    NpyError::NoArray {
        path: path.to_path_buf(),
        name: name.to_owned(),
    }
}
