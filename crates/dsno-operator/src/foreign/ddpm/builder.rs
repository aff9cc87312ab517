//! Lays layers out one after the other, keeping track of channels and remembered maps.

use super::attention::HeadOrder;
use super::blueprint::{Kind, Normalisation, Stage};
use super::check::check_groups;
use super::error::DdpmArchitectureError;
use crate::plan::Resample;

/// The list of layers so far.
#[derive(Debug)]
pub(crate) struct Builder {
    pub(crate) stages: Vec<Stage>,
    /// Channels that come out of the newest layer.
    pub(crate) channels: usize,
    groups: usize,
    /// Channels of the remembered maps.
    skips: Vec<usize>,
}

/// Options of an attention layer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AttentionOptions {
    pub(crate) heads: usize,
    pub(crate) order: HeadOrder,
    pub(crate) groups: Option<usize>,
    pub(crate) factor: f64,
}

impl Builder {
    /// Starts behind the stem, whose result is remembered.
    pub(crate) fn new(channels: usize, normalisation: Normalisation) -> Self {
        Self {
            stages: Vec::new(),
            channels,
            groups: normalisation.groups,
            skips: vec![channels],
        }
    }

    /// A residual block; `takes_skip` puts the newest remembered map behind its input.
    pub(crate) fn residual(
        &mut self,
        name: String,
        channels_out: usize,
        resample: Resample,
        factor: f64,
        takes_skip: bool,
    ) -> Result<(), DdpmArchitectureError> {
        let skip = if takes_skip {
            self.skips
                .pop()
                .expect("invariant: as many maps remembered as taken")
        } else {
            0
        };
        let channels = [self.channels + skip, channels_out];
        for channels in channels {
            check_groups(&name, channels, self.groups)?;
        }
        self.channels = channels_out;
        let kind = Kind::Residual {
            channels,
            resample,
            factor,
        };
        self.push(name, kind, takes_skip);
        Ok(())
    }

    pub(crate) fn attention(
        &mut self,
        name: String,
        options: AttentionOptions,
    ) -> Result<(), DdpmArchitectureError> {
        let channels = self.channels;
        let AttentionOptions {
            heads,
            order,
            groups,
            factor,
        } = options;
        if heads == 0 || !channels.is_multiple_of(heads) {
            return Err(DdpmArchitectureError::Heads {
                place: name,
                channels,
                divisor: heads,
            });
        }
        if let Some(groups) = groups {
            check_groups(&name, channels, groups)?;
        }
        let kind = Kind::Attention {
            channels,
            heads,
            order,
            groups,
            factor,
        };
        self.push(name, kind, false);
        Ok(())
    }

    pub(crate) fn halve(&mut self, name: String, padding: Option<(usize, usize)>) {
        let channels = self.channels;
        self.push(name, Kind::Halve { channels, padding }, false);
    }

    pub(crate) fn double(&mut self, name: String, conv: bool) {
        let channels = self.channels;
        self.push(name, Kind::Double { channels, conv }, false);
    }

    /// Remembers what the newest layer gives.
    pub(crate) fn leave_skip(&mut self) {
        let newest = self.stages.last_mut();
        newest
            .expect("invariant: called after a layer was pushed")
            .leaves_skip = true;
        self.skips.push(self.channels);
    }

    /// The finished list, with a check of the normalisation behind it.
    pub(crate) fn finish(self, norm: &str) -> Result<Vec<Stage>, DdpmArchitectureError> {
        debug_assert!(self.skips.is_empty());
        check_groups(norm, self.channels, self.groups)?;
        Ok(self.stages)
    }

    fn push(&mut self, name: String, kind: Kind, takes_skip: bool) {
        self.stages.push(Stage {
            name,
            kind,
            takes_skip,
            leaves_skip: false,
        });
    }
}
