//! One sampler under one seed, in chunks that are stored as they are made.

use std::ops::Range;
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::thread::{self, ScopedJoinHandle};
use std::time::Instant;

use burn::tensor::Tensor;
use dsno_eval::{FeatureStatistics, Moments, paired};

use super::chunk::Chunk;
use super::{Clock, Extractor, Progressed};
use crate::failure::{Failure, While};
use crate::folder::RunFolder;
use crate::ledger::{Key, Ledger};
use crate::progress::Meter;
use crate::tensor::host;
use dsno_train::try_parallel_map;

/// What a unit is called, where it lies and how it is cut.
#[derive(Debug, Clone)]
pub(super) struct Unit {
    name: String,
    stage: String,
    key: Key,
    /// Below the run folder.
    below: PathBuf,
    folder: PathBuf,
    count: usize,
    chunk: usize,
}

/// How a unit's images are made and what is kept of them.
pub(super) struct Job<'a> {
    pub(super) generate: &'a (dyn Fn(Range<usize>) -> Result<Tensor<4>, Failure> + Sync),
    pub(super) extractor: &'a Extractor,
    /// The unit whose images these are compared with, one by one.
    pub(super) endpoint: Option<&'a Unit>,
    /// How many images are stored themselves.
    pub(super) keep_images: usize,
    /// Cost of one image.
    pub(super) passes: f64,
    /// Chunks to work on together.
    pub(super) workers: usize,
}

