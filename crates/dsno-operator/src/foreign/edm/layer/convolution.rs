//! A convolution that may change the size.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use dsno_kernels::{GroupNorm, group_norm_silu, norm_silu_conv3x3};

use super::{Filter, Start};
use crate::foreign::edm::plan::{ConvShape, Resample};
use crate::foreign::map;
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

    /// `[N, H, W, in]` to `[N, H', W', out]`.
    pub(in crate::foreign::edm) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        match self.resample {
            Resample::Keep => self.convolve(x, None),
            Resample::Halve => self.convolve(self.filter.halve(x), None),
            Resample::HalveAfter => {
                let margin = (self.filter.padding(), self.filter.padding());
                let wide = self.convolve(x.pad([margin, margin, (0, 0)], 0.0), None);
                self.filter.halve_padded(wide)
            }
            Resample::Double => self.convolve(self.filter.double(x), None),
        }
    }

    /// The same of a map normalised and activated before, with `residual` added.
    pub(in crate::foreign::edm) fn forward_activated(
        &self,
        x: Tensor<4>,
        norm: GroupNorm,
        residual: Option<Tensor<4>>,
    ) -> Tensor<4> {
        let change = self.filter.plain(self.resample);
        if let (Some(change), Some((weight, bias))) = (change, self.parts()) {
            return norm_silu_conv3x3(x, norm, change, weight, bias, residual);
        }
        let y = self.forward(group_norm_silu(x, norm));
        match residual {
            Some(residual) => y + residual,
            None => y,
        }
    }

    /// Convolves alone, and adds `residual`.
    pub(in crate::foreign::edm) fn convolve(
        &self,
        x: Tensor<4>,
        residual: Option<Tensor<4>>,
    ) -> Tensor<4> {
        match (self.parts(), residual) {
            (Some((weight, bias)), residual) => map::convolve(x, weight, bias, residual),
            (None, Some(residual)) => x + residual,
            (None, None) => x,
        }
    }

    /// Weight and bias.
    pub(in crate::foreign::edm) fn parts(&self) -> Option<(Tensor<4>, Tensor<1>)> {
        Some((self.weight.as_ref()?.val(), self.bias.as_ref()?.val()))
    }
}
