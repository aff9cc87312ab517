//! Self-attention between the pixels of one map.

use burn::module::{Module, Param};
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Tensor, activation::softmax};

use super::layer::{GroupNorm, Linear};
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

    fn kernel(&self) -> (Tensor<4>, Tensor<1>) {
        let weight = self.weight.val();
        let [o, i, _] = weight.dims();
        (weight.reshape([o, i, 1, 1]), self.bias.val())
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

    /// `[N, C, H, W]` to the same shape.
    pub(super) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [n, c, h, w] = x.dims();
        let d = c / self.heads;
        let normalised = match &self.norm {
            Some(norm) => norm.forward(x.clone()),
            None => x.clone(),
        };
        let qkv = pointwise(normalised, self.projections.qkv());
        let [q, k, v] = match self.order {
            HeadOrder::Interleaved => thirds(&qkv.reshape([n, self.heads, 3 * d, h * w]), 2),
            HeadOrder::Separate | HeadOrder::Joint => thirds(&qkv.reshape([n, 3, c, h * w]), 1)
                .map(|part| part.reshape([n, self.heads, d, h * w])),
        };
        // Maps are channel-major, so scores are kᵀ·q with one column per query.
        let scores = k.transpose().matmul(q * (1.0 / (d as f64).sqrt()));
        let mixed = v.matmul(softmax(scores, 2)).reshape([n, c, h, w]);
        let sum = x + pointwise(mixed, self.projections.out());
        if self.factor == 1.0 {
            sum
        } else {
            sum / self.factor
        }
    }
}

impl Projections {
    /// Kernel and bias of all three, `[3C, C, 1, 1]` and `[3C]`.
    fn qkv(&self) -> (Tensor<4>, Tensor<1>) {
        match self {
            Self::Separate(parts) => {
                let parts = [&parts.q, &parts.k, &parts.v].map(Linear::kernel);
                let (kernels, biases) = parts.into_iter().unzip();
                (Tensor::cat(kernels, 0), Tensor::cat(biases, 0))
            }
            Self::Joint(parts) => parts.qkv.kernel(),
        }
    }

    fn out(&self) -> (Tensor<4>, Tensor<1>) {
        match self {
            Self::Separate(parts) => parts.out.kernel(),
            Self::Joint(parts) => parts.out.kernel(),
        }
    }
}

fn pointwise(x: Tensor<4>, (kernel, bias): (Tensor<4>, Tensor<1>)) -> Tensor<4> {
    conv2d(
        x,
        kernel,
        Some(bias),
        ConvOptions::new([1, 1], [0, 0], [1, 1], 1),
    )
}

/// Three equal parts along one axis.
fn thirds(x: &Tensor<4>, axis: usize) -> [Tensor<4>; 3] {
    let length = x.dims()[axis] / 3;
    [0, 1, 2].map(|i| x.clone().narrow(axis, i * length, length))
}
