//! The order of layers, from which networks, names and costs follow.

use crate::config::{UNetConfig, UNetConfigError};

/// Layers of a network in the order in which they run, the embedding apart.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) stages: Vec<Stage>,
    /// Channels that reach the output normalisation.
    pub(crate) last_channels: usize,
}

/// One layer and what surrounds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stage {
    pub(crate) kind: Kind,
    /// Side of the feature maps that come out, in pixels.
    pub(crate) size: usize,
    /// The newest remembered map is concatenated behind the input.
    pub(crate) takes_skip: bool,
    /// The result is remembered for the way up.
    pub(crate) leaves_skip: bool,
}

/// What a layer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Residual {
        channels_in: usize,
        channels_out: usize,
        /// Of both normalisations.
        groups: [usize; 2],
        resample: Resample,
    },
    Attention {
        channels: usize,
        heads: usize,
    },
    Temporal {
        channels: usize,
        n_modes: usize,
    },
}

impl Kind {
    /// Channels of the maps that come out.
    pub(crate) fn channels_out(self) -> usize {
        match self {
            Self::Residual { channels_out, .. } => channels_out,
            Self::Attention { channels, .. } | Self::Temporal { channels, .. } => channels,
        }
    }
}

/// Change of resolution inside a residual block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resample {
    Keep,
    Halve,
    Double,
}

impl Plan {
    /// Lays the network out; fails where channels do not divide.
    pub(crate) fn new(arch: &UNetConfig) -> Result<Self, UNetConfigError> {
        let mut plan = Builder {
            arch,
            stages: Vec::new(),
            channels: arch.base_channels,
            size: arch.image_size,
            skips: vec![arch.base_channels],
        };
        plan.down()?;
        plan.middle()?;
        plan.up()?;
        check_groups(plan.channels, arch.attention_groups, || {
            "before the output".to_owned()
        })?;
        Ok(Self {
            stages: plan.stages,
            last_channels: plan.channels,
        })
    }
}

struct Builder<'a> {
    arch: &'a UNetConfig,
    stages: Vec<Stage>,
    channels: usize,
    size: usize,
    /// Channels of the remembered maps.
    skips: Vec<usize>,
}

impl Builder<'_> {
    fn down(&mut self) -> Result<(), UNetConfigError> {
        let last = self.arch.channel_multipliers.len() - 1;
        for (level, multiplier) in self.arch.channel_multipliers.iter().enumerate() {
            for _ in 0..self.arch.res_blocks {
                self.residual(0, self.arch.base_channels * multiplier, Resample::Keep)?;
                self.after_residual(false)?;
                self.leave_skip();
            }
            if level != last {
                self.residual(0, self.channels, Resample::Halve)?;
                self.leave_skip();
            }
        }
        Ok(())
    }

    fn middle(&mut self) -> Result<(), UNetConfigError> {
        self.residual(0, self.channels, Resample::Keep)?;
        self.after_residual(true)?;
        self.residual(0, self.channels, Resample::Keep)
    }

    fn up(&mut self) -> Result<(), UNetConfigError> {
        for (level, multiplier) in self.arch.channel_multipliers.iter().enumerate().rev() {
            for _ in 0..=self.arch.res_blocks {
                let skip = self
                    .skips
                    .pop()
                    .expect("invariant: as many skips left as taken");
                self.residual(skip, self.arch.base_channels * multiplier, Resample::Keep)?;
                self.after_residual(false)?;
            }
            if level != 0 {
                self.residual(0, self.channels, Resample::Double)?;
            }
        }
        debug_assert!(self.skips.is_empty());
        Ok(())
    }

    fn residual(
        &mut self,
        skip: usize,
        channels_out: usize,
        resample: Resample,
    ) -> Result<(), UNetConfigError> {
        let channels_in = self.channels + skip;
        let groups = [channels_in, channels_out].map(|c| self.arch.residual_groups_of(c));
        for (channels, groups) in [(channels_in, groups[0]), (channels_out, groups[1])] {
            let place = || format!("of a residual block at size {}", self.size);
            check_groups(channels, groups, place)?;
        }
        self.size = match resample {
            Resample::Keep => self.size,
            Resample::Halve => self.size / 2,
            Resample::Double => self.size * 2,
        };
        let kind = Kind::Residual {
            channels_in,
            channels_out,
            groups,
            resample,
        };
        self.channels = channels_out;
        self.push(kind, skip > 0);
        Ok(())
    }

    fn after_residual(&mut self, always_attend: bool) -> Result<(), UNetConfigError> {
        let channels = self.channels;
        if always_attend || self.arch.attention_resolutions.contains(&self.size) {
            check_groups(channels, self.arch.attention_groups, || {
                format!("of attention at size {}", self.size)
            })?;
            let heads = self.arch.heads.of(channels).ok_or(UNetConfigError::Heads {
                heads: self.arch.heads,
                channels,
            })?;
            self.push(Kind::Attention { channels, heads }, false);
        }
        if let Some(temporal) = self.arch.temporal {
            self.push(
                Kind::Temporal {
                    channels,
                    n_modes: temporal.n_modes,
                },
                false,
            );
        }
        Ok(())
    }

    fn push(&mut self, kind: Kind, takes_skip: bool) {
        self.stages.push(Stage {
            kind,
            size: self.size,
            takes_skip,
            leaves_skip: false,
        });
    }

    fn leave_skip(&mut self) {
        let newest = self
            .stages
            .last_mut()
            .expect("invariant: called after a layer was pushed");
        newest.leaves_skip = true;
        self.skips.push(self.channels);
    }
}

fn check_groups(
    channels: usize,
    groups: usize,
    place: impl FnOnce() -> String,
) -> Result<(), UNetConfigError> {
    if groups > 0 && channels.is_multiple_of(groups) {
        Ok(())
    } else {
        Err(UNetConfigError::Groups {
            channels,
            groups,
            place: place(),
        })
    }
}
