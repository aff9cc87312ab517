//! Images with labels on the host, and how many of them a classifier gets right.

use std::ops::Range;

use burn::tensor::{Device, Tensor, TensorData};
use dsno_model::batches;

use super::config::ClassifierConfig;
use super::{Classifier, ClassifierError};
use crate::host::to_host;

/// Images for one pass through the network when nothing is learnt from them.
const PASS: usize = 256;

/// Images and labels on the host, borrowed from whatever holds them.
///
/// | value    | shape          | range and unit           |
/// |----------|----------------|--------------------------|
/// | `pixels` | `[N, C, H, W]` | pixel units, `[-1, 1]`   |
/// | `labels` | `[N]`          | `0..classes`             |
#[derive(Debug, Clone, Copy)]
pub struct LabelledImages<'a> {
    /// All pixels, row-major.
    pub pixels: &'a [f32],
    /// One label per image.
    pub labels: &'a [u32],
}

impl Classifier {
    /// Gives the share of images whose largest logit is their label's, from 0 to 1.
    ///
    /// # Errors
    ///
    /// * [`ClassifierError::ImageCount`] or [`ClassifierError::Label`] if the images do not fit.
    pub fn accuracy(
        &self,
        images: LabelledImages<'_>,
        device: &Device,
    ) -> Result<f64, ClassifierError> {
        images.validate(&self.config)?;
        let mut hits = 0;
        for indices in images.passes() {
            let labels = &images.labels[indices.clone()];
            let logits = to_host(self.logits(images.tensor(&self.config, indices, device))?)?;
            hits += logits
                .chunks_exact(self.config.classes)
                .zip(labels)
                .filter(|(row, label)| {
                    let best = row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
                    best.is_some_and(|(class, _)| class == **label as usize)
                })
                .count();
        }
        Ok(hits as f64 / images.labels.len() as f64)
    }
}

impl LabelledImages<'_> {
    pub(super) fn validate(&self, config: &ClassifierConfig) -> Result<(), ClassifierError> {
        let (labels, found) = (self.labels.len(), self.pixels.len());
        if labels == 0 || labels.checked_mul(config.pixels()) != Some(found) {
            return Err(ClassifierError::ImageCount {
                labels,
                pixels_each: config.pixels(),
                found,
            });
        }
        let classes = config.classes;
        for (image, &label) in self.labels.iter().enumerate() {
            if label as usize >= classes {
                return Err(ClassifierError::Label {
                    image,
                    label,
                    classes,
                });
            }
        }
        Ok(())
    }

    pub(super) fn passes(&self) -> Vec<Range<usize>> {
        batches::ranges(self.labels.len(), PASS)
    }

    pub(super) fn tensor(
        &self,
        config: &ClassifierConfig,
        indices: Range<usize>,
        device: &Device,
    ) -> Tensor<4> {
        let (pixels, side) = (config.pixels(), config.image_size);
        let shape = [indices.len(), config.image_channels, side, side];
        let part = self.pixels[indices.start * pixels..indices.end * pixels].to_vec();
        Tensor::from_data(TensorData::new(part, shape), device)
    }
}
