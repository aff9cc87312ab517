//! Operations at the shapes of networks.

use burn::tensor::{Device, Distribution, Tensor};
use dsno_kernels::{
    GroupNorm, Resample, attention, conv1x1, conv3x3, group_norm_silu, norm_silu_conv3x3, resample,
    silu, temporal_convolution,
};

use crate::burns_own;

/// Times of a trajectory, and rows of the modulation.
pub(crate) const TIMES: usize = 4;
/// Fourier modes along time.
pub(crate) const MODES: usize = 2;
/// Added to variances.
pub(crate) const EPSILON: f64 = 1e-6;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Convolution,
    Fused,
    NormSilu,
    Silu,
    Conv1x1,
    Attention,
    Temporal,
    Halve,
    Double,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Convolution => "conv3x3",
            Self::Fused => "norm_silu_conv3x3",
            Self::NormSilu => "group_norm_silu",
            Self::Silu => "silu",
            Self::Conv1x1 => "conv1x1",
            Self::Attention => "attention",
            Self::Temporal => "temporal_convolution",
            Self::Halve => "resample, halve",
            Self::Double => "resample, double",
        }
    }
}

/// A pass without a graph, or there and back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pass {
    Forward,
    Both,
}

impl Pass {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Both => "and back",
        }
    }
}

/// An operation on maps of one shape.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    pub(crate) kind: Kind,
    /// Maps there, and there and back.
    images: [usize; 2],
    side: usize,
    channels_in: usize,
    channels_out: usize,
}

/// 32 trajectories of 4 times at 16×16, and 32 (16 to train) at 32×32.
const fn case(kind: Kind, network: char, side: usize, channels: [usize; 2]) -> Case {
    Case {
        kind,
        images: if network == 'S' {
            [128, 128]
        } else {
            [128, 64]
        },
        side,
        channels_in: channels[0],
        channels_out: channels[1],
    }
}

pub(crate) const CASES: [Case; 46] = [
    case(Kind::Convolution, 'S', 16, [1, 32]),
    case(Kind::Convolution, 'S', 16, [32, 32]),
    case(Kind::Convolution, 'S', 16, [64, 32]),
    case(Kind::Convolution, 'S', 16, [96, 32]),
    case(Kind::Convolution, 'S', 16, [64, 64]),
    case(Kind::Convolution, 'S', 16, [32, 1]),
    case(Kind::Convolution, 'S', 8, [32, 32]),
    case(Kind::Convolution, 'S', 8, [32, 64]),
    case(Kind::Convolution, 'S', 8, [64, 64]),
    case(Kind::Convolution, 'S', 8, [96, 64]),
    case(Kind::Convolution, 'S', 8, [128, 64]),
    case(Kind::Convolution, 'M', 32, [3, 64]),
    case(Kind::Convolution, 'M', 32, [64, 64]),
    case(Kind::Convolution, 'M', 32, [128, 64]),
    case(Kind::Convolution, 'M', 32, [192, 64]),
    case(Kind::Convolution, 'M', 32, [128, 128]),
    case(Kind::Convolution, 'M', 32, [64, 3]),
    case(Kind::Convolution, 'M', 16, [64, 64]),
    case(Kind::Convolution, 'M', 16, [64, 128]),
    case(Kind::Convolution, 'M', 16, [128, 128]),
    case(Kind::Convolution, 'M', 16, [192, 128]),
    case(Kind::Convolution, 'M', 16, [256, 128]),
    case(Kind::Convolution, 'M', 8, [128, 128]),
    case(Kind::Convolution, 'M', 8, [256, 128]),
    case(Kind::Fused, 'S', 16, [32, 32]),
    case(Kind::Fused, 'S', 8, [64, 64]),
    case(Kind::Fused, 'M', 32, [64, 64]),
    case(Kind::Fused, 'M', 16, [128, 128]),
    case(Kind::NormSilu, 'S', 16, [32, 32]),
    case(Kind::NormSilu, 'S', 16, [96, 96]),
    case(Kind::NormSilu, 'S', 8, [64, 64]),
    case(Kind::NormSilu, 'M', 32, [64, 64]),
    case(Kind::NormSilu, 'M', 16, [128, 128]),
    case(Kind::Silu, 'S', 16, [32, 32]),
    case(Kind::Silu, 'M', 32, [64, 64]),
    case(Kind::Conv1x1, 'S', 16, [96, 32]),
    case(Kind::Conv1x1, 'M', 32, [128, 64]),
    case(Kind::Attention, 'S', 8, [192, 64]),
    case(Kind::Attention, 'M', 16, [384, 128]),
    case(Kind::Temporal, 'S', 16, [32, 32]),
    case(Kind::Temporal, 'S', 8, [64, 64]),
    case(Kind::Temporal, 'M', 32, [64, 64]),
    case(Kind::Temporal, 'M', 16, [128, 128]),
    case(Kind::Halve, 'M', 32, [64, 64]),
    case(Kind::Double, 'M', 16, [128, 128]),
    case(Kind::Double, 'S', 8, [64, 64]),
];

/// What an operation takes, in both layouts; each case uses some.
pub(crate) struct Inputs {
    /// `[N, H, W, C]`
    last: Tensor<4>,
    /// `[N, C, H, W]`
    first: Tensor<4>,
    /// `[out, in, 3, 3]`
    weight: Tensor<4>,
    /// `[in, out]`
    matrix: Tensor<2>,
    /// `[C, C, M, 2]`
    temporal: Tensor<4>,
    /// `[out]`
    bias: Tensor<1>,
    /// `[in]` each
    norm: [Tensor<1>; 2],
    /// `[T, 2·in]`
    modulation: Tensor<2>,
}

