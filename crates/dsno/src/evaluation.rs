//! Measures samplers: distance to real images, error against the teacher, speed.
//!
//! Every sampler gets the same held-out noise, numbers that no training sees. A unit of work is one
//! sampler under one seed; it is cut into chunks whose features are stored, so a restart repeats at
//! most one chunk and memory does not grow with the number of samples.

mod chunk;
mod feature;
mod figure;
mod latency;
mod unit;

use burn::tensor::Device;
use dsno_data::ImageSet;
use dsno_data::noise::{self, Stream};
use dsno_data::order::epoch_order;

pub(crate) use feature::Extractor;
pub(crate) use figure::{Evaluation, FILE, Measured};

use figure::FrechetFigure;
use unit::{Job, Unit};

use crate::experiment::EvaluateSettings;
use crate::failure::Failure;
use crate::folder::RunFolder;
use crate::ledger::{Key, Ledger};
use crate::progress::Meter;
use dsno_model::Sampler;

/// A sampler and the key of all that its images are a function of.
pub(crate) struct Candidate<'a> {
    pub(crate) sampler: Box<dyn Sampler + 'a>,
    pub(crate) key: Key,
}

/// All that an evaluation needs.
pub(crate) struct Evaluator<'a> {
    pub(crate) settings: &'a EvaluateSettings,
    pub(crate) candidates: Vec<Candidate<'a>>,
    /// The teacher as the student saw it; what paired errors are measured against.
    pub(crate) endpoint: Option<Candidate<'a>>,
    pub(crate) images: &'a ImageSet,
    pub(crate) images_key: &'a Key,
    pub(crate) classes: usize,
    pub(crate) extractor: &'a Extractor,
    pub(crate) device: &'a Device,
    /// Chunks to work on together.
    pub(crate) workers: usize,
    pub(crate) folder: &'a RunFolder,
    pub(crate) ledger: &'a Ledger,
    /// Settings and device, which every unit depends on.
    pub(crate) common: Key,
}

/// The evaluation, or nothing if the user asked to stop.
pub(crate) type Progressed<T> = Result<Option<T>, Failure>;

