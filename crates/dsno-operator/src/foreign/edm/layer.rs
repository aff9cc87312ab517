//! The layers of EDM networks, with their parameters named and laid out as in the files.

mod block;
mod convolution;
mod embedding;
mod linear;
mod norm;
mod resample;
mod style;

pub(super) use block::Block;
pub(super) use convolution::Convolution;
pub(super) use embedding::{Noise, positional};
pub(super) use linear::Linear;
pub(super) use norm::GroupNorm;
pub(super) use resample::Filter;
pub(super) use style::BlockStyle;

use burn::module::Param;
use burn::tensor::Tensor;

use crate::init::Initializer;

/// How a layer's numbers start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Start {
    /// Uniform with variance `scale` over the mean of both fans; biases zero.
    Average(f64),
    /// Uniform in `±1/√fan_in`; biases too.
    FanIn,
    /// Zero.
    Zero,
    /// Uniform with variance 1.
    Unit,
}

impl Start {
    fn weight<const D: usize>(
        self,
        init: &mut Initializer<'_>,
        shape: [usize; D],
    ) -> Param<Tensor<D>> {
        let area: usize = shape[2..].iter().product();
        let fans = [shape[1] * area, shape[0] * area];
        match self {
            Self::Average(scale) => init.fan_average(shape, fans, scale),
            Self::FanIn => {
                let bound = 1.0 / (fans[0] as f64).sqrt();
                init.uniform(shape, -bound, bound)
            }
            Self::Zero => init.zeros(shape),
            Self::Unit => {
                let bound = 3.0_f64.sqrt();
                init.uniform(shape, -bound, bound)
            }
        }
    }

    fn bias(self, init: &mut Initializer<'_>, fan_in: usize, channels: usize) -> Param<Tensor<1>> {
        match self {
            Self::FanIn => {
                let bound = 1.0 / (fan_in as f64).sqrt();
                init.uniform([channels], -bound, bound)
            }
            Self::Average(_) | Self::Zero | Self::Unit => init.zeros([channels]),
        }
    }
}
