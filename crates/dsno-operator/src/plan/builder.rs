//! Lays a U-Net out layer by layer, keeping track of channels, sizes and skip connections.

use dsno_kernels::Resample;

use super::{AttentionShape, Kind, Names, Path, Plan, ResidualShape, Stage};
use crate::check::{check_groups, check_heads};
use crate::config_error::ConfigError;
use crate::dialect::find;
use crate::layer_config::Heads;
use crate::layout::QkvOrder;

/// Where on the way through a U-Net a layer stands; levels and blocks count from 0, the finest level
/// being the first.
#[derive(Debug, Clone, Copy)]
pub(crate) enum At {
    /// A level's block on the way down.
    Down(usize, usize),
    /// Behind a level's blocks on the way down.
    Halve(usize),
    /// One of both blocks in the middle.
    Middle(usize),
    /// A level's block on the way up.
    Up(usize, usize),
    /// Behind a level's blocks on the way up.
    Double(usize),
}

impl At {
    fn resample(self) -> Resample {
        match self {
            Self::Halve(_) => Resample::Halve,
            Self::Double(_) => Resample::Double,
            Self::Down(..) | Self::Middle(_) | Self::Up(..) => Resample::Keep,
        }
    }
}

/// What differs between the U-Nets of families, which are all walked through in the same order.
pub(crate) trait Walk {
    /// Name of the residual block there, or of what changes the size there.
    fn name(&self, at: At) -> String;

    /// Groups of a normalisation of so many channels in a residual block.
    fn groups(&self, channels: usize) -> usize;

    /// The attention behind the block there, if there is one.
    fn attention(&self, at: At, layers: &Builder) -> Option<AttentionOptions>;

    /// How the size changes there.
    fn change(&self, _: At) -> Change {
        Change::Block
    }

    /// Factor of the sum of both branches, in a block and in the attention behind it.
    fn scale(&self, _: At) -> f64 {
        1.0
    }

    /// Blocks have a 1×1 convolution on the shortcut also where the size changes and channels do not.
    fn projects(&self) -> bool {
        false
    }

    /// Two blocks with attention between them stand between the way down and the way up.
    fn has_middle(&self) -> bool {
        true
    }

    /// Lays out what stands beside the main path: behind a size that was halved, and behind the last
    /// block of a level on the way up.
    fn beside(&self, _: At, _: &mut Builder) -> Result<(), ConfigError> {
        Ok(())
    }
}

/// How the size changes between levels.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Change {
    /// In a residual block.
    Block,
    /// By averages, or by repetition.
    Plain,
    /// By a convolution with so many zeros before and after each axis.
    Conv(usize, usize),
}

/// Options of an attention layer.
#[derive(Debug)]
pub(crate) struct AttentionOptions {
    pub(crate) name: String,
    pub(crate) heads: Heads,
    pub(crate) order: QkvOrder,
    pub(crate) groups: Option<usize>,
}

/// The list of layers so far.
#[derive(Debug)]
pub(crate) struct Builder {
    plan: Plan,
    /// Channels that come out of the newest layer.
    pub(crate) channels: usize,
    /// Side of the maps that come out of it, in pixels.
    pub(crate) size: usize,
    /// Channels of the skip connections.
    skips: Vec<usize>,
}

impl Plan {
    /// The same with all layers between the stem, whose result is a skip connection, and the last
    /// normalisation: `widths` channels on each level, and `blocks` blocks on the way down.
    pub(crate) fn laid_out(
        self,
        family: &impl Walk,
        widths: &[usize],
        blocks: usize,
    ) -> Result<Self, ConfigError> {
        let stem = self.stem_channels;
        let mut layers = Builder {
            channels: stem,
            size: self.image_shape[1],
            skips: vec![stem],
            plan: self,
        };
        layers.walk(family, widths, blocks)?;
        debug_assert!(layers.skips.is_empty());
        let plan = layers.plan;
        debug_assert_eq!(plan.head.channels, layers.channels);
        let norm = || match &plan.names {
            Names::Own => "the output".to_owned(),
            Names::Foreign { frame, .. } => find(frame, "norm").clone(),
        };
        check_groups(norm, plan.head.channels, plan.head.groups)?;
        Ok(plan)
    }
}

impl Builder {
    /// Adds a layer, at the size of the main path.
    pub(crate) fn push(&mut self, name: String, kind: Kind, path: Path) {
        self.plan.stages.push(Stage {
            name,
            kind,
            size: self.size,
            path,
            ends_block: false,
        });
    }

