//! What can be wrong with the numbers of an architecture.

use super::{EdmArchitecture, EdmModel};
use crate::foreign::edm::error::EdmArchitectureError;

/// Far beyond any network; what follows from counts below them fits a `usize`.
const MOST: usize = 4096;
const MOST_PIXELS: usize = 1 << 16;
const MOST_CLASSES: usize = 1 << 24;
const MOST_TAPS: usize = 64;

impl EdmArchitecture {
    /// Finds the first key that cannot work, channels apart.
    pub(super) fn check(&self) -> Result<(), EdmArchitectureError> {
        let noise = match self.model {
            EdmModel::SongUNet {
                channel_mult_noise, ..
            } => channel_mult_noise,
            EdmModel::DhariwalUNet {} => 1,
        };
        let smallest = self.channel_mult.iter().copied().min();
        let largest = self.channel_mult.iter().copied().max();
        let counts = [
            ("img_resolution", self.img_resolution, 1, MOST_PIXELS),
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
                return Err(EdmArchitectureError::Count {
                    key,
                    found,
                    least,
                    most,
                });
            }
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(EdmArchitectureError::Dropout {
                found: self.dropout,
            });
        }
        let width = self.noise_channels();
        if width < 4 || !width.is_multiple_of(2) {
            return Err(EdmArchitectureError::NoiseWidth { found: width });
        }
        check_filter(self.taps())?;
        self.preconditioning.check()?;
        self.check_sizes()
    }

    fn check_sizes(&self) -> Result<(), EdmArchitectureError> {
        let levels = self.channel_mult.len();
        let divisor = u32::try_from(levels - 1)
            .ok()
            .and_then(|halvings| 1_usize.checked_shl(halvings));
        if !divisor.is_some_and(|divisor| self.img_resolution.is_multiple_of(divisor)) {
            return Err(EdmArchitectureError::Size {
                img_resolution: self.img_resolution,
                levels,
            });
        }
        let occurring: Vec<usize> = (0..levels).map(|l| self.img_resolution >> l).collect();
        match self
            .attn_resolutions
            .iter()
            .find(|size| !occurring.contains(size))
        {
            Some(&asked) => Err(EdmArchitectureError::AttentionSize { asked, occurring }),
            None => Ok(()),
        }
    }
}

fn check_filter(taps: &[f64]) -> Result<(), EdmArchitectureError> {
    let sum: f64 = taps.iter().sum();
    let even = taps.len().is_multiple_of(2) && (2..=MOST_TAPS).contains(&taps.len());
    if !even || !sum.is_finite() || sum == 0.0 {
        return Err(EdmArchitectureError::Filter {
            found: taps.to_vec(),
        });
    }
    Ok(())
}
