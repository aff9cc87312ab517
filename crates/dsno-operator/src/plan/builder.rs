//! Lays layers out one after the other, keeping track of channels, sizes and skip connections.

use dsno_kernels::Resample;

use super::{Kind, Path, Stage};
use crate::check::{check_groups, check_heads};
use crate::config_error::ConfigError;
use crate::layout::QkvOrder;

/// The list of layers so far.
#[derive(Debug)]
pub(crate) struct Builder {
    stages: Vec<Stage>,
    /// Channels that come out of the newest layer.
    pub(crate) channels: usize,
    /// Side of the maps that come out of it, in pixels.
    pub(crate) size: usize,
    /// Channels of the skip connections.
    skips: Vec<usize>,
}

/// Options of an attention layer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AttentionOptions {
    pub(crate) heads: usize,
    pub(crate) order: QkvOrder,
    pub(crate) groups: Option<usize>,
    pub(crate) scale: f64,
}

/// Options of a residual block.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ResidualOptions {
    pub(crate) resample: Resample,
    pub(crate) scale: f64,
    /// Pops a skip connection.
    pub(crate) pops: bool,
    /// Puts a 1×1 convolution on the shortcut also where the size changes and channels do not.
    pub(crate) projects: bool,
}

impl ResidualOptions {
    /// A block that keeps the size and joins no skip connection.
    pub(crate) const PLAIN: Self = Self {
        resample: Resample::Keep,
        scale: 1.0,
        pops: false,
        projects: false,
    };

    pub(crate) const fn popping() -> Self {
        Self {
            pops: true,
            ..Self::PLAIN
        }
    }

    pub(crate) const fn resampling(resample: Resample) -> Self {
        Self {
            resample,
            ..Self::PLAIN
        }
    }
}

impl Builder {
    /// Starts behind the stem, whose result is a skip connection.
    pub(crate) fn new(channels: usize, size: usize) -> Self {
        Self {
            stages: Vec::new(),
            channels,
            size,
            skips: vec![channels],
        }
    }

    /// A residual block whose normalisations have `groups(channels)` groups.
    pub(crate) fn residual(
        &mut self,
        name: String,
        channels_out: usize,
        groups: impl Fn(usize) -> usize,
        options: ResidualOptions,
    ) -> Result<(), ConfigError> {
        let ResidualOptions {
            resample,
            scale,
            pops,
            projects,
        } = options;
        let skip = if pops { self.pop() } else { 0 };
        let channels = [self.channels + skip, channels_out];
        for channels in channels {
            let place = || self.place(&name, "a residual block");
            check_groups(place, channels, groups(channels))?;
        }
        self.resize(resample);
        self.channels = channels_out;
        let kind = Kind::Residual {
            channels,
            groups: channels.map(groups),
            resample,
            shortcut: channels[0] != channels[1] || (projects && resample != Resample::Keep),
            scale,
        };
        let path = Path::Main {
            pops,
            pushes: false,
        };
        self.push(name, kind, path);
        Ok(())
    }

    pub(crate) fn attention(
        &mut self,
        name: String,
        options: AttentionOptions,
    ) -> Result<(), ConfigError> {
        let channels = self.channels;
        let AttentionOptions {
            heads,
            order,
            groups,
            scale,
        } = options;
        let place = || self.place(&name, "attention");
        check_heads(place, channels, heads)?;
        if let Some(groups) = groups {
            check_groups(place, channels, groups)?;
        }
        let kind = Kind::Attention {
            channels,
            heads,
            groups,
            scale,
            order,
        };
        self.push(name, kind, Path::MAIN);
        Ok(())
    }

    /// Halves the size between blocks.
    pub(crate) fn down(&mut self, name: String, padding: Option<(usize, usize)>) {
        let channels = self.channels;
        self.resize(Resample::Halve);
        self.push(name, Kind::Down { channels, padding }, Path::MAIN);
    }

    /// Doubles the size between blocks.
    pub(crate) fn up(&mut self, name: String, conv: bool) {
        let channels = self.channels;
        self.resize(Resample::Double);
        self.push(name, Kind::Up { channels, conv }, Path::MAIN);
    }

    /// A layer off the main path; the size is that of the main path.
    pub(crate) fn beside(&mut self, name: String, kind: Kind, path: Path) {
        self.push(name, kind, path);
    }

    /// Says that the newest layer ends a block, behind which an operator mixes times.
    pub(crate) fn end_block(&mut self) {
        self.newest().ends_block = true;
    }

    /// Pushes what the newest layer gives as a skip connection.
    pub(crate) fn push_skip(&mut self) {
        if let Path::Main { pushes, .. } = &mut self.newest().path {
            *pushes = true;
        }
        self.skips.push(self.channels);
    }

    /// The finished list.
    pub(crate) fn finish(self) -> Vec<Stage> {
        debug_assert!(self.skips.is_empty());
        self.stages
    }

    fn pop(&mut self) -> usize {
        let skip = self.skips.pop();
        skip.expect("invariant: as many skip connections pushed as popped")
    }

    fn newest(&mut self) -> &mut Stage {
        let newest = self.stages.last_mut();
        newest.expect("invariant: called after a layer was laid out")
    }

    fn resize(&mut self, resample: Resample) {
        self.size = match resample {
            Resample::Keep => self.size,
            Resample::Halve => self.size / 2,
            Resample::Double => self.size * 2,
        };
    }

    fn place(&self, name: &str, what: &str) -> String {
        if name.is_empty() {
            format!("{what} at size {}", self.size)
        } else {
            name.to_owned()
        }
    }

    fn push(&mut self, name: String, kind: Kind, path: Path) {
        self.stages.push(Stage {
            name,
            kind,
            size: self.size,
            path,
            ends_block: false,
        });
    }
}
