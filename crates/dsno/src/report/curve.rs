//! Loss curves, from the `metrics.jsonl` of a training.

use std::path::Path;

use dsno_train::log::{Line, METRICS};

use super::chart::{Chart, Series};
use super::tensorboard;

/// The metrics of one training.
#[derive(Debug)]
pub(super) struct Curve {
    pub(super) name: String,
    lines: Vec<Line>,
}

impl Curve {
    /// Reads the metrics of a training, if it left any.
    pub(super) fn read(name: &str, folder: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(folder.join(METRICS)).ok()?;
        let lines: Vec<Line> = text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        (!lines.is_empty()).then(|| Self {
            name: name.to_owned(),
            lines,
        })
    }

    /// The chart, smoothed; losses of single times are labelled with `times`.
    pub(super) fn chart(&self, times: &[f64]) -> String {
        let count = self.lines[0].loss_per_time.len();
        let mut series = vec![self.series("loss".to_owned(), &|line| Some(line.loss))];
        for index in 0..count {
            let label = times
                .get(index)
                .map_or(format!("time {index}"), |t| format!("t = {t}"));
            series.push(self.series(label, &|line| line.loss_per_time.get(index).copied()));
        }
        Chart {
            title: format!("Loss of {}", self.name),
            x_label: "images seen".to_owned(),
            y_label: "loss".to_owned(),
            log_y: true,
            series,
        }
        .svg()
    }

    fn series(&self, label: String, value: &dyn Fn(&Line) -> Option<f64>) -> Series {
        let points = |line: &Line| Some((line.images as f64, value(line)?));
        let points: Vec<_> = self.lines.iter().filter_map(points).collect();
        Series {
            label,
            points: smooth(&points),
        }
    }

    /// The same figures as a TensorBoard event file.
    pub(super) fn events(&self) -> Vec<u8> {
        let count = self.lines[0].loss_per_time.len();
        let tags: Vec<String> = (0..count)
            .map(|index| format!("loss/time_{index}"))
            .collect();
        tensorboard::events(self.lines.iter().flat_map(|line| {
            let whole = [("loss", line.loss), ("learning_rate", line.learning_rate)];
            let parts = tags
                .iter()
                .map(String::as_str)
                .zip(line.loss_per_time.iter().copied());
            whole
                .into_iter()
                .chain(parts)
                .map(|(tag, value)| (tag, line.images, value))
        }))
    }
}

/// A running mean over a fiftieth of the curve, so that the trend shows.
fn smooth(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let window = (points.len() / 50).max(1);
    let mean = |part: &[(f64, f64)]| part.iter().map(|p| p.1).sum::<f64>() / part.len() as f64;
    points
        .windows(window)
        .map(|part| (part[window - 1].0, mean(part)))
        .collect()
}
