//! Lays the U-Net out, and names its layers as the weight files do.

use super::network::{
    ClassEmbedType, DiffusersConfig, DownBlockType, ResampleType, TimeScaleShift, UpBlockType,
};
use crate::check::{
    BLOCKS, CHANNELS, CLASSES, check_above_zero, check_counts, check_dropout, check_range,
    check_size,
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
        ("norm_0", "norm1"),
        ("conv_0", "conv1"),
        ("modulation", "time_emb_proj"),
        ("norm_1", "norm2"),
        ("conv_1", "conv2"),
        ("shortcut", "conv_shortcut"),
        ("norm", "group_norm"),
        ("q", "to_q"),
        ("k", "to_k"),
        ("v", "to_v"),
        ("projection", "to_out.0"),
        ("conv", "conv"),
    ],
    older: &[
        ("to_q", "query"),
        ("to_k", "key"),
        ("to_v", "value"),
        ("to_out.0", "proj_attn"),
    ],
    attention_ones: 0,
    transposed_class: false,
};

pub(super) fn layout(arch: &DiffusersConfig) -> Result<Plan, ConfigError> {
    arch.check()?;
    let widths = &arch.block_out_channels;
    let base = widths[0];
    let frame = [
        ("embedding.dense_0", "time_embedding.linear_1"),
        ("embedding.dense_1", "time_embedding.linear_2"),
        ("embedding.class", "class_embedding"),
        ("embedding.class_0", "class_embedding.linear_1"),
        ("embedding.class_1", "class_embedding.linear_2"),
        ("stem", "conv_in"),
        ("norm", "conv_norm_out"),
        ("head", "conv_out"),
    ];
    let plan = Plan {
        image_shape: [arch.in_channels, arch.sample_size, arch.sample_size],
        embedding: EmbeddingPlan {
            features: TimestepFeatures::Sinusoids {
                of_log_snr: false,
                cosines_first: arch.flip_sin_to_cos,
                shift: arch.freq_shift,
            },
            width: base,
            channels: arch.time_embedding_dim.unwrap_or(4 * base),
            class: match arch.class_embed_type {
                Some(ClassEmbedType::Timestep) => ClassInput::Numbers,
                Some(ClassEmbedType::Identity) => ClassInput::Vectors,
                None => ClassInput::table(arch.num_class_embeds.unwrap_or(0), false),
            },
            augment: 0,
        },
        centre_input: arch.center_input_sample,
        stem_channels: base,
        scale_shift: arch.resnet_time_scale_shift == TimeScaleShift::ScaleShift,
        dropout: arch.dropout,
        epsilon: arch.norm_eps,
        filter: vec![0.5, 0.5],
        stages: Vec::new(),
        head: HeadPlan {
            channels: base,
            groups: arch.norm_num_groups,
            channels_out: arch.out_channels,
            output: HeadOutput::Prediction,
        },
        process: Process::Ddpm(arch.process.clone()),
        names: Names::foreign(&DIALECT, frame),
        buffers: Vec::new(),
    };
    plan.laid_out(arch, widths, arch.layers_per_block)
}

