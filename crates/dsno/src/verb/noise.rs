//! The noise and the labels that `sample` and `collect` start from.

use std::ops::Range;

use burn::tensor::{Device, Tensor, TensorData};
use dsno_checkpoint::npy;
use dsno_data::noise;
use dsno_model::batches;

use crate::args::NoiseArgs;
use crate::failure::{Failure, While};

/// Noise and labels of all samples.
pub(super) struct Source {
    shape: [usize; 3],
    count: usize,
    batch: usize,
    seed: u64,
    given: Option<Vec<f32>>,
    labels: Option<Vec<u32>>,
}

impl Source {
    /// Reads or plans the noise that a model starts from, for images of channels, height and width
    /// `shape`; without classes for 0.
    ///
    /// # Errors
    ///
    /// A usage failure if the arrays do not fit the model; a preflight failure if a file is missing.
    pub(super) fn open(
        args: &NoiseArgs,
        shape: [usize; 3],
        classes: usize,
    ) -> Result<Self, Failure> {
        let (count, given) = match (&args.noise, args.count) {
            (Some(path), _) => {
                let place = format!("--noise {}", path.display());
                let (found, values) = npy::read_f32(path).or_preflight(&place)?;
                if found.len() != 4 || found[1..] != shape {
                    return Err(Failure::usage(format!(
                        "{place} has shape {found:?}, expected N×{}×{}×{} for this model",
                        shape[0], shape[1], shape[2]
                    )));
                }
                if values.iter().any(|value| !value.is_finite()) {
                    return Err(Failure::usage(format!("{place} holds NaN or infinity")));
                }
                (found[0], Some(values))
            }
            (None, count) => (count.unwrap_or_default(), None),
        };
        if count == 0 {
            return Err(Failure::usage(
                "no samples asked for, expected at least one",
            ));
        }
        let labels = labels(args, classes, count)?;
        Ok(Self {
            shape,
            count,
            batch: args.batch.max(1),
            seed: args.seed,
            given,
            labels,
        })
    }

    /// Number of samples.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Channels, height and width.
    pub(super) fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// The samples of each forward pass.
    pub(super) fn batches(&self) -> Vec<Range<usize>> {
        batches::ranges(self.count, self.batch)
    }

    /// Noise of some samples.
    pub(super) fn noise(&self, range: &Range<usize>, device: &Device) -> Tensor<4> {
        let [c, h, w] = self.shape;
        match &self.given {
            Some(values) => {
                let pixels = c * h * w;
                let slice = values[range.start * pixels..range.end * pixels].to_vec();
                Tensor::from_data(TensorData::new(slice, [range.len(), c, h, w]), device)
            }
            None => noise::batch(
                self.seed,
                range.start as u64..range.end as u64,
                self.shape,
                device,
            ),
        }
    }

    /// Labels of some samples, if the model has classes.
    pub(super) fn labels(&self, range: &Range<usize>) -> Option<&[u32]> {
        self.labels.as_ref().map(|labels| &labels[range.clone()])
    }
}

fn labels(args: &NoiseArgs, classes: usize, count: usize) -> Result<Option<Vec<u32>>, Failure> {
    let classes = u32::try_from(classes).unwrap_or(u32::MAX);
    match (&args.labels, classes) {
        (None, 0) => Ok(None),
        (Some(_), 0) => Err(Failure::usage(
            "--labels given, but this model has no classes",
        )),
        (None, classes) => Ok(Some(
            (0..count as u64)
                .map(|i| noise::label(args.seed, i, classes))
                .collect(),
        )),
        (Some(path), classes) => {
            let place = format!("--labels {}", path.display());
            let (shape, values) = npy::read_i64(path).or_preflight(&place)?;
            if shape != [count] {
                return Err(Failure::usage(format!(
                    "{place} has shape {shape:?}, expected [{count}], one label per sample"
                )));
            }
            let label = |value: i64| {
                u32::try_from(value)
                    .ok()
                    .filter(|label| *label < classes)
                    .ok_or_else(|| {
                        Failure::usage(format!(
                            "{place} has the label {value}, expected 0 to {}",
                            classes - 1
                        ))
                    })
            };
            values
                .into_iter()
                .map(label)
                .collect::<Result<_, _>>()
                .map(Some)
        }
    }
}

/// Checks times that were given on the command line.
pub(super) fn check_times(flag: &str, times: &[f64]) -> Result<(), Failure> {
    let in_range = times.iter().all(|t| (0.0..=1.0).contains(t));
    let falling = times.windows(2).all(|pair| pair[0] > pair[1]);
    if !times.is_empty() && in_range && falling {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "{flag} is {times:?}, expected times that fall from 1 to 0"
    )))
}
