//! Lays the U-Net out, and names its layers as the weight files do.

use super::architecture::GuidedArchitecture;
use crate::foreign::ddpm::{
    AttentionOptions, Blueprint, Builder, ClassInput, DdpmArchitectureError, Dialect, HeadOrder,
    Normalisation, Sinusoids, heads_of_width,
};
use crate::plan::Resample;

const DIALECT: Dialect = Dialect {
    frame: &[
        ("embedding.time_0", "time_embed.0"),
        ("embedding.time_1", "time_embed.2"),
        ("embedding.class_table", "label_emb"),
        ("stem", "input_blocks.0.0"),
        ("norm", "out.0"),
        ("head", "out.2"),
    ],
    layer: &[
        ("norm_0", "in_layers.0"),
        ("conv_0", "in_layers.2"),
        ("time", "emb_layers.1"),
        ("norm_1", "out_layers.0"),
        ("conv_1", "out_layers.3"),
        ("shortcut", "skip_connection"),
        ("norm", "norm"),
        ("projections.qkv", "qkv"),
        ("projections.out", "proj_out"),
        ("conv", ""),
    ],
    older: &[],
};

/// All normalisations of these networks.
const NORMALISATION: Normalisation = Normalisation {
    groups: 32,
    epsilon: 1e-5,
};

pub(super) fn blueprint(arch: &GuidedArchitecture) -> Result<Blueprint, DdpmArchitectureError> {
    let widths = arch.check()?;
    let mut plan = Plan {
        arch,
        size: arch.image_size,
        builder: Builder::new(widths[0], NORMALISATION),
    };
    plan.down(&widths)?;
    plan.middle()?;
    plan.up(&widths)?;
    let last = plan.builder.channels;
    Ok(Blueprint {
        image_channels: arch.image_channels,
        out_channels: arch.image_channels * if arch.learn_sigma { 2 } else { 1 },
        sinusoids: Sinusoids {
            width: arch.num_channels,
            cosines_first: true,
            shift: 0,
        },
        embedding: 4 * arch.num_channels,
        class: match arch.num_classes {
            0 => ClassInput::None,
            classes => ClassInput::Table { classes },
        },
        normalisation: NORMALISATION,
        scale_shift: arch.use_scale_shift_norm,
        dropout: arch.dropout,
        centre_input: false,
        ends: [widths[0], last],
        stages: plan.builder.finish("out.0")?,
        dialect: &DIALECT,
        process: arch.process.clone(),
    })
}

struct Plan<'a> {
    arch: &'a GuidedArchitecture,
    size: usize,
    builder: Builder,
}

impl Plan<'_> {
    fn down(&mut self, widths: &[usize]) -> Result<(), DdpmArchitectureError> {
        // The stem is block 0.
        let mut block = 1;
        for (level, &width) in widths.iter().enumerate() {
            for _ in 0..self.arch.num_res_blocks {
                let name = format!("input_blocks.{block}");
                self.residual(format!("{name}.0"), width, Resample::Keep, false)?;
                if self.attends() {
                    self.attention(format!("{name}.1"), self.arch.num_heads)?;
                }
                self.builder.leave_skip();
                block += 1;
            }
            if level + 1 < widths.len() {
                let name = format!("input_blocks.{block}.0");
                self.size /= 2;
                if self.arch.resblock_updown {
                    self.residual(name, width, Resample::Halve, false)?;
                } else {
                    let padding = self.arch.conv_resample.then_some((1, 1));
                    self.builder.halve(format!("{name}.op"), padding);
                }
                self.builder.leave_skip();
                block += 1;
            }
        }
        Ok(())
    }

    fn middle(&mut self) -> Result<(), DdpmArchitectureError> {
        let width = self.builder.channels;
        self.residual("middle_block.0".to_owned(), width, Resample::Keep, false)?;
        self.attention("middle_block.1".to_owned(), self.arch.num_heads)?;
        self.residual("middle_block.2".to_owned(), width, Resample::Keep, false)
    }

    fn up(&mut self, widths: &[usize]) -> Result<(), DdpmArchitectureError> {
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
                self.residual(part(), width, Resample::Keep, true)?;
                if self.attends() {
                    self.attention(part(), heads)?;
                }
                if level > 0 && i == self.arch.num_res_blocks {
                    self.size *= 2;
                    if self.arch.resblock_updown {
                        self.residual(part(), width, Resample::Double, false)?;
                    } else {
                        let name = format!("{}.conv", part());
                        self.builder.double(name, self.arch.conv_resample);
                    }
                }
                block += 1;
            }
        }
        Ok(())
    }

    fn attends(&self) -> bool {
        self.arch.attention_resolutions.contains(&self.size)
    }

    fn residual(
        &mut self,
        name: String,
        width: usize,
        resample: Resample,
        takes_skip: bool,
    ) -> Result<(), DdpmArchitectureError> {
        self.builder
            .residual(name, width, resample, 1.0, takes_skip)
    }

    fn attention(&mut self, name: String, heads: usize) -> Result<(), DdpmArchitectureError> {
        let heads = match self.arch.num_head_channels {
            Some(width) => heads_of_width(&name, self.builder.channels, width)?,
            None => heads,
        };
        let options = AttentionOptions {
            heads,
            order: if self.arch.use_new_attention_order {
                HeadOrder::Joint
            } else {
                HeadOrder::Interleaved
            },
            groups: Some(NORMALISATION.groups),
            factor: 1.0,
        };
        self.builder.attention(name, options)
    }
}