impl DiffusersConfig {
    /// Checks single keys; those that follow from several are checked with the plan.
    fn check(&self) -> Result<(), ConfigError> {
        let levels = self.block_out_channels.len();
        let or_one = |value: Option<usize>| value.unwrap_or(1);
        let attention_groups = or_one(self.attn_norm_num_groups);
        let embedding = or_one(self.time_embedding_dim);
        check_counts(&[
            ("sample_size", self.sample_size, CHANNELS),
            ("in_channels", self.in_channels, CHANNELS),
            ("block_out_channels", levels, BLOCKS),
            ("layers_per_block", self.layers_per_block, BLOCKS),
            ("norm_num_groups", self.norm_num_groups, CHANNELS),
            ("attn_norm_num_groups", attention_groups, CHANNELS),
            (
                "attention_head_dim",
                or_one(self.attention_head_dim),
                CHANNELS,
            ),
            ("time_embedding_dim", embedding, CHANNELS),
            ("num_class_embeds", or_one(self.num_class_embeds), CLASSES),
        ])?;
        for &width in &self.block_out_channels {
            check_counts(&[("block_out_channels", width, CHANNELS)])?;
        }
        let lists = [
            ("down_block_types", self.down_block_types.len()),
            ("up_block_types", self.up_block_types.len()),
        ];
        if let Some(&(key, found)) = lists.iter().find(|(_, found)| *found != levels) {
            return Err(ConfigError::Length {
                key,
                found,
                expected: levels,
            });
        }
        check_size(self.sample_size, levels)?;
        check_dropout(self.dropout)?;
        check_above_zero("norm_eps", self.norm_eps)?;
        check_above_zero("mid_block_scale_factor", self.mid_block_scale_factor)?;
        let (padding, shift) = (self.downsample_padding, self.freq_shift);
        check_range(padding <= 1, "downsample_padding", padding as f64, "0 or 1")?;
        let half = "less than half of block_out_channels[0]";
        let ok = shift < self.block_out_channels[0] / 2;
        check_range(ok, "freq_shift", shift as f64, half)?;
        let (found, image) = (self.out_channels, self.in_channels);
        if found != image && found != 2 * image {
            return Err(ConfigError::OutChannels { found, image });
        }
        self.process.check()
    }

    /// The number in `up_block_types` of a level, counted from the finest.
    fn up(&self, level: usize) -> usize {
        self.block_out_channels.len() - 1 - level
    }
}

impl Walk for DiffusersConfig {
    fn name(&self, at: At) -> String {
        match at {
            At::Down(level, block) => format!("down_blocks.{level}.resnets.{block}"),
            At::Halve(level) => format!("down_blocks.{level}.downsamplers.0"),
            At::Middle(block) => format!("mid_block.resnets.{block}"),
            At::Up(level, block) => format!("up_blocks.{}.resnets.{block}", self.up(level)),
            At::Double(level) => format!("up_blocks.{}.upsamplers.0", self.up(level)),
        }
    }

    fn groups(&self, _: usize) -> usize {
        self.norm_num_groups
    }

    fn attention(&self, at: At, _: &Builder) -> Option<AttentionOptions> {
        let groups = Some(self.norm_num_groups);
        let (attends, groups) = match at {
            At::Down(level, _) | At::Halve(level) => {
                let kind = self.down_block_types[level];
                (kind == DownBlockType::Attention, groups)
            }
            At::Up(level, _) | At::Double(level) => {
                let kind = self.up_block_types[self.up(level)];
                (kind == UpBlockType::Attention, groups)
            }
            At::Middle(_) => {
                let adds = self.resnet_time_scale_shift == TimeScaleShift::Default;
                let groups = groups.filter(|_| adds);
                (self.add_attention, self.attn_norm_num_groups.or(groups))
            }
        };
        attends.then(|| AttentionOptions {
            name: self.name(at).replace("resnets", "attentions"),
            heads: self
                .attention_head_dim
                .map_or(Heads::Count(1), Heads::Channels),
            order: QkvOrder::Apart,
            groups,
        })
    }

    fn change(&self, at: At) -> Change {
        match at {
            At::Halve(level) => match (self.down_block_types[level], self.downsample_type) {
                (DownBlockType::Plain, _) | (DownBlockType::Attention, ResampleType::Conv) => {
                    Change::Conv(self.downsample_padding, 1)
                }
                _ => Change::Block,
            },
            At::Double(level) => match (self.up_block_types[self.up(level)], self.upsample_type) {
                (UpBlockType::Plain, _) | (UpBlockType::Attention, ResampleType::Conv) => {
                    Change::Conv(1, 1)
                }
                _ => Change::Block,
            },
            _ => Change::Block,
        }
    }

    fn scale(&self, at: At) -> f64 {
        match at {
            At::Middle(_) => 1.0 / self.mid_block_scale_factor,
            _ => 1.0,
        }
    }

    fn has_middle(&self) -> bool {
        self.mid_block_type.is_some()
    }
}