    fn walk(
        &mut self,
        family: &impl Walk,
        widths: &[usize],
        blocks: usize,
    ) -> Result<(), ConfigError> {
        for (level, &width) in widths.iter().enumerate() {
            for block in 0..blocks {
                self.block(family, At::Down(level, block), width)?;
                self.push_skip();
            }
            if level + 1 < widths.len() {
                self.change(family, At::Halve(level))?;
                self.push_skip();
                family.beside(At::Halve(level), self)?;
            }
        }
        if family.has_middle() {
            let width = self.channels;
            self.block(family, At::Middle(0), width)?;
            self.residual(family, At::Middle(1), width)?;
        }
        for (level, &width) in widths.iter().enumerate().rev() {
            for block in 0..=blocks {
                self.block(family, At::Up(level, block), width)?;
            }
            family.beside(At::Up(level, blocks), self)?;
            if level > 0 {
                self.change(family, At::Double(level))?;
            }
        }
        Ok(())
    }

    /// A residual block with attention behind it or not; behind both an operator mixes times.
    fn block(&mut self, family: &impl Walk, at: At, width: usize) -> Result<(), ConfigError> {
        self.residual(family, at, width)?;
        if let Some(options) = family.attention(at, self) {
            self.attention(options, family.scale(at))?;
        }
        self.newest().ends_block = true;
        Ok(())
    }

    fn residual(
        &mut self,
        family: &impl Walk,
        at: At,
        channels_out: usize,
    ) -> Result<(), ConfigError> {
        let (name, resample) = (family.name(at), at.resample());
        let pops = matches!(at, At::Up(..));
        let skip = if pops { self.pop() } else { 0 };
        let channels = [self.channels + skip, channels_out];
        let groups = channels.map(|channels| family.groups(channels));
        for (channels, groups) in channels.into_iter().zip(groups) {
            check_groups(|| self.place(&name, "a residual block"), channels, groups)?;
        }
        self.resize(resample);
        self.channels = channels_out;
        let resamples = resample != Resample::Keep;
        let kind = Kind::Residual(ResidualShape {
            channels,
            groups,
            resample,
            shortcut: channels[0] != channels[1] || (family.projects() && resamples),
            scale: family.scale(at),
        });
        let path = Path::Main {
            pops,
            pushes: false,
        };
        self.push(name, kind, path);
        Ok(())
    }

    fn attention(&mut self, options: AttentionOptions, scale: f64) -> Result<(), ConfigError> {
        let AttentionOptions {
            name,
            heads,
            order,
            groups,
        } = options;
        let channels = self.channels;
        let place = || self.place(&name, "attention");
        let (Heads::Count(divisor) | Heads::Channels(divisor)) = heads;
        check_heads(place, channels, divisor)?;
        if let Some(groups) = groups {
            check_groups(place, channels, groups)?;
        }
        let kind = Kind::Attention(AttentionShape {
            channels,
            heads: match heads {
                Heads::Count(heads) => heads,
                Heads::Channels(width) => channels / width,
            },
            groups,
            scale,
            order,
        });
        self.push(name, kind, Path::MAIN);
        Ok(())
    }

    fn change(&mut self, family: &impl Walk, at: At) -> Result<(), ConfigError> {
        let (channels, resample) = (self.channels, at.resample());
        let conv = match family.change(at) {
            Change::Block => return self.residual(family, at, channels),
            Change::Plain => None,
            Change::Conv(before, after) => Some((before, after)),
        };
        self.resize(resample);
        let kind = Kind::Resampler {
            channels,
            resample,
            conv,
        };
        self.push(family.name(at), kind, Path::MAIN);
        Ok(())
    }

    /// Pushes what the newest layer gives as a skip connection.
    fn push_skip(&mut self) {
        if let Path::Main { pushes, .. } = &mut self.newest().path {
            *pushes = true;
        }
        self.skips.push(self.channels);
    }

    fn pop(&mut self) -> usize {
        let skip = self.skips.pop();
        skip.expect("invariant: as many skip connections pushed as popped")
    }

    fn newest(&mut self) -> &mut Stage {
        let newest = self.plan.stages.last_mut();
        newest.expect("invariant: called after a layer was laid out")
    }

    fn resize(&mut self, resample: Resample) {
        self.size = match resample {
            Resample::Keep => self.size,
            Resample::Halve => self.size / 2,
            Resample::Double => self.size * 2,
        };
    }

    /// How errors call a layer.
    fn place(&self, name: &str, what: &str) -> String {
        match self.plan.names {
            Names::Own => format!("{what} at size {}", self.size),
            Names::Foreign { .. } => name.to_owned(),
        }
    }
}
