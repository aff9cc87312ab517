//! What the blocks are told: noise level and class in one vector.

use burn::tensor::{Device, Tensor, TensorData};

use super::EdmNetwork;
use crate::layer::silu;

impl EdmNetwork {
    /// Noise levels and classes to `[B, E]`, or `[1, E]` where nothing depends on the sample.
    pub(super) fn embed(
        &self,
        noise: &[f64],
        labels: Option<&[u32]>,
        b: usize,
        device: &Device,
    ) -> Tensor<2> {
        let noise = self.noise.embed(noise, device);
        let song = self.architecture.is_song();
        let class = self.map_label.as_ref().map(|map| {
            let strength = if song {
                (self.architecture.label_dim as f64).sqrt()
            } else {
                1.0
            };
            map.forward(self.one_hot(labels, strength, b, device))
        });
        assert!(
            class.is_some() || labels.is_none(),
            "labels given to a network without classes"
        );
        if song {
            let both = match class {
                Some(class) => noise + class,
                None => noise,
            };
            silu(self.map_layer1.forward(silu(self.map_layer0.forward(both))))
        } else {
            let noise = self
                .map_layer1
                .forward(silu(self.map_layer0.forward(noise)));
            silu(match class {
                Some(class) => noise + class,
                None => noise,
            })
        }
    }

    fn one_hot(
        &self,
        labels: Option<&[u32]>,
        strength: f64,
        b: usize,
        device: &Device,
    ) -> Tensor<2> {
        let classes = self.architecture.label_dim;
        let Some(labels) = labels else {
            return Tensor::zeros([1, classes], device);
        };
        assert_eq!(labels.len(), b, "one label per sample");
        let mut values = vec![0.0_f32; b * classes];
        for (row, &label) in values.chunks_mut(classes).zip(labels) {
            assert!((label as usize) < classes, "label {label} of {classes}");
            row[label as usize] = strength as f32;
        }
        Tensor::from_data(TensorData::new(values, [b, classes]), device)
    }
}
