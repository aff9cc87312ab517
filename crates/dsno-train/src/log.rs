//! The metrics log: one JSON object per line, in the order of images.

use std::fs;
use std::io::Write;
use std::path::Path;

use dsno_checkpoint::atomic::{WriteError, write_atomic};
use serde::{Deserialize, Serialize};

/// Name of the log in its folder.
pub const METRICS: &str = "metrics.jsonl";

/// Means over the steps since the last line.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    steps: u64,
    loss: f64,
    loss_per_time: Vec<f64>,
}

impl Interval {
    /// Adds one step.
    pub(crate) fn add(&mut self, loss: f64, loss_per_time: &[f64]) {
        self.steps += 1;
        self.loss += loss;
        self.loss_per_time.resize(loss_per_time.len(), 0.0);
        for (sum, value) in self.loss_per_time.iter_mut().zip(loss_per_time) {
            *sum += value;
        }
    }

    /// The line of this interval, which starts anew.
    pub(crate) fn take(&mut self, images: u64, learning_rate: f64) -> Line {
        let sums = std::mem::take(self);
        let mean = |sum: f64| sum / sums.steps as f64;
        Line {
            images,
            loss: mean(sums.loss),
            loss_per_time: sums.loss_per_time.into_iter().map(mean).collect(),
            learning_rate,
        }
    }
}

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Images seen.
    pub images: u64,
    /// Mean loss since the line before.
    pub loss: f64,
    /// Mean unweighted distance per time since the line before; empty for teachers.
    pub loss_per_time: Vec<f64>,
    /// Learning rate of the newest step.
    pub learning_rate: f64,
}

/// Drops what a killed run logged after the checkpoint that it is resumed from.
pub(crate) fn truncate(folder: &Path, images: u64) -> Result<(), WriteError> {
    let path = folder.join(METRICS);
    let text = fs::read_to_string(&path).unwrap_or_default();
    let kept: String = text
        .lines()
        .take_while(|line| serde_json::from_str::<Line>(line).is_ok_and(|l| l.images <= images))
        .flat_map(|line| [line, "\n"])
        .collect();
    write_atomic(path, kept.as_bytes())
}

/// Appends a line.
pub(crate) fn append(folder: &Path, line: &Line) -> Result<(), WriteError> {
    let path = folder.join(METRICS);
    let mut text = serde_json::to_string(line).expect("invariant: lines are plain numbers");
    text.push('\n');
    let file = fs::OpenOptions::new().create(true).append(true).open(&path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|source| WriteError::Write { path, source })
}
