//! Images as reals and tensors, mirrored if asked for.

use burn::tensor::{Device, Tensor, TensorData};

use super::ImageSet;
use crate::order::Example;

impl ImageSet {
    /// Returns one image as `[C, H, W]` in `[-1, 1]`.
    ///
    /// # Panics
    ///
    /// If `index` is not below [`len`](Self::len).
    pub fn image(&self, index: usize) -> Vec<f32> {
        let mut values = Vec::with_capacity(self.image_len());
        self.append(index, &mut values);
        values
    }

    fn append(&self, index: usize, values: &mut Vec<f32>) {
        let size = self.image_len();
        self.pixels.append(index * size..(index + 1) * size, values);
    }

    /// Returns the images at `indices` as one batch.
    ///
    /// # Shapes
    ///
    /// | value    | shape                     | range and unit |
    /// |----------|---------------------------|----------------|
    /// | returned | `[indices.len(), C, H, W]`| `[-1, 1]`, f32 |
    ///
    /// # Panics
    ///
    /// If an index is not below [`len`](Self::len).
    pub fn batch(&self, indices: &[usize], device: &Device) -> Tensor<4> {
        let mut values = Vec::with_capacity(indices.len() * self.image_len());
        for &index in indices {
            self.append(index, &mut values);
        }
        self.to_tensor(values, indices.len(), device)
    }

    /// Returns training examples as one batch `[B, C, H, W]`, mirrored where they say so.
    ///
    /// # Panics
    ///
    /// If an index is not below [`len`](Self::len).
    pub fn examples(&self, examples: &[Example], device: &Device) -> Tensor<4> {
        let mut values = Vec::with_capacity(examples.len() * self.image_len());
        for example in examples {
            let start = values.len();
            self.append(example.index, &mut values);
            if example.flip {
                values[start..]
                    .chunks_mut(self.width)
                    .for_each(<[f32]>::reverse);
            }
        }
        self.to_tensor(values, examples.len(), device)
    }

    fn to_tensor(&self, values: Vec<f32>, count: usize, device: &Device) -> Tensor<4> {
        let shape = [count, self.channels, self.height, self.width];
        Tensor::from_data(TensorData::new(values, shape), device)
    }
}
