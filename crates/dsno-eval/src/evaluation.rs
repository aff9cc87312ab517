//! The evaluation protocol: samplers against real images, against the teacher, and in speed.
//!
//! Every sampler gets the same held-out noise, numbers that no training sees. For each seed the real
//! images are split in two: the reference, which every set of samples is compared with, and as many
//! others as there are samples, whose own distance to the reference is the floor (the row `data`).
//! Metrics of pairs compare each image with the endpoint: the image that the teacher, as the student
//! saw it, makes of the same noise.
//!
//! The images of one sampler under one seed are made in chunks of one batch, and what metrics need
//! of a chunk is a file of its own. So memory does not grow with the number of samples, and a
//! restart repeats the chunks that were at work. A folder of chunks keeps the key of all that they
//! are a function of; under another key it begins anew.
//!
//! ```no_run
#![doc = include_str!("../examples/measure_sampler.rs")]
//! ```

mod chunk;
mod error;
mod figure;
mod held_out;
mod latency;
#[cfg(test)]
mod tests;
mod unit;

use std::ops::{ControlFlow, Range};
use std::path::Path;

use burn::tensor::{Device, Tensor};
use dsno_checkpoint::digest::sha256_bytes;
use dsno_data::ImageSet;
use dsno_data::order::epoch_order;
use dsno_model::{Sampler, batches};
use serde::Serialize;

pub use error::EvaluationError;
pub use figure::{Evaluation, Figure, Measured, SeedValues};
pub use held_out::HeldOutInputs;

use crate::Features;
use crate::metric::{self, FeatureSet, Metric};
use unit::{Job, Unit};

/// On how many samples an evaluation rests, and how it is cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvaluationConfig {
    /// Samples per sampler and seed.
    pub samples: usize,
    /// One evaluation per seed, each with its own noise and its own split of the real images.
    pub seeds: Vec<u64>,
    /// Samples per seed that are also compared one by one with the endpoint, at most.
    pub paired: usize,
    /// Images per forward pass and per chunk on disk.
    pub batch_size: usize,
    /// Calls at batch size 1 whose median is the latency.
    pub latency_repeats: usize,
    /// Chunks to make at the same time; figures do not depend on it, speed does.
    pub workers: usize,
}

impl Default for EvaluationConfig {
    /// 2,000 samples under one seed, a thousand of them paired, one worker.
    fn default() -> Self {
        Self {
            samples: 2000,
            seeds: vec![1],
            paired: 1000,
            batch_size: 250,
            latency_repeats: 20,
            workers: 1,
        }
    }
}

/// A sampler and the key of all that its images are a function of.
#[derive(Clone)]
pub struct Candidate<'a> {
    /// The sampler; its name must not occur twice.
    pub sampler: &'a dyn Sampler,
    /// Changes whenever its images change: a digest of weights and solver, for example.
    pub key: String,
}

impl std::fmt::Debug for Candidate<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Candidate")
            .field("sampler", &self.sampler.name())
            .field("key", &self.key)
            .finish()
    }
}

/// How far an evaluation is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress<'a> {
    /// Work done, in forward passes of the teacher's U-Net for one image.
    pub done: f64,
    /// Work to do in all.
    pub total: f64,
    /// The sampler at work, or `data` or `reference` for real images.
    pub name: &'a str,
}

/// Called before each set of chunks and after each group of them; [`ControlFlow::Break`] stops.
pub type Observer<'a> = &'a mut dyn FnMut(&Progress<'_>) -> ControlFlow<()>;

/// What samplers are measured against and where.
#[derive(Clone)]
pub struct Evaluator<'a> {
    /// Sizes and seeds.
    pub config: EvaluationConfig,
    /// Real images.
    pub images: &'a ImageSet,
    /// Classes that samplers are conditioned on; 0 without.
    pub classes: usize,
    /// The space in which sets are compared.
    pub features: &'a dyn Features,
    /// What is computed.
    pub metrics: &'a [&'a dyn Metric],
    /// The teacher as the student saw it, whose images the others are paired with.
    pub endpoint: Option<Candidate<'a>>,
    /// Where samplers run.
    pub device: &'a Device,
    /// Where chunks are kept.
    pub folder: &'a Path,
    /// Changes whenever the images, the features or the device change, as [`Candidate::key`] does.
    pub key: String,
}

