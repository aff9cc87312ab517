//! Self-attention between the pixels of one map.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use dsno_kernels::group_norm;

use super::layer::{GroupNorm, Linear, divided};
use crate::foreign::map::{self, Order};
use crate::init::Initializer;

/// How queries, keys and values of several heads lie in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeadOrder {
    /// Three matrices, each head after head.
    Separate,
    /// One matrix: all queries, all keys, all values, each head after head.
    Joint,
    /// One matrix: head after head, `[q | k | v]` within each.
    Interleaved,
}

/// `y = (x + out(softmax(q·kᵀ/√d)·v))/factor`, with `q`, `k`, `v` projections of the normalised map.
#[derive(Module, Debug)]
pub(super) struct Attention {
    norm: Option<GroupNorm>,
    projections: Projections,
    #[module(skip)]
    heads: usize,
    #[module(skip)]
    order: HeadOrder,
    #[module(skip)]
    factor: f64,
}

#[derive(Module, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "a few per network, held in one Vec"
)]
enum Projections {
    Separate(Separate),
    Joint(Joint),
}

#[derive(Module, Debug)]
struct Separate {
    q: Linear,
    k: Linear,
    v: Linear,
    out: Linear,
}

#[derive(Module, Debug)]
struct Joint {
    qkv: Channelwise,
    out: Channelwise,
}

/// A convolution over a sequence with a kernel of one.
#[derive(Module, Debug)]
struct Channelwise {
    /// `[out, in, 1]`
    weight: Param<Tensor<3>>,
    /// `[out]`
    bias: Param<Tensor<1>>,
}

impl Channelwise {
    fn new(init: &mut Initializer<'_>, fan_in: usize, fan_out: usize) -> Self {
        Self {
            weight: init.fan_average([fan_out, fan_in, 1], [fan_in, fan_out], 1.0),
            bias: init.zeros([fan_out]),
        }
    }

    fn parts(&self) -> (Tensor<2>, Tensor<1>) {
        (self.weight.val().squeeze_dim(2), self.bias.val())
    }
}

impl Attention {
    pub(super) fn new(
        init: &mut Initializer<'_>,
        norm: Option<GroupNorm>,
        channels: usize,
        heads: usize,
        order: HeadOrder,
        factor: f64,
    ) -> Self {
        let c = channels;
        let projections = match order {
            HeadOrder::Separate => Projections::Separate(Separate {
                q: Linear::new(init, c, c),
                k: Linear::new(init, c, c),
                v: Linear::new(init, c, c),
                out: Linear::new(init, c, c),
            }),
            HeadOrder::Joint | HeadOrder::Interleaved => Projections::Joint(Joint {
                qkv: Channelwise::new(init, c, 3 * c),
                out: Channelwise::new(init, c, c),
            }),
        };
        Self {
            norm,
            projections,
            heads,
            order,
            factor,
        }
    }

    /// `[N, H, W, C]` to the same shape.
    pub(super) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let normalised = match &self.norm {
            Some(norm) => group_norm(x.clone(), norm.with(None)),
            None => x.clone(),
        };
        let order = match self.order {
            HeadOrder::Separate | HeadOrder::Joint => Order::PartsFirst,
            HeadOrder::Interleaved => Order::HeadsFirst,
        };
        let mixed = map::attend(normalised, self.projections.qkv(), self.heads, order);
        let (weight, bias) = self.projections.out();
        divided(map::conv1x1(mixed, weight, bias, Some(x)), self.factor)
    }
}

impl Projections {
    /// Weight and bias of all three, `[3C, C]` and `[3C]`.
    fn qkv(&self) -> (Tensor<2>, Tensor<1>) {
        match self {
            Self::Separate(parts) => {
                let parts = [&parts.q, &parts.k, &parts.v].map(Linear::parts);
                let (weights, biases) = parts.into_iter().unzip();
                (Tensor::cat(weights, 0), Tensor::cat(biases, 0))
            }
            Self::Joint(parts) => parts.qkv.parts(),
        }
    }

    fn out(&self) -> (Tensor<2>, Tensor<1>) {
        match self {
            Self::Separate(parts) => parts.out.parts(),
            Self::Joint(parts) => parts.out.parts(),
        }
    }
}
