//! What can be wrong with the numbers of a configuration.

use super::network::{EdmConfig, EdmModel};
use crate::check::{
    MOST_CHANNELS, MOST_CLASSES, check_attention_sizes, check_dropout, check_range, check_size,
};
use crate::config_error::ConfigError;

/// Far beyond any network; what follows from counts below it fits a `usize`.
const MOST: usize = 4096;
const MOST_TAPS: usize = 64;

impl EdmConfig {
    /// Finds the first key that cannot work, channels apart.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let noise = match self.model {
            EdmModel::SongUNet {
                channel_mult_noise, ..
            } => channel_mult_noise,
            EdmModel::DhariwalUNet {} => 1,
        };
        let smallest = self.channel_mult.iter().copied().min();
        let largest = self.channel_mult.iter().copied().max();
        let counts = [
            ("img_resolution", self.img_resolution, 1, MOST_CHANNELS),
            ("img_channels", self.img_channels, 1, MOST),
            ("label_dim", self.label_dim, 0, MOST_CLASSES),
            ("augment_dim", self.augment_dim, 0, MOST),
            ("model_channels", self.model_channels, 1, MOST),
            ("channel_mult", smallest.unwrap_or(0), 1, MOST),
            ("channel_mult", largest.unwrap_or(0), 1, MOST),
            ("channel_mult_emb", self.channel_mult_emb, 1, MOST),
            ("num_blocks", self.num_blocks, 1, MOST),
            ("channel_mult_noise", noise, 1, MOST),
        ];
        for (key, found, least, most) in counts {
            if !(least..=most).contains(&found) {
                return Err(ConfigError::Count {
                    key,
                    found,
                    least,
                    most,
                });
            }
        }
        check_dropout(self.dropout)?;
        let width = self.noise_channels();
        let ok = width >= 4 && width.is_multiple_of(2);
        let expected = "an even number of at least 4";
        check_range(ok, "width of the noise embedding", width as f64, expected)?;
        check_filter(self.taps())?;
        self.preconditioning.check()?;
        let sizes = check_size(self.img_resolution, self.channel_mult.len())?;
        check_attention_sizes("attn_resolutions", &self.attn_resolutions, sizes)
    }
}

fn check_filter(taps: &[f64]) -> Result<(), ConfigError> {
    let sum: f64 = taps.iter().sum();
    let even = taps.len().is_multiple_of(2) && (2..=MOST_TAPS).contains(&taps.len());
    if !even || !sum.is_finite() || sum == 0.0 {
        return Err(ConfigError::Filter {
            found: taps.to_vec(),
        });
    }
    Ok(())
}