impl std::fmt::Debug for Evaluator<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Evaluator")
            .field("config", &self.config)
            .field("features", &self.features.space())
            .field("metrics", &self.metrics)
            .field("endpoint", &self.endpoint)
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

impl<'a> Evaluator<'a> {
    /// All metrics, samplers without classes, no endpoint, and the default sizes.
    pub fn new(
        images: &'a ImageSet,
        features: &'a dyn Features,
        device: &'a Device,
        folder: &'a Path,
    ) -> Self {
        Self {
            config: EvaluationConfig::default(),
            images,
            classes: 0,
            features,
            metrics: &metric::ALL,
            endpoint: None,
            device,
            folder,
            key: features.space().to_owned(),
        }
    }

    /// Measures samplers: makes the chunks that are missing and computes all figures.
    ///
    /// # Errors
    ///
    /// [`EvaluationError`]; chunks that were made stay valid. [`EvaluationError::Stopped`] if
    /// `observe` asks for it.
    pub fn run(
        &self,
        samplers: &[Candidate<'_>],
        observe: Observer<'_>,
    ) -> Result<Evaluation, EvaluationError> {
        self.features.check(self.shape())?;
        let mut work = Work {
            done: 0.0,
            total: self.total_passes(samplers),
            observe,
        };
        let seeds = &self.config.seeds;
        let (mut floors, mut references) = (Vec::new(), Vec::new());
        for &seed in seeds {
            let (first, rest) = self.split(seed);
            floors.push(self.real("data", seed, &first, &mut work)?);
            references.push(self.real("reference", seed, &rest, &mut work)?);
        }
        let mut endpoints = Vec::new();
        if let Some(endpoint) = &self.endpoint {
            let (name, count) = if is_among(samplers, endpoint) {
                (endpoint.sampler.name(), self.config.samples)
            } else {
                ("endpoint".to_owned(), self.config.paired)
            };
            for &seed in seeds {
                endpoints.push(self.sampled(endpoint, &name, seed, count, None, &mut work)?);
            }
        }
        let references: Vec<FeatureSet<'_>> = references.iter().map(Unit::feature_set).collect();
        let mut measured = Vec::new();
        for candidate in samplers {
            let sampler = candidate.sampler;
            let mut units = Vec::new();
            for (index, &seed) in seeds.iter().enumerate() {
                units.push(match endpoints.get(index) {
                    // Made already, as what the others are compared with.
                    Some(made) if self.is_endpoint(candidate) => made.clone(),
                    endpoint => {
                        let (name, samples) = (sampler.name(), self.config.samples);
                        self.sampled(candidate, &name, seed, samples, endpoint, &mut work)?
                    }
                });
            }
            measured.push(Measured {
                name: sampler.name(),
                nfe: sampler.nfe(),
                unet_passes: sampler.unet_passes(),
                images_per_second: images_per_second(&units)?,
                latency_seconds: self.latency(candidate)?,
                figures: self.figures(&units, &references)?,
            });
        }
        measured.push(Measured {
            name: "data".to_owned(),
            nfe: 0,
            unet_passes: 0.0,
            images_per_second: images_per_second(&floors)?,
            latency_seconds: self.data_latency(),
            figures: self.figures(&floors, &references)?,
        });
        Ok(Evaluation {
            space: self.features.space().to_owned(),
            columns: self.metrics.iter().flat_map(|m| m.columns()).collect(),
            samplers: measured,
        })
    }

    /// The noise and labels that samples are made of.
    pub fn inputs(&self, seed: u64) -> HeldOutInputs<'a> {
        HeldOutInputs {
            seed,
            shape: self.shape(),
            classes: self.classes,
            device: self.device,
        }
    }

    fn shape(&self) -> [usize; 3] {
        let images = self.images;
        [images.channels(), images.height(), images.width()]
    }

    /// Real images for the floor, and the others, which every sampler is compared with.
    fn split(&self, seed: u64) -> (Vec<usize>, Vec<usize>) {
        let len = self.images.len();
        let order = epoch_order(seed, 0, len).into_iter();
        let mut first: Vec<usize> = order.map(|i| i as usize).collect();
        let rest = first.split_off(self.config.samples.min(len / 2));
        (first, rest)
    }

