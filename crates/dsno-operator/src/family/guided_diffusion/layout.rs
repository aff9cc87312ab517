//! Lays the U-Net out, and names its layers as the weight files do.

use dsno_kernels::Resample;

use super::network::GuidedDiffusionConfig;
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
    let mut layers = Layers {
        arch,
        builder: Builder::new(widths[0], arch.image_size),
    };
    layers.down(&widths)?;
    layers.middle()?;
    layers.up(&widths)?;
    let channels = layers.builder.channels;
    check_groups(|| "out.0".to_owned(), channels, GROUPS)?;
    let frame = [
        ("embedding.dense_0", "time_embed.0"),
        ("embedding.dense_1", "time_embed.2"),
        ("embedding.class", "label_emb"),
        ("stem", "input_blocks.0.0"),
        ("norm", "out.0"),
        ("head", "out.2"),
    ];
    Ok(Plan {
        image_shape: [arch.image_channels, arch.image_size, arch.image_size],
        embedding: EmbeddingPlan {
            features: TimestepFeatures::Sinusoids {
                of_log_snr: false,
                cosines_first: true,
                shift: 0,
            },
            width: arch.num_channels,
            channels: 4 * arch.num_channels,
            class: match arch.num_classes {
                0 => ClassInput::None,
                classes => ClassInput::table(classes),
            },
            augment: 0,
        },
        centre_input: false,
        stem_channels: widths[0],
        scale_shift: arch.use_scale_shift_norm,
        dropout: arch.dropout,
        epsilon: 1e-5,
        filter: vec![0.5, 0.5],
        stages: layers.builder.finish(),
        head: HeadPlan {
            channels,
            groups: GROUPS,
            channels_out: arch.image_channels * if arch.learn_sigma { 2 } else { 1 },
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
    arch: &'a GuidedDiffusionConfig,
    builder: Builder,
}

impl Layers<'_> {
    fn down(&mut self, widths: &[usize]) -> Result<(), ConfigError> {
        // The stem is block 0.
        let mut block = 1;
        for (level, &width) in widths.iter().enumerate() {
            for _ in 0..self.arch.num_res_blocks {
                let name = format!("input_blocks.{block}");
                self.residual(format!("{name}.0"), width, ResidualOptions::PLAIN)?;
                if self.attends() {
                    self.attention(format!("{name}.1"), self.arch.num_heads)?;
                }
                self.builder.end_block();
                self.builder.push_skip();
                block += 1;
            }
            if level + 1 < widths.len() {
                let name = format!("input_blocks.{block}.0");
                if self.arch.resblock_updown {
                    self.residual(name, width, ResidualOptions::resampling(Resample::Halve))?;
                } else {
                    let padding = self.arch.conv_resample.then_some((1, 1));
                    self.builder.down(format!("{name}.op"), padding);
                }
                self.builder.push_skip();
                block += 1;
            }
        }
        Ok(())
    }

    fn middle(&mut self) -> Result<(), ConfigError> {
        let width = self.builder.channels;
        self.residual("middle_block.0".to_owned(), width, ResidualOptions::PLAIN)?;
        self.attention("middle_block.1".to_owned(), self.arch.num_heads)?;
        self.builder.end_block();
        self.residual("middle_block.2".to_owned(), width, ResidualOptions::PLAIN)
    }

    fn up(&mut self, widths: &[usize]) -> Result<(), ConfigError> {
        let heads = self.arch.num_heads_upsample.unwrap_or(self.arch.num_heads);
        let mut block = 0;
        for (level, &width) in widths.iter().enumerate().rev() {
            for i in 0..=self.arch.num_res_blocks {
                let name = format!("output_blocks.{block}");
                let mut next = 0;
                let mut part = || {
                    next += 1;
                    format!("{name}.{}", next - 1)
                };
                self.residual(part(), width, ResidualOptions::popping())?;
                if self.attends() {
                    self.attention(part(), heads)?;
                }
                self.builder.end_block();
                if level > 0 && i == self.arch.num_res_blocks {
                    if self.arch.resblock_updown {
                        self.residual(
                            part(),
                            width,
                            ResidualOptions::resampling(Resample::Double),
                        )?;
                    } else {
                        let name = format!("{}.conv", part());
                        self.builder.up(name, self.arch.conv_resample);
                    }
                }
                block += 1;
            }
        }
        Ok(())
    }

    fn attends(&self) -> bool {
        self.arch.attention_resolutions.contains(&self.builder.size)
    }

    fn residual(
        &mut self,
        name: String,
        width: usize,
        options: ResidualOptions,
    ) -> Result<(), ConfigError> {
        self.builder.residual(name, width, |_| GROUPS, options)
    }

    fn attention(&mut self, name: String, heads: usize) -> Result<(), ConfigError> {
        let heads = match self.arch.num_head_channels {
            Some(width) => heads_of_width(&name, self.builder.channels, width)?,
            None => heads,
        };
        let options = AttentionOptions {
            heads,
            order: if self.arch.use_new_attention_order {
                QkvOrder::PartsFirst
            } else {
                QkvOrder::HeadsFirst
            },
            groups: Some(GROUPS),
            scale: 1.0,
        };
        self.builder.attention(name, options)
    }
}
