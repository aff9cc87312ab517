//! The noise and the labels that `sample` and `collect` start from.

use std::ops::Range;
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor, TensorData};
use dsno_checkpoint::npy::{self, NpyError};
use dsno_data::noise;
use dsno_model::batches;

use crate::args::NoiseArgs;
use crate::failure::{Failure, sentence};

/// Noise and labels of all samples.
pub(super) struct Source {
    shape: [usize; 3],
    count: usize,
    batch: usize,
    seed: u64,
    given: Option<Vec<f32>>,
    labels: Labels,
}

/// The class of each sample.
enum Labels {
    /// The model has no classes.
    None,
    /// Drawn from the seed, out of this many classes.
    Drawn(u32),
    Given(Vec<u32>),
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
                let (found, values) = npy::read_f32(path).map_err(|e| unread(&place, &e))?;
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
            batch: args.batch,
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
    pub(super) fn labels(&self, range: &Range<usize>) -> Option<Vec<u32>> {
        match &self.labels {
            Labels::None => None,
            Labels::Drawn(classes) => {
                let indices = range.start as u64..range.end as u64;
                let label = |index| noise::label(self.seed, index, *classes);
                Some(indices.map(label).collect())
            }
            Labels::Given(labels) => Some(labels[range.clone()].to_vec()),
        }
    }

    /// Labels of all samples, if the model has classes.
    pub(super) fn all_labels(&self) -> Option<Vec<u32>> {
        self.labels(&(0..self.count))
    }

    /// Labels of all samples, if they were drawn and not given.
    pub(super) fn drawn_labels(&self) -> Option<Vec<u32>> {
        self.all_labels()
            .filter(|_| matches!(self.labels, Labels::Drawn(_)))
    }
}

/// The files that a call reads noise and labels from.
pub(super) fn inputs(args: &NoiseArgs) -> Vec<&Path> {
    [&args.noise, &args.labels]
        .into_iter()
        .flatten()
        .map(PathBuf::as_path)
        .collect()
}

/// A file that is not there is a missing need; one that holds something else is a wrong argument.
fn unread(place: &str, error: &NpyError) -> Failure {
    let text = format!("{place}: {}", sentence(error));
    match error {
        NpyError::Read { .. } => Failure::preflight(text),
        _ => Failure::usage(text),
    }
}

fn labels(args: &NoiseArgs, classes: usize, count: usize) -> Result<Labels, Failure> {
    let classes = u32::try_from(classes).unwrap_or(u32::MAX);
    match (&args.labels, classes) {
        (None, 0) => Ok(Labels::None),
        (Some(_), 0) => Err(Failure::usage(
            "--labels given, but this model has no classes",
        )),
        (None, classes) => Ok(Labels::Drawn(classes)),
        (Some(path), classes) => {
            let place = format!("--labels {}", path.display());
            let (shape, values) = npy::read_i64(path).map_err(|e| unread(&place, &e))?;
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
                .map(Labels::Given)
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
