//! How long one image takes when nothing else is asked for.

use std::fs;
use std::time::Instant;

use burn::tensor::Tensor;
use dsno_checkpoint::atomic::write_atomic;
use dsno_model::Sampler;

use super::{Candidate, EvaluationError, Evaluator, images_of, median};

impl Evaluator<'_> {
    /// Median seconds of one image at batch size 1, after one call to warm up; measured once for a
    /// key.
    pub(super) fn latency(&self, candidate: &Candidate<'_>) -> Result<f64, EvaluationError> {
        let sampler: &dyn Sampler = candidate.sampler;
        let repeats = self.config.latency_repeats;
        let key = self.unit_key(&("latency", repeats, &candidate.key));
        let folder = self.folder.join(sampler.name());
        let path = folder.join("latency.json");
        let known = fs::read(&path).ok();
        let known = known.and_then(|bytes| serde_json::from_slice::<(String, f64)>(&bytes).ok());
        if let Some((_, seconds)) = known.filter(|(found, _)| *found == key) {
            return Ok(seconds);
        }
        let inputs = self.inputs(0);
        let mut seconds = Vec::new();
        for index in 0..=repeats {
            let range = index..index + 1;
            let (noise, labels) = (inputs.noise(range.clone()), inputs.labels(range));
            let started = Instant::now();
            wait(&images_of(sampler, noise, labels.as_deref())?);
            seconds.push(started.elapsed().as_secs_f64());
        }
        let seconds = median(&mut seconds[1..]);
        fs::create_dir_all(&folder).map_err(|source| EvaluationError::Folder {
            path: folder,
            source,
        })?;
        let text = serde_json::json!([key, seconds]).to_string();
        write_atomic(&path, text.as_bytes())?;
        Ok(seconds)
    }

    pub(super) fn data_latency(&self) -> f64 {
        let mut seconds: Vec<f64> = (0..self.config.latency_repeats)
            .map(|index| {
                let started = Instant::now();
                wait(&self.images.batch(&[index % self.images.len()], self.device));
                started.elapsed().as_secs_f64()
            })
            .collect();
        median(&mut seconds)
    }
}

/// Waits until a tensor has been computed.
fn wait(images: &Tensor<4>) {
    let _values = images.clone().into_data();
}
