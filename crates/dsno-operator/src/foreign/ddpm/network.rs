use burn::module::Module;
use burn::tensor::{Device, Tensor};
use dsno_kernels::concat_channels;

use super::attention::Attention;
use super::blueprint::{Blueprint, Kind, Stage};
use super::denoiser::DdpmDenoiser;
use super::embedding::Embedding;
use super::layer::{Conv, GroupNorm};
use super::residual::{Resampler, Residual, ResidualRules};
use crate::foreign::map;
use crate::init::Initializer;

/// A U-Net of the DDPM family with its weights.
///
/// [`DiffusersArchitecture`](crate::foreign::diffusers::DiffusersArchitecture) and
/// [`GuidedArchitecture`](crate::foreign::guided::GuidedArchitecture) build and load it.
#[derive(Module, Debug)]
pub struct DdpmNetwork {
    embedding: Embedding,
    stem: Conv,
    layers: Vec<Layer>,
    norm: GroupNorm,
    head: Conv,
    #[module(skip)]
    pub(super) blueprint: Blueprint,
}

#[derive(Module, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "a few dozen per network, held in one Vec"
)]
enum Layer {
    Residual(Residual),
    Attention(Attention),
    Resampler(Resampler),
}

/// What a network is told of each sample besides its noise level.
#[derive(Debug, Clone, Copy)]
pub enum Condition<'a> {
    /// One class per sample.
    Labels(&'a [u32]),
    /// One vector per sample, as wide as the embedding: `[B, E]`.
    Vectors(&'a Tensor<2>),
}

impl DdpmNetwork {
    pub(crate) fn new(blueprint: Blueprint, seed: u64, device: &Device) -> Self {
        let init = &mut Initializer::new(seed, device);
        let plan = &blueprint;
        let [first, last] = plan.ends;
        let norm = plan.normalisation;
        Self {
            embedding: Embedding::new(init, plan),
            stem: Conv::new(init, [plan.image_channels, first], 3),
            layers: plan
                .stages
                .iter()
                .map(|stage| layer(stage, plan, init))
                .collect(),
            norm: GroupNorm::new(init, last, norm.groups, norm.epsilon),
            head: Conv::new(init, [last, plan.out_channels], 3),
            blueprint,
        }
    }

    /// Returns the teacher that solvers call, for batches with these labels.
    ///
    /// `clamp` holds the predicted image to `[-1, 1]`, as published samplers of these networks do.
    pub fn denoiser(&self, labels: Option<Vec<u32>>, clamp: bool) -> DdpmDenoiser<'_> {
        DdpmDenoiser {
            network: self,
            labels,
            clamp,
        }
    }

    /// Answers for every sample, with what the network was trained to predict.
    ///
    /// This is the bare network; [`denoiser`](Self::denoiser) knows which times it expects and what
    /// its answer means.
    ///
    /// # Shapes
    ///
    /// | value       | shape          | range and unit                                           |
    /// |-------------|----------------|----------------------------------------------------------|
    /// | `x`         | `[B, C, H, W]` | as the network is fed: noisy images of unit variance     |
    /// | `times`     | 1 or `B`       | usually an index of the table, which may have a fraction |
    /// | `condition` | `B` labels or `[B, E]` | what the architecture asks for                   |
    /// | returned    | `[B, C, H, W]` | learned variances dropped                                |
    ///
    /// # Panics
    ///
    /// If shapes, times or conditions do not fit the architecture, as burn's modules do.
    pub fn forward(
        &self,
        x: Tensor<4>,
        times: &[f64],
        condition: Option<Condition<'_>>,
    ) -> Tensor<4> {
        let b = x.dims()[0];
        let n = times.len();
        assert!(n == 1 || n == b, "{n} times for {b} samples");
        let embedding = self.embedding.forward(times, condition, &x.device());
        let x = if self.blueprint.centre_input {
            x * 2.0 - 1.0
        } else {
            x
        };
        let mut x = self.stem.forward(map::channels_last(x));
        let mut skips = vec![x.clone()];
        for (layer, stage) in self.layers.iter().zip(&self.blueprint.stages) {
            if stage.takes_skip {
                let skip = skips
                    .pop()
                    .expect("invariant: the plan leaves what it takes");
                x = concat_channels(x, skip);
            }
            x = match layer {
                Layer::Residual(block) => block.forward(x, embedding.clone()),
                Layer::Attention(block) => block.forward(x),
                Layer::Resampler(block) => block.forward(x),
            };
            if stage.leaves_skip {
                skips.push(x.clone());
            }
        }
        let (norm, keep) = (self.norm.with(None), dsno_kernels::Resample::Keep);
        let answer = map::channels_first(self.head.forward_activated(x, norm, keep, None));
        let (out, image) = (self.blueprint.out_channels, self.blueprint.image_channels);
        if out == image {
            answer
        } else {
            answer.narrow(1, 0, image)
        }
    }
}

fn layer(stage: &Stage, plan: &Blueprint, init: &mut Initializer<'_>) -> Layer {
    let norm = plan.normalisation;
    match stage.kind {
        Kind::Residual {
            channels,
            resample,
            factor,
        } => {
            let rules = ResidualRules {
                normalisation: norm,
                embedding: plan.embedding,
                scale_shift: plan.scale_shift,
                dropout: plan.dropout,
            };
            Layer::Residual(Residual::new(init, channels, rules, resample, factor))
        }
        Kind::Attention {
            channels,
            heads,
            order,
            groups,
            factor,
        } => {
            let norm = groups.map(|groups| GroupNorm::new(init, channels, groups, norm.epsilon));
            Layer::Attention(Attention::new(init, norm, channels, heads, order, factor))
        }
        Kind::Halve { channels, padding } => {
            Layer::Resampler(Resampler::halving(init, channels, padding))
        }
        Kind::Double { channels, conv } => {
            Layer::Resampler(Resampler::doubling(init, channels, conv))
        }
    }
}