impl Evaluator<'_> {
    /// Does what is left to do and sums up.
    pub(crate) fn run(&self, meter: &mut Meter) -> Progressed<Evaluation> {
        let mut clock = Clock {
            done: 0.0,
            total: self.total_passes(),
        };
        let settings = self.settings;
        let mut measured: Vec<Measured> = Vec::new();
        let mut references = Vec::new();
        let mut floors = Vec::new();
        for &seed in &settings.seeds {
            let (first, rest) = self.split(seed);
            let Some(floor) = self.real("data", seed, &first, meter, &mut clock)? else {
                return Ok(None);
            };
            let Some(reference) = self.real("reference", seed, &rest, meter, &mut clock)? else {
                return Ok(None);
            };
            floors.push(floor);
            references.push(reference.moments()?);
        }
        let mut endpoints = Vec::new();
        if let Some(endpoint) = &self.endpoint {
            for &seed in &settings.seeds {
                let count = if self.is_candidate(endpoint) {
                    settings.samples
                } else {
                    settings.paired
                };
                let unit = self.sampled(endpoint, seed, count, None, meter, &mut clock)?;
                let Some(unit) = unit else { return Ok(None) };
                endpoints.push(unit);
            }
        }
        for candidate in &self.candidates {
            let is_endpoint = self
                .endpoint
                .as_ref()
                .is_some_and(|e| e.key == candidate.key);
            let mut units = Vec::new();
            for (index, &seed) in settings.seeds.iter().enumerate() {
                let unit = match endpoints.get(index) {
                    // Made already, as what the others are compared with.
                    Some(made) if is_endpoint => Some(made.clone()),
                    endpoint => self.sampled(
                        candidate,
                        seed,
                        settings.samples,
                        endpoint,
                        meter,
                        &mut clock,
                    )?,
                };
                let Some(unit) = unit else { return Ok(None) };
                units.push(unit);
            }
            let latency = self.latency(candidate)?;
            let frechet = self.frechet(&units, &references)?;
            measured.push(Measured {
                name: candidate.sampler.name(),
                nfe: candidate.sampler.nfe(),
                unet_passes: candidate.sampler.unet_passes(),
                images_per_second: rate(&units)?,
                latency_seconds: latency,
                frechet,
                paired: figure::paired(&units)?,
            });
        }
        measured.push(Measured {
            name: "data".to_owned(),
            nfe: 0,
            unet_passes: 0.0,
            images_per_second: rate(&floors)?,
            latency_seconds: self.data_latency(),
            frechet: self.frechet(&floors, &references)?,
            paired: None,
        });
        Ok(Some(Evaluation {
            space: self.extractor.space(),
            samplers: measured,
        }))
    }

    fn frechet(
        &self,
        units: &[Unit],
        references: &[dsno_eval::FeatureStatistics],
    ) -> Result<FrechetFigure, Failure> {
        figure::frechet(
            &self.extractor.space(),
            &self.settings.seeds,
            units,
            references,
        )
    }

    /// Real images for the floor, and the others, which every sampler is compared with.
    fn split(&self, seed: u64) -> (Vec<usize>, Vec<usize>) {
        let len = self.images.len();
        let order: Vec<usize> = epoch_order(seed, 0, len)
            .into_iter()
            .map(|i| i as usize)
            .collect();
        let (first, rest) = order.split_at(self.settings.samples.min(len / 2));
        (first.to_vec(), rest.to_vec())
    }

    fn is_candidate(&self, endpoint: &Candidate<'_>) -> bool {
        self.candidates
            .iter()
            .any(|candidate| candidate.key == endpoint.key)
    }

    fn total_passes(&self) -> f64 {
        let passes = |candidate: &Candidate<'_>, samples: usize| {
            candidate.sampler.unet_passes() * samples as f64
        };
        let endpoint = self.endpoint.iter().filter(|e| !self.is_candidate(e));
        let per_seed: f64 = endpoint
            .map(|e| passes(e, self.settings.paired))
            .chain(
                self.candidates
                    .iter()
                    .map(|c| passes(c, self.settings.samples)),
            )
            .sum();
        per_seed * self.settings.seeds.len() as f64
    }

    fn real(
        &self,
        name: &str,
        seed: u64,
        indices: &[usize],
        meter: &mut Meter,
        clock: &mut Clock,
    ) -> Progressed<Unit> {
        let key = Key::of("real", &(name, seed), &[&self.common, self.images_key]);
        let unit = self.unit(name, seed, indices.len(), key);
        let job = Job {
            generate: &|range| Ok(self.images.batch(&indices[range], self.device)),
            extractor: self.extractor,
            endpoint: None,
            keep_images: 0,
            passes: 0.0,
            workers: self.workers,
        };
        unit.run(&job, self.ledger, meter, clock)
    }

    fn sampled(
        &self,
        candidate: &Candidate<'_>,
        seed: u64,
        count: usize,
        endpoint: Option<&Unit>,
        meter: &mut Meter,
        clock: &mut Clock,
    ) -> Progressed<Unit> {
        let sampler = &candidate.sampler;
        let is_endpoint = self
            .endpoint
            .as_ref()
            .is_some_and(|e| e.key == candidate.key);
        let inputs: Vec<&Key> = [&self.common, &candidate.key]
            .into_iter()
            .chain(endpoint.map(Unit::key))
            .collect();
        let key = Key::of("sampled", &(seed, count), &inputs);
        let is_extra = is_endpoint && !self.is_candidate(candidate);
        let name = if is_extra {
            "endpoint".to_owned()
        } else {
            sampler.name()
        };
        let unit = self.unit(&name, seed, count, key);
        let shape = [
            self.images.channels(),
            self.images.height(),
            self.images.width(),
        ];
        let job = Job {
            generate: &|range| {
                let (start, end) = (range.start as u64, range.end as u64);
                let noise =
                    noise::batch_of(Stream::HeldOutNoise, seed, start..end, shape, self.device);
                let labels = self.labels(seed, start..end);
                Ok(sampler.images(noise, labels.as_deref())?)
            },
            extractor: self.extractor,
            endpoint,
            keep_images: if is_endpoint { self.settings.paired } else { 0 },
            passes: sampler.unet_passes(),
            workers: self.workers,
        };
        unit.run(&job, self.ledger, meter, clock)
    }

    fn labels(&self, seed: u64, indices: std::ops::Range<u64>) -> Option<Vec<u32>> {
        let classes = u32::try_from(self.classes)
            .ok()
            .filter(|classes| *classes > 0)?;
        Some(
            indices
                .map(|index| noise::label(seed, index, classes))
                .collect(),
        )
    }

    fn unit(&self, name: &str, seed: u64, count: usize, key: Key) -> Unit {
        Unit::new(
            self.folder,
            name,
            seed,
            count,
            self.settings.batch_size,
            key,
        )
    }
}

/// Images per second of generation, from the median chunk of every seed.
fn rate(units: &[Unit]) -> Result<f64, Failure> {
    let mut seconds = Vec::new();
    for unit in units {
        seconds.extend(unit.seconds_per_image()?);
    }
    Ok(1.0 / figure::median(&mut seconds))
}

/// Work done and to do, in passes of the teacher's U-Net.
pub(crate) struct Clock {
    pub(crate) done: f64,
    pub(crate) total: f64,
}
