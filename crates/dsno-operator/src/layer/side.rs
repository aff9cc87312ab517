//! Layers of the side image that NCSN++ and its like carry beside the main path.

use burn::module::Module;
use burn::tensor::Tensor;
use dsno_kernels::Resample;

use super::conv1x1::Conv1x1;
use super::conv3x3::Conv3x3;
use super::filter::Filter;
use crate::init::Initializer;

/// A change of resolution, a convolution, or both.
#[derive(Module, Debug)]
pub(crate) struct Side {
    conv: Option<Kernel>,
    #[module(skip)]
    resample: Resample,
    /// Convolves at full resolution, and past the border as far as the filter reads.
    #[module(skip)]
    conv_first: bool,
    #[module(skip)]
    filter: Filter,
}

#[derive(Module, Debug)]
enum Kernel {
    One(Conv1x1),
    Three(Conv3x3),
}

impl Side {
    pub(crate) fn new(
        init: &mut Initializer<'_>,
        channels: [usize; 2],
        kernel: usize,
        resample: Resample,
        conv_first: bool,
        filter: Filter,
    ) -> Self {
        Self {
            conv: match kernel {
                0 => None,
                1 => Some(Kernel::One(Conv1x1::new(init, channels, 1.0))),
                _ => Some(Kernel::Three(Conv3x3::new(init, channels, 1.0))),
            },
            resample,
            conv_first,
            filter,
        }
    }

    /// `[N, H, W, in]` to `[N, H', W', out]`.
    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        if self.conv_first {
            let margin = (self.filter.padding(), self.filter.padding());
            let wide = self.convolve(x.pad([margin, margin, (0, 0)], 0.0));
            return self.filter.halve_padded(wide);
        }
        self.convolve(self.filter.apply(x, self.resample))
    }

    fn convolve(&self, x: Tensor<4>) -> Tensor<4> {
        match &self.conv {
            None => x,
            Some(Kernel::One(conv)) => conv.forward(x, None),
            Some(Kernel::Three(conv)) => conv.forward(x, None),
        }
    }
}
