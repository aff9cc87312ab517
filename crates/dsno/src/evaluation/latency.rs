//! How long one image takes when nothing else is asked for.

use std::path::PathBuf;
use std::time::Instant;

use burn::tensor::Tensor;
use dsno_data::noise::{self, Stream};

use super::{Candidate, Evaluator, figure};
use crate::failure::Failure;
use crate::json::write_json;
use crate::ledger::Key;

impl Evaluator<'_> {
    /// Median seconds of one image at batch 1, after one call to warm up.
    pub(super) fn latency(&self, candidate: &Candidate<'_>) -> Result<f64, Failure> {
        let name = format!("evaluate-{}-latency", candidate.sampler.name());
        let key = Key::of("latency", &(), &[&self.common, &candidate.key]);
        let output = PathBuf::from(format!(
            "evaluate/{}/latency.json",
            candidate.sampler.name()
        ));
        if self.ledger.is_done(&name, &key)
            && let Ok(bytes) = std::fs::read(self.folder.join(&output))
            && let Ok(seconds) = serde_json::from_slice(&bytes)
        {
            return Ok(seconds);
        }
        self.ledger
            .begin(&name, &key, std::slice::from_ref(&output))?;
        let shape = [
            self.images.channels(),
            self.images.height(),
            self.images.width(),
        ];
        let mut seconds = Vec::new();
        for index in 0..=self.settings.latency_repeats as u64 {
            let range = index..index + 1;
            let noise = noise::batch_of(Stream::HeldOutNoise, 0, range.clone(), shape, self.device);
            let labels = self.labels(0, range);
            let started = Instant::now();
            wait(&candidate.sampler.images(noise, labels.as_deref())?);
            seconds.push(started.elapsed().as_secs_f64());
        }
        let seconds = figure::median(&mut seconds[1..]);
        write_json(&self.folder.join(&output), &seconds)?;
        self.ledger.finish(&name, &key, 0.0, &[output])?;
        Ok(seconds)
    }

    pub(super) fn data_latency(&self) -> f64 {
        let mut seconds: Vec<f64> = (0..self.settings.latency_repeats)
            .map(|index| {
                let started = Instant::now();
                wait(&self.images.batch(&[index % self.images.len()], self.device));
                started.elapsed().as_secs_f64()
            })
            .collect();
        figure::median(&mut seconds)
    }
}

/// Waits until a tensor has been computed.
fn wait(images: &Tensor<4>) {
    let _values = images.clone().into_data();
}
