//! What a store holds and where it comes from.

use std::path::Path;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::StoreError;

/// Largest shard, in bytes of its states: a shard is held in memory while it is written.
const LARGEST_SHARD: usize = 1 << 32;

/// Facts of provenance that change no trajectory by more than its last bits.
const COSMETIC: [&str; 1] = ["batch_size"];

/// Shape, times, precision and provenance of a store; kept in its attributes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreSpec {
    /// Number of trajectories, `N`.
    pub samples: usize,
    /// Times of the stored states, strictly decreasing within `[0, 1]`; `t = 1` is noise.
    pub times: Vec<f64>,
    /// Log signal-to-noise ratio at each time, in nats; infinite where there is no noise, which JSON
    /// writes as `null`.
    #[serde(deserialize_with = "with_infinity")]
    pub log_snr: Vec<f64>,
    /// Shape `[C, H, W]` of one state.
    pub shape: [usize; 3],
    /// Samples of one shard, the unit of work and of loss.
    pub shard_samples: usize,
    /// Precision of the stored states.
    pub dtype: Dtype,
    /// True to compress each sample with zstd; needs the cargo feature `zstd`.
    pub zstd: bool,
    /// Number of classes, 0 without labels.
    pub classes: u32,
    /// Where the trajectories come from.
    pub provenance: Provenance,
}

/// Precision of stored states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// 32 bits, exact.
    F32,
    /// 16 bits, half the size; relative error up to 2⁻¹¹.
    F16,
}

/// Where trajectories come from: two stores with equal provenance hold equal trajectories.
///
/// `batch_size` among the further facts is kept but not compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// Seed of noise and labels; sample `i` starts from `noise::gaussian(seed, i, …)`.
    pub seed: u64,
    /// Name of the solver.
    pub solver: String,
    /// Steps of the solver.
    pub steps: usize,
    /// Model calls for one trajectory.
    pub model_calls: usize,
    /// The noise schedule, as the writer describes it.
    pub schedule: Value,
    /// SHA-256 of the teacher's weights, empty for an analytic teacher.
    pub teacher_sha256: String,
    /// Version of the package that wrote the store.
    pub package_version: String,
    /// Further facts, for example the kind of grid.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Provenance {
    /// Describes a solver with one model call a step, unless that is set to another number; the
    /// remaining facts are empty, to be filled in, except for the version, which is this crate's.
    pub fn new(seed: u64, solver: impl Into<String>, steps: usize) -> Self {
        Self {
            seed,
            solver: solver.into(),
            steps,
            model_calls: steps,
            schedule: Value::Null,
            teacher_sha256: String::new(),
            package_version: env!("CARGO_PKG_VERSION").to_owned(),
            other: Map::new(),
        }
    }
}

/// JSON has no infinity, and `serde_json` writes `null` for it.
fn with_infinity<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<f64>, D::Error> {
    let values = Vec::<Option<f64>>::deserialize(from)?;
    Ok(values
        .into_iter()
        .map(|value| value.unwrap_or(f64::INFINITY))
        .collect())
}

impl StoreSpec {
    /// Values of one trajectory: `T·C·H·W`.
    pub fn sample_len(&self) -> usize {
        self.times.len() * self.shape.iter().product::<usize>()
    }

    /// Number of shards, the last possibly shorter.
    pub fn shards(&self) -> usize {
        self.samples.div_ceil(self.shard_samples)
    }

    /// Bytes of all states, before compression: what the disk must hold.
    pub fn state_bytes(&self) -> u64 {
        let element = match self.dtype {
            Dtype::F32 => 4,
            Dtype::F16 => 2,
        };
        self.samples as u64 * self.sample_len() as u64 * element
    }

    /// Checks that such a store can exist.
    ///
    /// # Errors
    ///
    /// * [`StoreError::Spec`] with the name of the offending field.
    /// * [`StoreError::NoZstd`] if compression was not compiled in.
    pub fn validate(&self) -> Result<(), StoreError> {
        let sides = [self.samples, self.shard_samples, self.times.len()];
        let names = ["samples", "shard_samples", "times"];
        for (name, side) in names.into_iter().zip(sides) {
            if side == 0 {
                return Err(StoreError::Spec {
                    field: name,
                    problem: "must not be 0",
                });
            }
        }
        let mut sides = self.shape.into_iter().chain(sides[1..].iter().copied());
        let shard = sides
            .try_fold(4_usize, usize::checked_mul)
            .unwrap_or(usize::MAX);
        let samples = self
            .sample_len_checked()
            .and_then(|n| n.checked_mul(self.samples));
        let problem = match () {
            () if self.shape.contains(&0) => Some(("shape", "must not contain 0")),
            () if shard > LARGEST_SHARD => Some(("shard_samples", "makes shards over 4 GiB")),
            () if samples.is_none() => Some(("samples", "is too large")),
            () if !self.times.iter().all(|t| (0.0..=1.0).contains(t)) => {
                Some(("times", "must lie within 0 and 1"))
            }
            () if !self.times.is_sorted_by(|a, b| a > b) => {
                Some(("times", "must decrease strictly"))
            }
            () if self.log_snr.len() != self.times.len() => {
                Some(("log_snr", "must have one value for each time"))
            }
            () if !self.log_snr.iter().all(|&l| l > f64::NEG_INFINITY) => {
                Some(("log_snr", "must be finite, or infinite without noise"))
            }
            () => None,
        };
        if let Some((field, problem)) = problem {
            return Err(StoreError::Spec { field, problem });
        }
        if self.zstd && !cfg!(feature = "zstd") {
            Err(StoreError::NoZstd)
        } else {
            Ok(())
        }
    }

    fn sample_len_checked(&self) -> Option<usize> {
        self.shape
            .iter()
            .try_fold(self.times.len(), |product, &n| product.checked_mul(n))
    }

    /// Compares field by field, so that the message can name the first difference.
    pub(super) fn check_same(&self, found: &Self, path: &Path) -> Result<(), StoreError> {
        let fields = |spec: &Self| match serde_json::to_value(spec) {
            Ok(Value::Object(mut fields)) => {
                if let Some(Value::Object(provenance)) = fields.remove("provenance") {
                    fields.extend(provenance);
                }
                fields.retain(|name, _| !COSMETIC.contains(&name.as_str()));
                fields
            }
            _ => Map::new(),
        };
        let (expected, found) = (fields(self), fields(found));
        let names = expected.keys().chain(found.keys());
        let text = |value: Option<&Value>| value.map_or("nothing".to_owned(), Value::to_string);
        for name in names {
            let (expected, found) = (expected.get(name), found.get(name));
            if expected != found {
                return Err(StoreError::OtherSpec {
                    path: path.to_path_buf(),
                    field: name.clone(),
                    found: text(found),
                    expected: text(expected),
                });
            }
        }
        Ok(())
    }
}
