//! Counts of parameters and multiply-adds, read off the plan.

use crate::architecture::Architecture;
use crate::plan::{Kind, Plan};

impl Plan {
    /// Trainable numbers of the whole network.
    pub(crate) fn parameters(&self, arch: &Architecture) -> usize {
        let (base, e) = (arch.base_channels, arch.embedding_channels);
        let embedding = dense(base, e) + dense(e, e);
        let classes = if arch.classes > 0 {
            dense(arch.classes, e)
        } else {
            0
        };
        let layers: usize = self
            .stages
            .iter()
            .map(|stage| layer_parameters(stage.kind, e))
            .sum();
        let stem = conv3(arch.image_channels, base);
        let head = norm(self.last_channels) + conv3(self.last_channels, arch.image_channels);
        embedding + classes + stem + layers + head
    }

    /// Multiply-adds of one forward pass of one sample at `times` times.
    pub(crate) fn multiply_adds(&self, arch: &Architecture, times: usize) -> u64 {
        let pixels = (arch.image_size * arch.image_size) as u64;
        let e = arch.embedding_channels as u64;
        let base = arch.base_channels as u64;
        let per_time: u64 = self
            .stages
            .iter()
            .filter(|stage| !matches!(stage.kind, Kind::Temporal { .. }))
            .map(|stage| layer_multiply_adds(stage.kind, stage.size, e))
            .sum::<u64>()
            + base * e
            + e * e
            + 9 * pixels * self.last_channels as u64 * arch.image_channels as u64;
        let temporal: u64 = self
            .stages
            .iter()
            .map(|s| temporal_multiply_adds(s.kind, s.size, times))
            .sum();
        let stem = 9 * pixels * arch.image_channels as u64 * base;
        let class = (arch.classes as u64).min(1) * arch.classes as u64 * e;
        stem + class + per_time * times as u64 + temporal
    }
}

fn dense(channels_in: usize, channels_out: usize) -> usize {
    (channels_in + 1) * channels_out
}

fn conv3(channels_in: usize, channels_out: usize) -> usize {
    (9 * channels_in + 1) * channels_out
}

fn norm(channels: usize) -> usize {
    2 * channels
}

fn layer_parameters(kind: Kind, embedding: usize) -> usize {
    match kind {
        Kind::Residual {
            channels_in,
            channels_out,
            ..
        } => {
            let shortcut = if channels_in == channels_out {
                0
            } else {
                dense(channels_in, channels_out)
            };
            norm(channels_in)
                + conv3(channels_in, channels_out)
                + dense(embedding, 2 * channels_out)
                + norm(channels_out)
                + conv3(channels_out, channels_out)
                + shortcut
        }
        Kind::Attention { channels, .. } => {
            norm(channels) + dense(channels, 3 * channels) + dense(channels, channels)
        }
        Kind::Temporal { channels, n_modes } => 2 * n_modes * channels * channels,
    }
}

fn layer_multiply_adds(kind: Kind, size: usize, embedding: u64) -> u64 {
    let pixels = (size * size) as u64;
    match kind {
        Kind::Residual {
            channels_in,
            channels_out,
            ..
        } => {
            let (i, o) = (channels_in as u64, channels_out as u64);
            let shortcut = if i == o { 0 } else { i * o * pixels };
            9 * (i + o) * o * pixels + shortcut + 2 * o * embedding
        }
        Kind::Attention { channels, .. } => {
            let c = channels as u64;
            4 * c * c * pixels + 2 * c * pixels * pixels
        }
        Kind::Temporal { .. } => 0,
    }
}

/// Channel mixing of the kept modes, a complex product counted as four real ones.
///
/// This is the published count. The real form needs `4M − 3` products instead of `4M`, and two small
/// transforms that are not counted.
fn temporal_multiply_adds(kind: Kind, size: usize, times: usize) -> u64 {
    let Kind::Temporal { channels, n_modes } = kind else {
        return 0;
    };
    let modes = n_modes.min(times / 2 + 1) as u64;
    4 * modes * (channels * channels * size * size) as u64
}