    fn is_endpoint(&self, candidate: &Candidate<'_>) -> bool {
        let endpoint = self.endpoint.as_ref();
        endpoint.is_some_and(|endpoint| endpoint.key == candidate.key)
    }

    fn total_passes(&self, samplers: &[Candidate<'_>]) -> f64 {
        let passes = |candidate: &Candidate<'_>, samples: usize| {
            candidate.sampler.unet_passes() * samples as f64
        };
        let endpoint = self.endpoint.iter().filter(|e| !is_among(samplers, e));
        let per_seed: f64 = endpoint
            .map(|e| passes(e, self.config.paired))
            .chain(samplers.iter().map(|c| passes(c, self.config.samples)))
            .sum();
        per_seed * self.config.seeds.len() as f64
    }

    fn real(
        &self,
        name: &str,
        seed: u64,
        indices: &[usize],
        work: &mut Work<'_>,
    ) -> Result<Unit, EvaluationError> {
        let key = self.unit_key(&("real", name, seed, self.config.samples, indices.len()));
        self.unit(name, seed, indices.len(), key).run(
            &Job {
                evaluator: self,
                generate: &|range| Ok(self.images.batch(&indices[range], self.device)),
                endpoint: None,
                keep_images: 0,
                passes: 0.0,
            },
            work,
        )
    }

    fn sampled(
        &self,
        candidate: &Candidate<'_>,
        name: &str,
        seed: u64,
        count: usize,
        endpoint: Option<&Unit>,
        work: &mut Work<'_>,
    ) -> Result<Unit, EvaluationError> {
        let sampler = candidate.sampler;
        let keep_images = if self.is_endpoint(candidate) {
            self.config.paired
        } else {
            0
        };
        let paired_with = endpoint.map(|unit| &unit.key);
        let settings = ("sampled", seed, count, keep_images, &candidate.key);
        let key = self.unit_key(&(settings, paired_with, self.classes));
        let inputs = self.inputs(seed);
        self.unit(name, seed, count, key).run(
            &Job {
                evaluator: self,
                generate: &|range: Range<usize>| {
                    let labels = inputs.labels(range.clone());
                    images_of(sampler, inputs.noise(range), labels.as_deref())
                },
                endpoint,
                keep_images,
                passes: sampler.unet_passes(),
            },
            work,
        )
    }

    fn unit(&self, name: &str, seed: u64, count: usize, key: String) -> Unit {
        Unit {
            name: name.to_owned(),
            folder: self.folder.join(name).join(format!("seed-{seed}")),
            key,
            count,
            chunks: batches::ranges(count, self.config.batch_size),
        }
    }

    /// The digest of what chunks are a function of.
    fn unit_key(&self, settings: &impl Serialize) -> String {
        /// Raised when chunks of an earlier version can no longer be used.
        const FORMAT: u32 = 2;
        let columns: Vec<_> = self.metrics.iter().flat_map(|m| m.columns()).collect();
        let common = (FORMAT, &self.key, self.shape(), self.config.batch_size);
        let text = serde_json::json!([common, columns, settings]).to_string();
        sha256_bytes(text.as_bytes())
    }
}

fn images_of(
    sampler: &dyn Sampler,
    noise: Tensor<4>,
    labels: Option<&[u32]>,
) -> Result<Tensor<4>, EvaluationError> {
    let images = sampler.images(noise, labels);
    images.map_err(|source| EvaluationError::Sample {
        name: sampler.name(),
        source,
    })
}

fn is_among(samplers: &[Candidate<'_>], endpoint: &Candidate<'_>) -> bool {
    samplers.iter().any(|sampler| sampler.key == endpoint.key)
}

/// Images per second of generation, from the median chunk of every seed.
fn images_per_second(units: &[Unit]) -> Result<f64, EvaluationError> {
    let mut seconds = Vec::new();
    for unit in units {
        seconds.extend(unit.seconds_per_image()?);
    }
    Ok(1.0 / median(&mut seconds))
}

/// The median (the upper one of two middle values).
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Work done and to do, in passes of the teacher's U-Net, and who watches it.
struct Work<'a> {
    done: f64,
    total: f64,
    observe: Observer<'a>,
}

impl Work<'_> {
    fn report(&mut self, name: &str) -> ControlFlow<()> {
        (self.observe)(&Progress {
            done: self.done,
            total: self.total,
            name,
        })
    }
}
