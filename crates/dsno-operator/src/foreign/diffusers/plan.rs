//! Lays the U-Net out, and names its layers as the weight files do.

use super::architecture::{
    ClassEmbedType, DiffusersArchitecture, DownBlockType, MidBlockType, ResampleType,
    TimeScaleShift, UpBlockType,
};
use crate::foreign::ddpm::{
    AttentionOptions, Blueprint, Builder, ClassInput, DdpmArchitectureError, Dialect, HeadOrder,
    Normalisation, Sinusoids, heads_of_width,
};
use crate::plan::Resample;

const DIALECT: Dialect = Dialect {
    frame: &[
        ("embedding.time_0", "time_embedding.linear_1"),
        ("embedding.time_1", "time_embedding.linear_2"),
        ("embedding.class_table", "class_embedding"),
        ("embedding.class_map.class_0", "class_embedding.linear_1"),
        ("embedding.class_map.class_1", "class_embedding.linear_2"),
        ("stem", "conv_in"),
        ("norm", "conv_norm_out"),
        ("head", "conv_out"),
    ],
    layer: &[
        ("norm_0", "norm1"),
        ("conv_0", "conv1"),
        ("time", "time_emb_proj"),
        ("norm_1", "norm2"),
        ("conv_1", "conv2"),
        ("shortcut", "conv_shortcut"),
        ("norm", "group_norm"),
        ("projections.q", "to_q"),
        ("projections.k", "to_k"),
        ("projections.v", "to_v"),
        ("projections.out", "to_out.0"),
        ("conv", "conv"),
    ],
    older: &[
        ("to_q", "query"),
        ("to_k", "key"),
        ("to_v", "value"),
        ("to_out.0", "proj_attn"),
    ],
};

pub(super) fn blueprint(arch: &DiffusersArchitecture) -> Result<Blueprint, DdpmArchitectureError> {
    arch.check()?;
    let normalisation = Normalisation {
        groups: arch.norm_num_groups,
        epsilon: arch.norm_eps,
    };
    let base = arch.block_out_channels[0];
    let mut plan = Plan {
        arch,
        builder: Builder::new(base, normalisation),
    };
    plan.down()?;
    plan.middle()?;
    plan.up()?;
    let last = plan.builder.channels;
    Ok(Blueprint {
        image_channels: arch.in_channels,
        out_channels: arch.out_channels,
        sinusoids: Sinusoids {
            width: base,
            cosines_first: arch.flip_sin_to_cos,
            shift: arch.freq_shift,
        },
        embedding: arch.time_embedding_dim.unwrap_or(4 * base),
        class: match (arch.class_embed_type, arch.num_class_embeds) {
            (Some(ClassEmbedType::Timestep), _) => ClassInput::Numbers,
            (Some(ClassEmbedType::Identity), _) => ClassInput::Vectors,
            (None, Some(classes)) => ClassInput::Table { classes },
            (None, None) => ClassInput::None,
        },
        normalisation,
        scale_shift: arch.resnet_time_scale_shift == TimeScaleShift::ScaleShift,
        dropout: arch.dropout,
        centre_input: arch.center_input_sample,
        ends: [base, last],
        stages: plan.builder.finish("conv_norm_out")?,
        dialect: &DIALECT,
        process: arch.process.clone(),
    })
}

struct Plan<'a> {
    arch: &'a DiffusersArchitecture,
    builder: Builder,
}

impl Plan<'_> {
    fn down(&mut self) -> Result<(), DdpmArchitectureError> {
        let levels = self.arch.block_out_channels.len();
        for (i, &kind) in self.arch.down_block_types.iter().enumerate() {
            let width = self.arch.block_out_channels[i];
            for j in 0..self.arch.layers_per_block {
                let name = format!("down_blocks.{i}.resnets.{j}");
                self.residual(name, width, Resample::Keep, false)?;
                if kind == DownBlockType::Attention {
                    self.attention(format!("down_blocks.{i}.attentions.{j}"))?;
                }
                self.builder.leave_skip();
            }
            if i + 1 < levels {
                let name = format!("down_blocks.{i}.downsamplers.0");
                match (kind, self.arch.downsample_type) {
                    (DownBlockType::Resnet, _)
                    | (DownBlockType::Attention, ResampleType::Resnet) => {
                        self.residual(name, width, Resample::Halve, false)?;
                    }
                    (DownBlockType::Plain, _) | (DownBlockType::Attention, ResampleType::Conv) => {
                        let padding = (self.arch.downsample_padding, 1);
                        self.builder.halve(name, Some(padding));
                    }
                }
                self.builder.leave_skip();
            }
        }
        Ok(())
    }

    fn middle(&mut self) -> Result<(), DdpmArchitectureError> {
        let Some(MidBlockType::Plain) = self.arch.mid_block_type else {
            return Ok(());
        };
        let (width, factor) = (self.builder.channels, self.arch.mid_block_scale_factor);
        let residual = |builder: &mut Builder, name: &str| {
            builder.residual(name.to_owned(), width, Resample::Keep, factor, false)
        };
        residual(&mut self.builder, "mid_block.resnets.0")?;
        if self.arch.add_attention {
            let name = "mid_block.attentions.0".to_owned();
            let groups = match self.arch.resnet_time_scale_shift {
                TimeScaleShift::Default => Some(self.arch.norm_num_groups),
                TimeScaleShift::ScaleShift => None,
            };
            let options = AttentionOptions {
                groups: self.arch.attn_norm_num_groups.or(groups),
                factor,
                ..self.attention_options(&name)?
            };
            self.builder.attention(name, options)?;
        }
        residual(&mut self.builder, "mid_block.resnets.1")
    }

    fn up(&mut self) -> Result<(), DdpmArchitectureError> {
        let levels = self.arch.block_out_channels.len();
        for (i, &kind) in self.arch.up_block_types.iter().enumerate() {
            let width = self.arch.block_out_channels[levels - 1 - i];
            for j in 0..=self.arch.layers_per_block {
                let name = format!("up_blocks.{i}.resnets.{j}");
                self.residual(name, width, Resample::Keep, true)?;
                if kind == UpBlockType::Attention {
                    self.attention(format!("up_blocks.{i}.attentions.{j}"))?;
                }
            }
            if i + 1 < levels {
                let name = format!("up_blocks.{i}.upsamplers.0");
                match (kind, self.arch.upsample_type) {
                    (UpBlockType::Resnet, _) | (UpBlockType::Attention, ResampleType::Resnet) => {
                        self.residual(name, width, Resample::Double, false)?;
                    }
                    (UpBlockType::Plain, _) | (UpBlockType::Attention, ResampleType::Conv) => {
                        self.builder.double(name, true);
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
        resample: Resample,
        takes_skip: bool,
    ) -> Result<(), DdpmArchitectureError> {
        self.builder
            .residual(name, width, resample, 1.0, takes_skip)
    }

    fn attention(&mut self, name: String) -> Result<(), DdpmArchitectureError> {
        let options = self.attention_options(&name)?;
        self.builder.attention(name, options)
    }

    fn attention_options(&self, name: &str) -> Result<AttentionOptions, DdpmArchitectureError> {
        let heads = match self.arch.attention_head_dim {
            Some(width) => heads_of_width(name, self.builder.channels, width)?,
            None => 1,
        };
        Ok(AttentionOptions {
            heads,
            order: HeadOrder::Separate,
            groups: Some(self.arch.norm_num_groups),
            factor: 1.0,
        })
    }
}
