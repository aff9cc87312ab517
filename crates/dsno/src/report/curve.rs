//! Loss curves, from the `metrics.jsonl` of a training.

use std::path::Path;

use serde::Deserialize;

use super::chart::{Chart, Series};

/// The part of a line that is drawn; a line may have more.
#[derive(Debug, Deserialize)]
struct Line {
    images: u64,
    loss: f64,
    #[serde(default)]
    loss_per_time: Vec<f64>,
}

/// The chart of one training, or nothing if it left no metrics.
pub(super) fn chart(name: &str, folder: &Path, times: &[f64]) -> String {
    let Ok(text) = std::fs::read_to_string(folder.join("metrics.jsonl")) else {
        return String::new();
    };
    // The last line of a file that is still being written may be cut off.
    let lines: Vec<Line> = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let curve = |label: String, value: &dyn Fn(&Line) -> Option<f64>| Series {
        label,
        points: smooth(&points(&lines, value)),
    };
    let count = lines.first().map_or(0, |line| line.loss_per_time.len());
    let mut series = vec![curve("loss".to_owned(), &|line| Some(line.loss))];
    for index in 0..count {
        let label = times
            .get(index)
            .map_or(format!("time {index}"), |t| format!("t = {t}"));
        series.push(curve(label, &|line| line.loss_per_time.get(index).copied()));
    }
    Chart {
        title: format!("Loss of {name}"),
        x_label: "images seen".to_owned(),
        y_label: "loss".to_owned(),
        log_y: true,
        series,
    }
    .svg()
}

fn points(lines: &[Line], value: &dyn Fn(&Line) -> Option<f64>) -> Vec<(f64, f64)> {
    lines
        .iter()
        .filter_map(|line| Some((line.images as f64, value(line)?)))
        .collect()
}

/// A running mean over a fiftieth of the curve, so that the trend shows.
fn smooth(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let window = (points.len() / 50).max(1);
    points
        .windows(window)
        .map(|w| {
            (
                w[w.len() - 1].0,
                w.iter().map(|p| p.1).sum::<f64>() / w.len() as f64,
            )
        })
        .collect()
}
