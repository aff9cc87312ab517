//! The layers of a classifier, built from and taken apart into named parameters.

use burn::module::{Module, ModuleMapper, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{GroupNorm, GroupNormConfig, Initializer, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::activation::silu;
use burn::tensor::{Device, Tensor, TensorData};
use dsno_checkpoint::{HostTensor, StateDict};
use dsno_data::noise::Draws;

use super::config::{ClassifierConfig, GROUPS, LAST_SIZE};
use crate::NotFloat;
use crate::host::to_host;

/// Reads the values of a parameter.
type Read<'a> = &'a dyn Fn() -> Result<Vec<f32>, NotFloat>;

#[derive(Module, Debug)]
struct Block {
    conv: Conv2d,
    norm: GroupNorm,
}

/// The network of a [`Classifier`](super::Classifier); formula and shapes are given there.
#[derive(Module, Debug)]
pub(super) struct Network {
    stem: Block,
    stages: Vec<Block>,
    project: Linear,
    head: Linear,
    mean: Param<Tensor<1>>,
    deviation: Param<Tensor<1>>,
}

impl Network {
    /// The layers, whose values no one has asked for yet.
    fn bare(config: &ClassifierConfig, device: &Device) -> Self {
        let (base, wide) = (config.base_channels, 2 * config.base_channels);
        let stages = (0..config.stages()).map(|stage| {
            let channels = [if stage == 0 { base } else { wide }, wide];
            Block::new(channels, 2, device)
        });
        let linear = |input, output| {
            let layer = LinearConfig::new(input, output).with_initializer(Initializer::Zeros);
            layer.init(device)
        };
        Self {
            stem: Block::new([config.image_channels, base], 1, device),
            stages: stages.collect(),
            project: linear(wide * LAST_SIZE * LAST_SIZE, config.features),
            head: linear(config.features, config.classes),
            mean: Initializer::Zeros.init([config.features], device),
            deviation: Initializer::Zeros.init([config.features], device),
        }
    }

    /// Passes names and shapes of all parameters to `visit`, in the order of the fields; the values
    /// that it gives take the place of a parameter's own.
    fn walk(self, visit: impl FnMut(&str, &[usize], Read<'_>) -> Option<Vec<f32>>) -> Self {
        let path = Vec::new();
        self.map(&mut Walk { path, visit })
    }

    /// Draws a network: He et al. 2015 uniform weights, zero biases, unit scales.
    ///
    /// A function of `seed` alone on every platform: a uniform draw needs no logarithm, whose last
    /// bit differs between platforms.
    pub(super) fn random(config: &ClassifierConfig, seed: u64, device: &Device) -> Self {
        let mut draws = Draws::sequential(seed, 0);
        Self::bare(config, device).walk(|name, shape, _read| {
            let len: usize = shape.iter().product();
            let ones = name.ends_with("gamma") || name == "deviation";
            let fan_in = match shape {
                [_] => return Some(vec![if ones { 1.0 } else { 0.0 }; len]),
                // [output, input, 3, 3] for convolutions, [input, output] for linear layers.
                [output, _, _, _] => len / output,
                _ => shape[0],
            };
            let bound = (6.0 / fan_in as f64).sqrt();
            let draw = |_| ((2.0 * draws.uniform() - 1.0) * bound) as f32;
            Some((0..len).map(draw).collect())
        })
    }

    /// Builds the network from named weights, which must be those of [`Network::plan`].
    pub(super) fn from_weights(
        config: &ClassifierConfig,
        mut weights: StateDict,
        device: &Device,
    ) -> Self {
        Self::bare(config, device).walk(|name, _shape, _read| {
            let weight = weights.remove(name);
            Some(weight.expect("invariant: all weights are there").values)
        })
    }

    /// Names and shapes of all parameters, in the order of the fields.
    pub(super) fn plan(config: &ClassifierConfig, device: &Device) -> Vec<(String, Vec<usize>)> {
        let mut plan = Vec::new();
        Self::bare(config, device).walk(|name, shape, _read| {
            plan.push((name.to_owned(), shape.to_vec()));
            None
        });
        plan
    }

    /// Brings all parameters to the host.
    pub(super) fn weights(&self) -> Result<StateDict, NotFloat> {
        let mut weights = Vec::new();
        self.clone().walk(|name, shape, read| {
            let (name, shape) = (name.to_owned(), shape.to_vec());
            weights.push(read().map(|values| (name, HostTensor { shape, values })));
            None
        });
        weights.into_iter().collect()
    }

    /// The hidden layer before its activation, `[B, F]`.
    pub(super) fn hidden(&self, images: Tensor<4>) -> Tensor<2> {
        let map = self
            .stages
            .iter()
            .fold(self.stem.forward(images), |map, stage| stage.forward(map));
        self.project.forward(map.flatten(1, 3))
    }

    /// `(u − mean) / deviation` per feature.
    pub(super) fn standardise(&self, hidden: Tensor<2>) -> Tensor<2> {
        (hidden - self.mean.val().unsqueeze()) / self.deviation.val().unsqueeze()
    }

    /// `W₂ SiLU(u) + b₂`.
    pub(super) fn logits(&self, hidden: Tensor<2>) -> Tensor<2> {
        self.head.forward(silu(hidden))
    }
}

impl Block {
    /// Zeros: burn's own draw comes from a generator that all threads share.
    fn new([input, output]: [usize; 2], stride: usize, device: &Device) -> Self {
        let conv = Conv2dConfig::new([input, output], [3, 3])
            .with_stride([stride, stride])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            .with_initializer(Initializer::Zeros);
        Self {
            conv: conv.init(device),
            norm: GroupNormConfig::new(GROUPS, output).init(device),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        silu(self.norm.forward(self.conv.forward(x)))
    }
}

/// [`ModuleMapper`] that calls a parameter by the path to its field.
struct Walk<F> {
    path: Vec<String>,
    visit: F,
}

impl<F: FnMut(&str, &[usize], Read<'_>) -> Option<Vec<f32>>> ModuleMapper for Walk<F> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (name, shape) = (self.path.join("."), param.lazy_shape().to_vec());
        let values = (self.visit)(&name, &shape, &|| to_host(param.val()));
        match values {
            Some(values) => Param::from_data(TensorData::new(values, shape), &param.lazy_device()),
            None => param,
        }
    }
}
