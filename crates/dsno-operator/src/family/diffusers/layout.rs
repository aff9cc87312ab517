//! Lays the U-Net out, and names its layers as the weight files do.

use dsno_kernels::Resample;

use super::network::{
    ClassEmbedType, DiffusersConfig, DownBlockType, MidBlockType, ResampleType, TimeScaleShift,
    UpBlockType,
};
use crate::check::{check_groups, heads_of_width};
use crate::config_error::ConfigError;
use crate::layout::QkvOrder;
use crate::plan::{
    AttentionOptions, Builder, ClassInput, Dialect, EmbeddingPlan, HeadOutput, HeadPlan, Names,
    Plan, ResidualOptions, TimestepFeatures,
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
    let base = arch.block_out_channels[0];
    let mut layers = Layers {
        arch,
        builder: Builder::new(base, arch.sample_size),
    };
    layers.down()?;
    layers.middle()?;
    layers.up()?;
    let (channels, groups) = (layers.builder.channels, arch.norm_num_groups);
    check_groups(|| "conv_norm_out".to_owned(), channels, groups)?;
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
    Ok(Plan {
        image_shape: [arch.in_channels, arch.sample_size, arch.sample_size],
        embedding: EmbeddingPlan {
            features: TimestepFeatures::Sinusoids {
                of_log_snr: false,
                cosines_first: arch.flip_sin_to_cos,
                shift: arch.freq_shift,
            },
            width: base,
            channels: arch.time_embedding_dim.unwrap_or(4 * base),
            class: match (arch.class_embed_type, arch.num_class_embeds) {
                (Some(ClassEmbedType::Timestep), _) => ClassInput::Numbers,
                (Some(ClassEmbedType::Identity), _) => ClassInput::Vectors,
                (None, Some(classes)) => ClassInput::table(classes),
                (None, None) => ClassInput::None,
            },
            augment: 0,
        },
        centre_input: arch.center_input_sample,
        stem_channels: base,
        scale_shift: arch.resnet_time_scale_shift == TimeScaleShift::ScaleShift,
        dropout: arch.dropout,
        epsilon: arch.norm_eps,
        filter: vec![0.5, 0.5],
        stages: layers.builder.finish(),
        head: HeadPlan {
            channels,
            groups,
            channels_out: arch.out_channels,
            output: HeadOutput::Prediction,
        },
        process: Process::Ddpm(arch.process.clone()),
        names: Names::Foreign {
            dialect: &DIALECT,
            frame: frame.map(|(ours, theirs)| (ours, theirs.to_owned())).into(),
        },
        buffers: Vec::new(),
    })
}

struct Layers<'a> {
    arch: &'a DiffusersConfig,
    builder: Builder,
}

impl Layers<'_> {
    fn down(&mut self) -> Result<(), ConfigError> {
        let levels = self.arch.block_out_channels.len();
        for (i, &kind) in self.arch.down_block_types.iter().enumerate() {
            let width = self.arch.block_out_channels[i];
            for j in 0..self.arch.layers_per_block {
                let name = format!("down_blocks.{i}.resnets.{j}");
                self.residual(name, width, ResidualOptions::PLAIN)?;
                if kind == DownBlockType::Attention {
                    self.attention(format!("down_blocks.{i}.attentions.{j}"))?;
                }
                self.builder.end_block();
                self.builder.push_skip();
            }
            if i + 1 < levels {
                let name = format!("down_blocks.{i}.downsamplers.0");
                match (kind, self.arch.downsample_type) {
                    (DownBlockType::Resnet, _)
                    | (DownBlockType::Attention, ResampleType::Resnet) => {
                        self.residual(name, width, ResidualOptions::resampling(Resample::Halve))?;
                    }
                    (DownBlockType::Plain, _) | (DownBlockType::Attention, ResampleType::Conv) => {
                        let padding = (self.arch.downsample_padding, 1);
                        self.builder.down(name, Some(padding));
                    }
                }
                self.builder.push_skip();
            }
        }
        Ok(())
    }

    fn middle(&mut self) -> Result<(), ConfigError> {
        let Some(MidBlockType::Plain) = self.arch.mid_block_type else {
            return Ok(());
        };
        let width = self.builder.channels;
        let scale = 1.0 / self.arch.mid_block_scale_factor;
        let options = ResidualOptions {
            scale,
            ..ResidualOptions::PLAIN
        };
        self.residual("mid_block.resnets.0".to_owned(), width, options)?;
        if self.arch.add_attention {
            let name = "mid_block.attentions.0".to_owned();
            let groups = match self.arch.resnet_time_scale_shift {
                TimeScaleShift::Default => Some(self.arch.norm_num_groups),
                TimeScaleShift::ScaleShift => None,
            };
            let options = AttentionOptions {
                groups: self.arch.attn_norm_num_groups.or(groups),
                scale,
                ..self.attention_options(&name)?
            };
            self.builder.attention(name, options)?;
        }
        self.builder.end_block();
        self.residual("mid_block.resnets.1".to_owned(), width, options)
    }

    fn up(&mut self) -> Result<(), ConfigError> {
        let levels = self.arch.block_out_channels.len();
        for (i, &kind) in self.arch.up_block_types.iter().enumerate() {
            let width = self.arch.block_out_channels[levels - 1 - i];
            for j in 0..=self.arch.layers_per_block {
                let name = format!("up_blocks.{i}.resnets.{j}");
                self.residual(name, width, ResidualOptions::popping())?;
                if kind == UpBlockType::Attention {
                    self.attention(format!("up_blocks.{i}.attentions.{j}"))?;
                }
                self.builder.end_block();
            }
            if i + 1 < levels {
                let name = format!("up_blocks.{i}.upsamplers.0");
                match (kind, self.arch.upsample_type) {
                    (UpBlockType::Resnet, _) | (UpBlockType::Attention, ResampleType::Resnet) => {
                        self.residual(name, width, ResidualOptions::resampling(Resample::Double))?;
                    }
                    (UpBlockType::Plain, _) | (UpBlockType::Attention, ResampleType::Conv) => {
                        self.builder.up(name, true);
                    }
                }
            }
        }
        Ok(())
    }

    fn residual(
        &mut self,
        name: String,
        width: usize,
        options: ResidualOptions,
    ) -> Result<(), ConfigError> {
        let groups = self.arch.norm_num_groups;
        self.builder.residual(name, width, |_| groups, options)
    }

    fn attention(&mut self, name: String) -> Result<(), ConfigError> {
        let options = self.attention_options(&name)?;
        self.builder.attention(name, options)
    }

    fn attention_options(&self, name: &str) -> Result<AttentionOptions, ConfigError> {
        let heads = match self.arch.attention_head_dim {
            Some(width) => heads_of_width(name, self.builder.channels, width)?,
            None => 1,
        };
        Ok(AttentionOptions {
            heads,
            order: QkvOrder::Apart,
            groups: Some(self.arch.norm_num_groups),
            scale: 1.0,
        })
    }
}