impl Unit {
    pub(super) fn new(
        run: &RunFolder,
        name: &str,
        seed: u64,
        count: usize,
        chunk: usize,
        key: Key,
    ) -> Self {
        let below = PathBuf::from("evaluate")
            .join(name)
            .join(format!("seed-{seed}"));
        Self {
            name: name.to_owned(),
            stage: format!("evaluate-{name}-seed-{seed}"),
            key,
            folder: run.join(&below),
            below,
            count,
            chunk,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn key(&self) -> &Key {
        &self.key
    }

    fn chunks(&self) -> impl Iterator<Item = Range<usize>> {
        let (count, chunk) = (self.count, self.chunk);
        (0..count.div_ceil(chunk)).map(move |i| i * chunk..((i + 1) * chunk).min(count))
    }

    fn path(&self, chunk: &Range<usize>) -> PathBuf {
        self.folder.join(format!("{:08}.npz", chunk.start))
    }

    /// Makes the chunks that are missing. Gives nothing back if the user asked to stop.
    pub(super) fn run(
        self,
        job: &Job<'_>,
        ledger: &Ledger,
        meter: &mut Meter,
        clock: &mut Clock,
    ) -> Progressed<Self> {
        let done = ledger.is_done(&self.stage, &self.key);
        if !done {
            ledger.begin(&self.stage, &self.key, std::slice::from_ref(&self.below))?;
            std::fs::create_dir_all(&self.folder)
                .while_doing(format!("cannot create {}", self.folder.display()))?;
        }
        // A chunk that cannot be read, whatever the reason, is made again.
        let (missing, made): (Vec<_>, Vec<_>) =
            self.chunks().partition(|chunk| self.read(chunk).is_err());
        clock.done += job.passes * made.iter().map(ExactSizeIterator::len).sum::<usize>() as f64;
        if !self.make_all(&missing, job, meter, clock)? {
            return Ok(None);
        }
        if !done {
            ledger.finish(
                &self.stage,
                &self.key,
                0.0,
                std::slice::from_ref(&self.below),
            )?;
        }
        Ok(Some(self))
    }

    /// Makes chunks, storing each while the next are made. Gives `false` back if the user asked to
    /// stop.
    fn make_all(
        &self,
        chunks: &[Range<usize>],
        job: &Job<'_>,
        meter: &mut Meter,
        clock: &mut Clock,
    ) -> Result<bool, Failure> {
        thread::scope(|scope| {
            let mut storing = None;
            for group in chunks.chunks(job.workers) {
                if meter.stop_requested() {
                    return joined(storing).and(Ok(false));
                }
                let made = try_parallel_map(group, |chunk| make(job, chunk))?;
                joined(storing)?;
                storing = Some(scope.spawn(move || self.store(group, made)));
                let images = group.iter().map(ExactSizeIterator::len).sum::<usize>();
                clock.done += job.passes * images as f64;
                meter.update(clock.done as u64, clock.total as u64, &self.name);
            }
            joined(storing).and(Ok(true))
        })
    }

    fn store(&self, chunks: &[Range<usize>], made: Vec<Chunk>) -> Result<(), Failure> {
        for (chunk, mut made) in chunks.iter().zip(made) {
            // Workers share the processors, so each image took only its share of the time.
            made.seconds /= chunks.len() as f64;
            made.write(&self.path(chunk))?;
        }
        Ok(())
    }

    fn read(&self, chunk: &Range<usize>) -> Result<Chunk, Failure> {
        Chunk::read(&self.path(chunk))
    }

    fn read_images(&self, chunk: &Range<usize>) -> Result<Vec<f32>, Failure> {
        if chunk.start >= self.count {
            return Ok(Vec::new());
        }
        Ok(self.read(&(chunk.start..chunk.end.min(self.count)))?.images)
    }

    /// Mean and covariance of the features.
    pub(super) fn moments(&self) -> Result<FeatureStatistics, Failure> {
        let mut moments: Option<Moments> = None;
        for chunk in self.chunks() {
            let chunk = self.read(&chunk)?;
            moments
                .get_or_insert_with(|| Moments::new(chunk.dim))
                .push_batch(&chunk.features)
                .while_doing(format!("summing up features of {}", self.name))?;
        }
        moments
            .unwrap_or_else(|| Moments::new(0))
            .finish()
            .while_doing(format!("summing up features of {}", self.name))
    }

    /// Errors of every pair: mean absolute difference and decibels.
    pub(super) fn paired(&self) -> Result<(Vec<f64>, Vec<f64>), Failure> {
        let (mut l1, mut psnr) = (Vec::new(), Vec::new());
        for chunk in self.chunks() {
            let chunk = self.read(&chunk)?;
            l1.extend(chunk.l1);
            psnr.extend(chunk.psnr);
        }
        Ok((l1, psnr))
    }

    /// Seconds that one image took, chunk by chunk.
    pub(super) fn seconds_per_image(&self) -> Result<Vec<f64>, Failure> {
        self.chunks()
            .map(|chunk| Ok(self.read(&chunk)?.seconds / chunk.len() as f64))
            .collect()
    }
}

/// Waits until what a thread stores is stored.
fn joined(storing: Option<ScopedJoinHandle<'_, Result<(), Failure>>>) -> Result<(), Failure> {
    storing.map_or(Ok(()), |thread| {
        thread.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}

/// Makes one chunk.
fn make(job: &Job<'_>, chunk: &Range<usize>) -> Result<Chunk, Failure> {
    let started = Instant::now();
    let images = (job.generate)(chunk.clone())?;
    let pixels: usize = images.dims()[1..].iter().product();
    // What a viewer would see: values outside the range of images are not an image.
    let images = images.clamp(-1.0, 1.0);
    let values = host(&images)?;
    let seconds = started.elapsed().as_secs_f64();
    let features = job.extractor.features(images)?;
    let dim = features.len() / chunk.len();
    let kept = job.keep_images.clamp(chunk.start, chunk.end) - chunk.start;
    let (mut l1, mut psnr) = (Vec::new(), Vec::new());
    if let Some(endpoint) = job.endpoint {
        let truth = endpoint.read_images(chunk)?;
        for (a, b) in values.chunks_exact(pixels).zip(truth.chunks_exact(pixels)) {
            l1.push(paired::l1(a, b).while_doing("comparing pairs")?);
            psnr.push(paired::psnr(a, b).while_doing("comparing pairs")?);
        }
    }
    let images = values[..kept * pixels].to_vec();
    Ok(Chunk {
        features,
        dim,
        images,
        l1,
        psnr,
        seconds,
    })
}
