use super::network::GuidedDiffusionConfig;
use crate::check::{
    MOST_BLOCKS, MOST_CHANNELS, MOST_CLASSES, check_above_zero, check_attention_sizes,
    check_counts, check_dropout, check_size,
};
use crate::config_error::ConfigError;

impl GuidedDiffusionConfig {
    /// Checks single keys; gives the channels of each level.
    pub(super) fn check(&self) -> Result<Vec<usize>, ConfigError> {
        check_counts(&[
            ("image_size", self.image_size, MOST_CHANNELS),
            ("image_channels", self.image_channels, MOST_CHANNELS),
            ("num_channels", self.num_channels, MOST_CHANNELS),
            ("num_res_blocks", self.num_res_blocks, MOST_BLOCKS),
            ("channel_mult", self.channel_mult.len(), MOST_BLOCKS),
            ("num_classes", self.num_classes.max(1), MOST_CLASSES),
        ])?;
        check_dropout(self.dropout)?;
        self.process.check()?;
        let sizes = check_size(self.image_size, self.channel_mult.len())?;
        check_attention_sizes("attention_resolutions", &self.attention_resolutions, sizes)?;
        let width = |&factor: &f64| {
            check_above_zero("channel_mult", factor)?;
            Ok((factor * self.num_channels as f64) as usize)
        };
        let widths: Vec<usize> = self
            .channel_mult
            .iter()
            .map(width)
            .collect::<Result<_, _>>()?;
        for &width in &widths {
            check_counts(&[("channel_mult * num_channels", width, MOST_CHANNELS)])?;
        }
        Ok(widths)
    }
}
