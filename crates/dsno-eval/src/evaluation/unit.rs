//! The images of one sampler under one seed, in chunks that are stored as they are made.

use std::fs;
use std::io::ErrorKind;
use std::ops::{ControlFlow, Range};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread::{self, ScopedJoinHandle};
use std::time::Instant;

use burn::tensor::{Tensor, TensorData};
use dsno_checkpoint::atomic::write_atomic;
use dsno_model::batches::in_parallel;

use super::chunk::{self, Chunk};
use super::figure::failed;
use super::{EvaluationError, Evaluator, Work};
use crate::host::to_host;
use crate::metric::{FeatureSet, Measure};

/// Name of the file that says of what the chunks beside it are a function.
const KEY: &str = "key.txt";

/// What a unit is called, where it lies and how it is cut.
#[derive(Debug, Clone)]
pub(super) struct Unit {
    pub(super) name: String,
    pub(super) folder: PathBuf,
    pub(super) key: String,
    pub(super) count: usize,
    pub(super) chunks: Vec<Range<usize>>,
}

/// How a unit's images are made and what is kept of them.
pub(super) struct Job<'a> {
    pub(super) evaluator: &'a Evaluator<'a>,
    pub(super) generate: &'a (dyn Fn(Range<usize>) -> Result<Tensor<4>, EvaluationError> + Sync),
    /// The unit whose images these are compared with, one by one.
    pub(super) endpoint: Option<&'a Unit>,
    /// How many images are stored themselves.
    pub(super) keep_images: usize,
    /// Cost of one image.
    pub(super) passes: f64,
}

impl Unit {
    fn path(&self, chunk: &Range<usize>) -> PathBuf {
        self.folder.join(format!("{:08}.npz", chunk.start))
    }

    /// Makes the chunks that are missing or damaged.
    pub(super) fn run(self, job: &Job<'_>, work: &mut Work<'_>) -> Result<Self, EvaluationError> {
        claim(&self.folder, &self.key)?;
        let chunks = self.chunks.iter().cloned();
        let (made, missing): (Vec<_>, Vec<_>) =
            chunks.partition(|chunk| chunk::is_whole(&self.path(chunk)));
        work.done += job.passes * images(&made);
        if work.report(&self.name).is_break() || self.make_all(&missing, job, work)?.is_break() {
            return Err(EvaluationError::Stopped);
        }
        Ok(self)
    }

    /// Makes chunks, storing each group while the next is made.
    fn make_all(
        &self,
        chunks: &[Range<usize>],
        job: &Job<'_>,
        work: &mut Work<'_>,
    ) -> Result<ControlFlow<()>, EvaluationError> {
        thread::scope(|scope| {
            let mut storing = None;
            let outcome = in_parallel(
                chunks,
                job.evaluator.config.workers,
                |chunk| job.make(chunk),
                |group, made| {
                    joined(storing.take())?;
                    storing = Some(scope.spawn(move || self.store(group, made)));
                    work.done += job.passes * images(group);
                    Ok(work.report(&self.name))
                },
            );
            joined(storing).and(outcome)
        })
    }

    fn store(&self, chunks: &[Range<usize>], made: Vec<Chunk>) -> Result<(), EvaluationError> {
        for (chunk, mut made) in chunks.iter().zip(made) {
            // Workers share the processors, so each image took only its share of the time.
            made.seconds /= chunks.len() as f64;
            made.write(&self.path(chunk))?;
        }
        Ok(())
    }

    /// The features of all images.
    pub(super) fn feature_set(&self) -> FeatureSet<'_> {
        FeatureSet::from_parts(|visit| {
            self.chunks.iter().try_for_each(|chunk| {
                let (dim, rows) = chunk::features(&self.path(chunk))?;
                visit(dim, &rows)
            })
        })
    }

    /// What a metric found for each pair; nothing without an endpoint.
    pub(super) fn pairs(&self, metric: &str) -> Result<Vec<f64>, EvaluationError> {
        let mut values = Vec::new();
        for chunk in &self.chunks {
            values.extend(chunk::pairs(&self.path(chunk), metric)?);
        }
        Ok(values)
    }

    /// Seconds that one image took, chunk by chunk.
    pub(super) fn seconds_per_image(&self) -> Result<Vec<f64>, EvaluationError> {
        self.chunks
            .iter()
            .map(|chunk| Ok(chunk::seconds(&self.path(chunk))? / chunk.len() as f64))
            .collect()
    }
}

impl Job<'_> {
    /// Makes one chunk.
    fn make(&self, chunk: &Range<usize>) -> Result<Chunk, EvaluationError> {
        let started = Instant::now();
        let images = (self.generate)(chunk.clone())?;
        let [_, c, h, w] = images.dims();
        // What a viewer would see: values outside the range of images are not an image.
        let images = images.clamp(-1.0, 1.0);
        let values = to_host(images.clone())?;
        let seconds = started.elapsed().as_secs_f64();
        let features = self.evaluator.features.extract(images.clone())?;
        let dim = features.dims()[1];
        let kept = self.keep_images.clamp(chunk.start, chunk.end) - chunk.start;
        let targets = match self.endpoint {
            Some(endpoint) if chunk.start < endpoint.count => chunk::images(&endpoint.path(chunk))?,
            _ => Vec::new(),
        };
        let paired = targets.len() / (c * h * w);
        let targets = TensorData::new(targets, [paired, c, h, w]);
        let mut pairs = Vec::new();
        for metric in self.evaluator.metrics {
            let Measure::Pairs(measure) = metric.measure() else {
                continue;
            };
            let mut found = Vec::new();
            if paired > 0 {
                let targets = Tensor::from_data(targets.clone(), &images.device());
                let values = measure.compare(images.clone().narrow(0, 0, paired), targets);
                found = values.map_err(|source| failed(*metric, "pairs", source))?;
            }
            pairs.push((metric.name(), found));
        }
        Ok(Chunk {
            features: to_host(features)?,
            dim,
            images: values[..kept * c * h * w].to_vec(),
            pairs,
            seconds,
        })
    }
}

fn images(chunks: &[Range<usize>]) -> f64 {
    chunks.iter().map(ExactSizeIterator::len).sum::<usize>() as f64
}

/// Prepares a folder for chunks under `key`; those of another key are removed.
fn claim(folder: &Path, key: &str) -> Result<(), EvaluationError> {
    let path = folder.join(KEY);
    if fs::read_to_string(&path).is_ok_and(|found| found == key) {
        return Ok(());
    }
    let absent_is_fine = |result: std::io::Result<()>| match result {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    // The key goes first, so that a process that dies in between leaves chunks of no key.
    absent_is_fine(fs::remove_file(&path))
        .and_then(|()| absent_is_fine(fs::remove_dir_all(folder)))
        .and_then(|()| fs::create_dir_all(folder))
        .map_err(|source| EvaluationError::Folder {
            path: folder.to_path_buf(),
            source,
        })?;
    Ok(write_atomic(&path, key.as_bytes())?)
}

/// Waits until what a thread stores is stored.
fn joined(
    storing: Option<ScopedJoinHandle<'_, Result<(), EvaluationError>>>,
) -> Result<(), EvaluationError> {
    storing.map_or(Ok(()), |thread| {
        thread.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}
