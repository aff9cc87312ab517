use super::architecture::DiffusersArchitecture;
use crate::foreign::ddpm::{
    DdpmArchitectureError, MOST_BLOCKS, MOST_CHANNELS, MOST_CLASSES, check_above_zero,
    check_counts, check_dropout, check_size,
};

impl DiffusersArchitecture {
    /// Checks single keys; those that follow from several are checked with the plan.
    pub(super) fn check(&self) -> Result<(), DdpmArchitectureError> {
        let levels = self.block_out_channels.len();
        let or_one = |value: Option<usize>| value.unwrap_or(1);
        check_counts(&[
            ("sample_size", self.sample_size, MOST_CHANNELS),
            ("in_channels", self.in_channels, MOST_CHANNELS),
            ("block_out_channels", levels, MOST_BLOCKS),
            ("layers_per_block", self.layers_per_block, MOST_BLOCKS),
            ("norm_num_groups", self.norm_num_groups, MOST_CHANNELS),
            (
                "attn_norm_num_groups",
                or_one(self.attn_norm_num_groups),
                MOST_CHANNELS,
            ),
            (
                "attention_head_dim",
                or_one(self.attention_head_dim),
                MOST_CHANNELS,
            ),
            (
                "time_embedding_dim",
                or_one(self.time_embedding_dim),
                MOST_CHANNELS,
            ),
            (
                "num_class_embeds",
                or_one(self.num_class_embeds),
                MOST_CLASSES,
            ),
        ])?;
        for &width in &self.block_out_channels {
            check_counts(&[("block_out_channels", width, MOST_CHANNELS)])?;
        }
        let lists = [
            ("down_block_types", self.down_block_types.len()),
            ("up_block_types", self.up_block_types.len()),
        ];
        if let Some(&(key, found)) = lists.iter().find(|(_, found)| *found != levels) {
            return Err(DdpmArchitectureError::Length {
                key,
                found,
                expected: levels,
            });
        }
        check_size(self.sample_size, levels)?;
        check_dropout(self.dropout)?;
        check_above_zero("norm_eps", self.norm_eps)?;
        check_above_zero("mid_block_scale_factor", self.mid_block_scale_factor)?;
        if self.downsample_padding > 1 {
            return Err(DdpmArchitectureError::Range {
                key: "downsample_padding",
                found: self.downsample_padding as f64,
                expected: "0 or 1",
            });
        }
        if self.freq_shift >= self.block_out_channels[0] / 2 {
            return Err(DdpmArchitectureError::Range {
                key: "freq_shift",
                found: self.freq_shift as f64,
                expected: "less than half of block_out_channels[0]",
            });
        }
        let (found, image) = (self.out_channels, self.in_channels);
        if found != image && found != 2 * image {
            return Err(DdpmArchitectureError::OutChannels { found, image });
        }
        self.process.check()
    }
}