impl Case {
    fn images(&self, pass: Pass) -> usize {
        self.images[usize::from(pass == Pass::Both)]
    }

    /// Both sides of the convolution are wider than images.
    pub(crate) fn is_wide(&self) -> bool {
        self.channels_in.min(self.channels_out) > 3
    }

    fn groups(&self) -> usize {
        (self.channels_in / 4).clamp(1, 32)
    }

    pub(crate) fn maps(&self, pass: Pass) -> String {
        let (n, side) = (self.images(pass), self.side);
        let [i, o] = [self.channels_in, self.channels_out];
        let channels = if i == o {
            format!("{i}")
        } else {
            format!("{i} → {o}")
        };
        format!("{n} × {side}×{side} × {channels}")
    }

    /// Values of the map that comes in.
    pub(crate) fn values(&self, pass: Pass) -> usize {
        self.images(pass) * self.side * self.side * self.channels_in
    }

    /// Operations of products, two for each direct multiply-add; a way back has twice as many.
    pub(crate) fn flops(&self, pass: Pass) -> Option<f64> {
        let pixels = self.images(pass) * self.side * self.side;
        let square = self.channels_in * self.channels_out;
        let multiply_adds = match self.kind {
            Kind::Convolution | Kind::Fused => 9 * pixels * square,
            Kind::Conv1x1 => pixels * square,
            Kind::Attention => 2 * pixels * self.side * self.side * self.channels_out,
            // One product for the constant mode, three for the other, of a time's pixels each.
            Kind::Temporal => 4 * pixels / TIMES * square,
            Kind::NormSilu | Kind::Silu | Kind::Halve | Kind::Double => return None,
        };
        let passes = if pass == Pass::Both { 3 } else { 1 };
        Some((2 * passes * multiply_adds) as f64)
    }

    pub(crate) fn inputs(&self, pass: Pass) -> Inputs {
        let device = match pass {
            Pass::Forward => Device::flex(),
            Pass::Both => Device::flex().autodiff(),
        };
        let (n, s) = (self.images(pass), self.side);
        let [i, o] = [self.channels_in, self.channels_out];
        let small = 1.0 / (i as f64).sqrt();
        Inputs {
            last: normal([n, s, s, i], 1.0, &device),
            first: normal([n, i, s, s], 1.0, &device),
            weight: normal([o, i, 3, 3], small / 3.0, &device),
            matrix: normal([i, o], small, &device),
            temporal: normal([i, o, MODES, 2], small, &device),
            bias: normal([o], 1.0, &device),
            norm: [(); 2].map(|()| normal([i], 1.0, &device)),
            modulation: normal([TIMES, 2 * i], 1.0, &device),
        }
    }

    /// This crate's operation.
    pub(crate) fn kernel(&self, inputs: &Inputs, pass: Pass) {
        let x = inputs.last.clone();
        let (weight, bias) = (inputs.weight.clone(), inputs.bias.clone());
        let y = match self.kind {
            Kind::Convolution => conv3x3(x, weight, bias, None),
            Kind::Fused => {
                norm_silu_conv3x3(x, self.norm(inputs), Resample::Keep, weight, bias, None)
            }
            Kind::NormSilu => group_norm_silu(x, self.norm(inputs)),
            Kind::Silu => silu(x),
            Kind::Conv1x1 => conv1x1(x, inputs.matrix.clone(), bias, None),
            Kind::Attention => {
                let [n, h, w, width] = x.dims();
                attention(x.reshape([n, h * w, width]), 1).unsqueeze()
            }
            Kind::Temporal => temporal_convolution(x, inputs.temporal.clone(), TIMES),
            Kind::Halve => resample(x, Resample::Halve),
            Kind::Double => resample(x, Resample::Double),
        };
        finish(&y, pass);
    }

    /// Burn's operations.
    pub(crate) fn burns_own(&self, inputs: &Inputs, pass: Pass) {
        let x = inputs.first.clone();
        let (weight, bias) = (inputs.weight.clone(), inputs.bias.clone());
        let norm_silu = |x| {
            let (norm, modulation) = (inputs.norm.clone(), inputs.modulation.clone());
            burns_own::norm_silu(x, norm, modulation, self.groups())
        };
        let y = match self.kind {
            Kind::Convolution => burns_own::convolution(x, weight, bias),
            Kind::Fused => burns_own::convolution(norm_silu(x), weight, bias),
            Kind::NormSilu => norm_silu(x),
            Kind::Silu => burns_own::silu(x),
            Kind::Conv1x1 => burns_own::conv1x1(x, inputs.matrix.clone(), bias),
            Kind::Attention => burns_own::attention(x),
            Kind::Temporal => burns_own::temporal(x, inputs.temporal.clone()),
            Kind::Halve => burns_own::halve(x),
            Kind::Double => burns_own::double(x),
        };
        finish(&y, pass);
    }

    fn norm(&self, inputs: &Inputs) -> GroupNorm {
        let [gamma, beta] = inputs.norm.clone();
        GroupNorm {
            gamma,
            beta,
            groups: self.groups(),
            epsilon: EPSILON,
            modulation: Some(inputs.modulation.clone()),
        }
    }
}

fn finish(y: &Tensor<4>, pass: Pass) {
    if pass == Pass::Both {
        drop(y.backward());
    }
}

fn normal<const D: usize>(shape: [usize; D], deviation: f64, device: &Device) -> Tensor<D> {
    let tensor = Tensor::random(shape, Distribution::Normal(0.0, deviation), device);
    if device.is_autodiff() {
        tensor.require_grad()
    } else {
        tensor
    }
}
