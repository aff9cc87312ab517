//! Averaged pixels as features.

use burn::tensor::Tensor;

use super::{FeatureError, Features};

/// The image itself, averaged in blocks down to `size × size`; for sets without a classifier.
///
/// # Examples
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use dsno_eval::{Features, PixelFeatures};
///
/// let pixels = PixelFeatures::new(2);
/// assert_eq!(pixels.space(), "pixels averaged to 2×2");
/// let images = Tensor::<4>::ones([1, 3, 8, 8], &Device::flex());
/// assert_eq!(pixels.extract(images)?.dims(), [1, 12]);
/// assert!(pixels.check([3, 9, 8]).is_err());
/// # Ok::<(), dsno_eval::FeatureError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PixelFeatures {
    size: usize,
    space: String,
}

impl PixelFeatures {
    /// Features of `size × size` averaged pixels a channel.
    pub fn new(size: usize) -> Self {
        let space = format!("pixels averaged to {size}×{size}");
        Self { size, space }
    }
}

impl Features for PixelFeatures {
    fn space(&self) -> &str {
        &self.space
    }

    fn check(&self, [_, height, width]: [usize; 3]) -> Result<(), FeatureError> {
        let size = self.size;
        if size > 0 && height % size == 0 && width % size == 0 {
            return Ok(());
        }
        Err(FeatureError::Blocks {
            size,
            height,
            width,
        })
    }

    fn extract(&self, images: Tensor<4>) -> Result<Tensor<2>, FeatureError> {
        let [b, c, h, w] = images.dims();
        self.check([c, h, w])?;
        let size = self.size;
        let blocks = images.reshape([b * c, size, h / size, size, w / size]);
        Ok(blocks.mean_dim(4).mean_dim(2).reshape([b, c * size * size]))
    }
}
