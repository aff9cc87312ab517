//! Layers of the side image that NCSN++ and its like carry beside the main path.

use burn::module::Module;
use burn::tensor::Tensor;

use super::{Conv1x1, Conv3x3, Filter};
use crate::init::Initializer;
use crate::plan::SideShape;

/// A change of resolution, a convolution, or both.
#[derive(Module, Debug)]
pub(crate) struct Side {
    conv: Option<Kernel>,
    #[module(skip)]
    shape: SideShape,
    #[module(skip)]
    filter: Filter,
}

#[derive(Module, Debug)]
enum Kernel {
    One(Conv1x1),
    Three(Conv3x3),
}

impl Side {
    pub(crate) fn new(init: &mut Initializer<'_>, shape: SideShape, filter: Filter) -> Self {
        Self {
            conv: match shape.kernel {
                0 => None,
                1 => Some(Kernel::One(Conv1x1::new(init, shape.channels, 1.0))),
                _ => Some(Kernel::Three(Conv3x3::new(init, shape.channels, 1.0))),
            },
            shape,
            filter,
        }
    }

    /// `[N, H, W, in]` to `[N, H', W', out]`.
    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        if self.shape.conv_first {
            // At full resolution, and past the border as far as the filter reads.
            let margin = (self.filter.padding(), self.filter.padding());
            let wide = self.convolve(x.pad([margin, margin, (0, 0)], 0.0));
            return self.filter.halve_padded(wide);
        }
        self.convolve(self.filter.apply(x, self.shape.resample))
    }

    fn convolve(&self, x: Tensor<4>) -> Tensor<4> {
        match &self.conv {
            None => x,
            Some(Kernel::One(conv)) => conv.forward(x, None),
            Some(Kernel::Three(conv)) => conv.forward(x, None),
        }
    }
}
