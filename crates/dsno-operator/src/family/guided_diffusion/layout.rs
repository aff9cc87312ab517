//! Lays the U-Net out, and names its layers as the weight files do.

use super::network::GuidedDiffusionConfig;
use crate::check::{
    BLOCKS, CHANNELS, CLASSES, check_above_zero, check_attention_sizes, check_counts,
    check_dropout, check_size,
};
use crate::config_error::ConfigError;
use crate::layer_config::Heads;
use crate::layout::QkvOrder;
use crate::plan::{
    At, AttentionOptions, Builder, Change, ClassInput, Dialect, EmbeddingPlan, HeadOutput,
    HeadPlan, Names, Plan, TimestepFeatures, Walk,
};
use crate::process::Process;

const DIALECT: Dialect = Dialect {
    layer: &[
        ("norm_0", "in_layers.0"),
        ("conv_0", "in_layers.2"),
        ("modulation", "emb_layers.1"),
        ("norm_1", "out_layers.0"),
        ("conv_1", "out_layers.3"),
        ("shortcut", "skip_connection"),
        ("norm", "norm"),
        ("qkv", "qkv"),
        ("projection", "proj_out"),
        ("conv", ""),
    ],
    older: &[],
    attention_ones: 1,
    transposed_class: false,
};

/// Of all normalisations.
const GROUPS: usize = 32;

pub(super) fn layout(arch: &GuidedDiffusionConfig) -> Result<Plan, ConfigError> {
    let widths = arch.check()?;
    let frame = [
        ("embedding.dense_0", "time_embed.0"),
        ("embedding.dense_1", "time_embed.2"),
        ("embedding.class", "label_emb"),
        ("stem", "input_blocks.0.0"),
        ("norm", "out.0"),
        ("head", "out.2"),
    ];
    let plan = Plan {
        image_shape: [arch.image_channels, arch.image_size, arch.image_size],
        embedding: EmbeddingPlan {
            features: TimestepFeatures::Sinusoids {
                of_log_snr: false,
                cosines_first: true,
                shift: 0,
            },
            width: arch.num_channels,
            channels: 4 * arch.num_channels,
            class: ClassInput::table(arch.num_classes, false),
            augment: 0,
        },
        centre_input: false,
        stem_channels: widths[0],
        scale_shift: arch.use_scale_shift_norm,
        dropout: arch.dropout,
        epsilon: 1e-5,
        filter: vec![0.5, 0.5],
        stages: Vec::new(),
        head: HeadPlan {
            channels: widths[0],
            groups: GROUPS,
            channels_out: arch.image_channels * if arch.learn_sigma { 2 } else { 1 },
            output: HeadOutput::Prediction,
        },
        process: Process::Ddpm(arch.process.clone()),
        names: Names::foreign(&DIALECT, frame),
        buffers: Vec::new(),
    };
    plan.laid_out(arch, &widths, arch.num_res_blocks)
}

impl GuidedDiffusionConfig {
    /// Checks single keys; gives the channels of each level.
    fn check(&self) -> Result<Vec<usize>, ConfigError> {
        check_counts(&[
            ("image_size", self.image_size, CHANNELS),
            ("image_channels", self.image_channels, CHANNELS),
            ("num_channels", self.num_channels, CHANNELS),
            ("num_res_blocks", self.num_res_blocks, BLOCKS),
            ("channel_mult", self.channel_mult.len(), BLOCKS),
            ("num_classes", self.num_classes.max(1), CLASSES),
        ])?;
        check_dropout(self.dropout)?;
        self.process.check()?;
        let sizes = check_size(self.image_size, self.channel_mult.len())?;
        check_attention_sizes("attention_resolutions", &self.attention_resolutions, sizes)?;
        for &factor in &self.channel_mult {
            check_above_zero("channel_mult", factor)?;
        }
        let width = |&factor: &f64| {
            let width = (factor * self.num_channels as f64) as usize;
            check_counts(&[("channel_mult * num_channels", width, CHANNELS)])?;
            Ok(width)
        };
        self.channel_mult.iter().map(width).collect()
    }

    fn attends(&self, size: usize) -> bool {
        self.attention_resolutions.contains(&size)
    }
}

impl Walk for GuidedDiffusionConfig {
    fn name(&self, at: At) -> String {
        let each = self.num_res_blocks + 1;
        let below = |level: usize| (self.channel_mult.len() - 1 - level) * each;
        match at {
            // The stem is block 0.
            At::Down(level, block) => format!("input_blocks.{}.0", 1 + level * each + block),
            At::Halve(level) => {
                let op = if self.resblock_updown { "" } else { ".op" };
                format!("input_blocks.{}.0{op}", (level + 1) * each)
            }
            At::Middle(block) => format!("middle_block.{}", 2 * block),
            At::Up(level, block) => format!("output_blocks.{}.0", below(level) + block),
            At::Double(level) => {
                let attends = self.attends(self.image_size >> level);
                let conv = if self.resblock_updown { "" } else { ".conv" };
                let block = below(level) + self.num_res_blocks;
                format!("output_blocks.{block}.{}{conv}", 1 + usize::from(attends))
            }
        }
    }

    fn groups(&self, _: usize) -> usize {
        GROUPS
    }

    fn attention(&self, at: At, layers: &Builder) -> Option<AttentionOptions> {
        let heads = match at {
            At::Up(..) => self.num_heads_upsample.unwrap_or(self.num_heads),
            _ => self.num_heads,
        };
        let attends = matches!(at, At::Middle(_)) || self.attends(layers.size);
        attends.then(|| AttentionOptions {
            name: format!("{}1", self.name(at).trim_end_matches('0')),
            heads: self
                .num_head_channels
                .map_or(Heads::Count(heads), Heads::Channels),
            order: if self.use_new_attention_order {
                QkvOrder::PartsFirst
            } else {
                QkvOrder::HeadsFirst
            },
            groups: Some(GROUPS),
        })
    }

    fn change(&self, _: At) -> Change {
        match (self.resblock_updown, self.conv_resample) {
            (true, _) => Change::Block,
            (false, true) => Change::Conv(1, 1),
            (false, false) => Change::Plain,
        }
    }
}
