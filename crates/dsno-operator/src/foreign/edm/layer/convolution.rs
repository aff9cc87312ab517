//! A convolution that may change the size.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;

use super::{Filter, Start};
use crate::foreign::edm::plan::{ConvShape, Resample};
use crate::init::Initializer;

/// A change of size, then a convolution with zeros around the map; either may be absent.
///
/// [`Resample::HalveAfter`] convolves first, at full resolution and past the border as far as the
/// filter reads, which is not the same.
#[derive(Module, Debug)]
pub(in crate::foreign::edm) struct Convolution {
    /// `[out, in, k, k]`
    weight: Option<Param<Tensor<4>>>,
    /// `[out]`
    bias: Option<Param<Tensor<1>>>,
    #[module(skip)]
    resample: Resample,
    #[module(skip)]
    filter: Filter,
}

impl Convolution {
    pub(in crate::foreign::edm) fn new(
        init: &mut Initializer<'_>,
        shape: ConvShape,
        filter: &Filter,
        start: Start,
    ) -> Self {
        let ([i, o], k) = (shape.channels, shape.kernel);
        Self {
            weight: (k > 0).then(|| start.weight(init, [o, i, k, k])),
            bias: (k > 0).then(|| start.bias(init, i * k * k, o)),
            resample: shape.resample,
            filter: filter.clone(),
        }
    }

    /// `[N, in, H, W]` to `[N, out, H', W']`.
    pub(in crate::foreign::edm) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        match self.resample {
            Resample::Keep => self.convolve(x, 0),
            Resample::Halve => self.convolve(self.filter.halve(x), 0),
            Resample::HalveAfter => {
                let wide = self.convolve(x, self.filter.padding());
                self.filter.halve_padded(wide)
            }
            Resample::Double => self.convolve(self.filter.double(x), 0),
        }
    }

    /// Grows the map by `margin` pixels on each side.
    fn convolve(&self, x: Tensor<4>, margin: usize) -> Tensor<4> {
        let Some(weight) = &self.weight else {
            return x;
        };
        let weight = weight.val();
        let padding = weight.dims()[2] / 2 + margin;
        let bias = self.bias.as_ref().map(Param::val);
        conv2d(
            x,
            weight,
            bias,
            ConvOptions::new([1, 1], [padding; 2], [1, 1], 1),
        )
    }
}
