//! Settings of layers that networks of several families have.

use serde::{Deserialize, Serialize};

/// Settings of the temporal convolutions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemporalConvConfig {
    /// Fourier modes kept along time, the constant one included (`M`, at most `T/2 + 1`).
    pub n_modes: usize,
}

/// How an attention layer splits its channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Heads {
    /// This many heads, whatever the channels.
    Count(usize),
    /// Heads of this many channels each.
    Channels(usize),
}
