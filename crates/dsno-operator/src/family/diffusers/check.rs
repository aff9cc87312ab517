use super::network::DiffusersConfig;
use crate::check::{
    MOST_BLOCKS, MOST_CHANNELS, MOST_CLASSES, check_above_zero, check_counts, check_dropout,
    check_range, check_size,
};
use crate::config_error::ConfigError;

impl DiffusersConfig {
    /// Checks single keys; those that follow from several are checked with the plan.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
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
}
