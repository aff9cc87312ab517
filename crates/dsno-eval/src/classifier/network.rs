//! The layers of a classifier, built from and taken apart into named parameters.

use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{GroupNorm, GroupNormConfig, Initializer, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::activation::silu;
use burn::tensor::{Device, Tensor, TensorData};
use dsno_checkpoint::{HostTensor, StateDict};
use dsno_data::noise::Draws;

use super::config::{ClassifierConfig, GROUPS, LAST_SIZE};
use crate::NotFloat;
use crate::host::to_host;

/// Source of a parameter's values: its name and shape in, its numbers out.
pub(super) type Values<'a> = &'a mut dyn FnMut(&str, &[usize]) -> Vec<f32>;

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
    /// Builds the network on `device`, asking `values` for each parameter in a fixed order.
    pub(super) fn build(config: &ClassifierConfig, values: Values<'_>, device: &Device) -> Self {
        let mut maker = Maker { values, device };
        let (base, wide) = (config.base_channels, 2 * config.base_channels);
        let stem = maker.block("stem", [config.image_channels, base], 1);
        let stages = (0..config.stages()).map(|stage| {
            let channels = [if stage == 0 { base } else { wide }, wide];
            maker.block(&format!("stages.{stage}"), channels, 2)
        });
        let stages = stages.collect();
        Self {
            stem,
            stages,
            project: maker.linear("project", wide * LAST_SIZE * LAST_SIZE, config.features),
            head: maker.linear("head", config.features, config.classes),
            mean: maker.param("mean", [config.features]),
            deviation: maker.param("deviation", [config.features]),
        }
    }

    /// Draws a network: He et al. 2015 uniform weights, zero biases, unit scales.
    ///
    /// A function of `seed` alone on every platform: a uniform draw needs no logarithm, whose last
    /// bit differs between platforms.
    pub(super) fn random(config: &ClassifierConfig, seed: u64, device: &Device) -> Self {
        let mut draws = Draws::sequential(seed, 0);
        let mut draw = |name: &str, shape: &[usize]| {
            let len = shape.iter().product();
            match shape {
                [_] if name.ends_with("gamma") || name == "deviation" => vec![1.0; len],
                [_] => vec![0.0; len],
                _ => {
                    // [output, input, 3, 3] for convolutions, [input, output] for linear layers.
                    let fan_in = if shape.len() == 4 {
                        len / shape[0]
                    } else {
                        shape[0]
                    };
                    let bound = (6.0 / fan_in as f64).sqrt();
                    (0..len)
                        .map(|_| ((2.0 * draws.uniform() - 1.0) * bound) as f32)
                        .collect()
                }
            }
        };
        Self::build(config, &mut draw, device)
    }

    /// Builds the network from named weights, which must be those of [`Network::plan`].
    pub(super) fn from_weights(
        config: &ClassifierConfig,
        weights: &mut StateDict,
        device: &Device,
    ) -> Self {
        let mut take = |name: &str, _: &[usize]| {
            let weight = weights.remove(name);
            weight.expect("invariant: all weights are there").values
        };
        Self::build(config, &mut take, device)
    }

    /// Names and shapes of all parameters, in the order of [`Network::build`].
    pub(super) fn plan(config: &ClassifierConfig, device: &Device) -> Vec<(String, Vec<usize>)> {
        let mut plan = Vec::new();
        let mut note = |name: &str, shape: &[usize]| {
            plan.push((name.to_owned(), shape.to_vec()));
            vec![0.0; shape.iter().product()]
        };
        Self::build(config, &mut note, device);
        plan
    }

    /// Brings all parameters to the host.
    pub(super) fn weights(&self) -> Result<StateDict, NotFloat> {
        let mut weights = StateDict::new();
        self.stem.read("stem", &mut weights)?;
        for (index, stage) in self.stages.iter().enumerate() {
            stage.read(&format!("stages.{index}"), &mut weights)?;
        }
        for (name, layer) in [("project", &self.project), ("head", &self.head)] {
            read(&format!("{name}.weight"), &layer.weight, &mut weights)?;
            read_optional(&format!("{name}.bias"), layer.bias.as_ref(), &mut weights)?;
        }
        read("mean", &self.mean, &mut weights)?;
        read("deviation", &self.deviation, &mut weights)?;
        Ok(weights)
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
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        silu(self.norm.forward(self.conv.forward(x)))
    }

    fn read(&self, name: &str, weights: &mut StateDict) -> Result<(), NotFloat> {
        let (conv, norm) = (&self.conv, &self.norm);
        read(&format!("{name}.conv.weight"), &conv.weight, weights)?;
        read_optional(&format!("{name}.conv.bias"), conv.bias.as_ref(), weights)?;
        read_optional(&format!("{name}.norm.gamma"), norm.gamma.as_ref(), weights)?;
        read_optional(&format!("{name}.norm.beta"), norm.beta.as_ref(), weights)
    }
}

fn read<const D: usize>(
    name: &str,
    param: &Param<Tensor<D>>,
    weights: &mut StateDict,
) -> Result<(), NotFloat> {
    let tensor = param.val();
    let shape = tensor.dims().to_vec();
    let values = to_host(tensor)?;
    weights.insert(name.to_owned(), HostTensor { shape, values });
    Ok(())
}

fn read_optional<const D: usize>(
    name: &str,
    param: Option<&Param<Tensor<D>>>,
    weights: &mut StateDict,
) -> Result<(), NotFloat> {
    param.map_or(Ok(()), |param| read(name, param, weights))
}

struct Maker<'a> {
    values: Values<'a>,
    device: &'a Device,
}

impl Maker<'_> {
    fn param<const D: usize>(&mut self, name: &str, shape: [usize; D]) -> Param<Tensor<D>> {
        let values = (self.values)(name, &shape);
        Param::from_data(TensorData::new(values, shape), self.device)
    }

    fn block(&mut self, name: &str, [input, output]: [usize; 2], stride: usize) -> Block {
        // Zeros: burn's own draw comes from a generator that all threads share.
        let mut conv = Conv2dConfig::new([input, output], [3, 3])
            .with_stride([stride, stride])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            .with_initializer(Initializer::Zeros)
            .init(self.device);
        conv.weight = self.param(&format!("{name}.conv.weight"), [output, input, 3, 3]);
        conv.bias = Some(self.param(&format!("{name}.conv.bias"), [output]));
        let mut norm = GroupNormConfig::new(GROUPS, output).init(self.device);
        norm.gamma = Some(self.param(&format!("{name}.norm.gamma"), [output]));
        norm.beta = Some(self.param(&format!("{name}.norm.beta"), [output]));
        Block { conv, norm }
    }

    /// Burn keeps the weight of a linear layer as `[input, output]`.
    fn linear(&mut self, name: &str, input: usize, output: usize) -> Linear {
        let mut layer = LinearConfig::new(input, output)
            .with_initializer(Initializer::Zeros)
            .init(self.device);
        layer.weight = self.param(&format!("{name}.weight"), [input, output]);
        layer.bias = Some(self.param(&format!("{name}.bias"), [output]));
        layer
    }
}
