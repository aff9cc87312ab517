//! The network: embedding, stem, planned layers, head.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use dsno_kernels::concat_channels;
use dsno_ode::{NoiseLevel, Prediction};

use crate::config::{Output, UNetConfig};
use crate::init::{Initializer, NEAR_ZERO};
use crate::layer::{Attention, Convolution, Embedding, Norm, Residual, TemporalConv, Timesteps};
use crate::plan::{Kind, Plan};

/// A U-Net over noisy images, or with temporal convolutions over whole trajectories (DSNO).
///
/// Space is handled by shared weights, with time as part of the batch; only temporal convolutions
/// mix time points. Build it with [`UNetConfig::init`].
///
/// Dropout acts while training, and draws for every sample and time anew. To compute activations again
/// on the way back instead of keeping them, train on
/// `device.autodiff().gradient_checkpointing()`: gradients are the same, and memory goes for time.
#[derive(Module, Debug)]
pub struct UNet {
    pub(crate) embedding: Embedding,
    pub(crate) stem: Convolution,
    pub(crate) layers: Vec<Layer>,
    pub(crate) norm: Norm,
    pub(crate) head: Convolution,
    #[module(skip)]
    wiring: Vec<Wiring>,
    #[module(skip)]
    output: Output,
}

/// One planned layer.
#[derive(Module, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "a few dozen per network, held in one Vec"
)]
pub(crate) enum Layer {
    Residual(Residual),
    Attention(Attention),
    Temporal(TemporalConv),
}

/// How a layer is joined to the way down.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wiring {
    takes_skip: bool,
    leaves_skip: bool,
}

impl UNet {
    pub(crate) fn new(arch: &UNetConfig, plan: &Plan, seed: u64, device: &Device) -> Self {
        let init = &mut Initializer::new(seed, device);
        let embedding = Embedding::new(init, arch);
        let stem = Convolution::new(init, arch.image_channels, arch.base_channels, 1.0);
        let layers = plan
            .stages
            .iter()
            .map(|stage| layer(stage.kind, arch, init))
            .collect();
        let wiring = plan
            .stages
            .iter()
            .map(|s| Wiring {
                takes_skip: s.takes_skip,
                leaves_skip: s.leaves_skip,
            })
            .collect();
        Self {
            embedding,
            stem,
            layers,
            norm: Norm::new(init, plan.last_channels, arch.attention_groups),
            head: Convolution::new(init, plan.last_channels, arch.head_channels(), NEAR_ZERO),
            wiring,
            output: arch.output,
        }
    }

    /// Answers for every sample at every level.
    ///
    /// # Shapes
    ///
    /// | value    | shape             | range and unit                                  |
    /// |----------|-------------------|-------------------------------------------------|
    /// | `z`      | `[B, C, H, W]`    | noisy images, or pure noise for a trajectory     |
    /// | `levels` | `T` or `B` values | natural log-SNR, beyond ±20 treated as ±20       |
    /// | `labels` | `B` values        | class of each sample, below `classes`            |
    /// | returned | `[B, T, C, H, W]` | what the network was trained to predict          |
    ///
    /// # Panics
    ///
    /// If shapes, levels or labels do not fit the architecture, as burn's modules do.
    pub fn forward(
        &self,
        z: Tensor<4>,
        levels: Timesteps<'_>,
        labels: Option<&[u32]>,
    ) -> Tensor<5> {
        let [b, c, h, w] = z.dims();
        let t = levels.times();
        let channels_last = z.clone().permute([0, 2, 3, 1]);
        if let Timesteps::PerSample(values) = levels {
            assert_eq!(values.len(), b, "one level per sample");
        }
        let embedding = self.embedding.forward(levels, labels, &z.device());
        let mut x = repeat(self.stem.forward(channels_last, None), t);
        let mut skips = vec![x.clone()];
        for (layer, wiring) in self.layers.iter().zip(&self.wiring) {
            if wiring.takes_skip {
                let skip = skips
                    .pop()
                    .expect("invariant: the plan leaves what it takes");
                x = concat_channels(x, skip);
            }
            x = match layer {
                Layer::Residual(block) => block.forward(x, embedding.clone()),
                Layer::Attention(block) => block.forward(x),
                Layer::Temporal(block) => block.forward_channels_last(x, t),
            };
            if wiring.leaves_skip {
                skips.push(x.clone());
            }
        }
        let answer = self.head.forward_activated(
            x,
            self.norm.with(None),
            dsno_kernels::Resample::Keep,
            None,
        );
        let answer = answer.permute([0, 3, 1, 2]);
        match self.output {
            Output::State => answer.reshape([b, t, c, h, w]),
            Output::NoiseMinusState => z.reshape([b, 1, c, h, w]) - answer.reshape([b, t, c, h, w]),
            Output::StateAndNoise => join(answer, repeat(z, t), levels).reshape([b, t, c, h, w]),
        }
    }

    /// Answers for the levels after the first `padding`, which only take part.
    ///
    /// Temporal convolutions are periodic in the index of the time: the last point borders on the
    /// first. Points ahead of those that are asked for keep the two ends apart ('Fourier
    /// continuation'). They are times of their own, noisier than the others, whose states nobody
    /// compares with anything. The authors' code counts them as `num_pad`, but weights its loss as
    /// if they had targets, and stops there; here nothing past this method sees them.
    ///
    /// # Shapes
    ///
    /// | value    | shape                 | meaning                                   |
    /// |----------|-----------------------|-------------------------------------------|
    /// | `z`      | `[B, C, H, W]`        | pure noise                                |
    /// | `levels` | `padding + T` values  | natural log-SNRs, those of padding first  |
    /// | `labels` | `B` values            | class of each sample                      |
    /// | returned | `[B, T, C, H, W]`     | the states at the last `T` levels         |
    ///
    /// # Panics
    ///
    /// As [`Self::forward`], and if nothing but padding is asked for.
    pub fn forward_padded(
        &self,
        z: Tensor<4>,
        levels: &[f64],
        padding: usize,
        labels: Option<&[u32]>,
    ) -> Tensor<5> {
        let times = levels.len();
        assert!(padding < times, "{padding} of {times} times are padding");
        let all = self.forward(z, Timesteps::Shared(levels), labels);
        all.narrow(1, padding, times - padding)
    }
}

fn layer(kind: Kind, arch: &UNetConfig, init: &mut Initializer<'_>) -> Layer {
    match kind {
        Kind::Residual {
            channels_in,
            channels_out,
            groups,
            resample,
        } => Layer::Residual(Residual::new(
            init,
            [channels_in, channels_out],
            groups,
            arch.embedding_channels,
            arch.dropout,
            resample,
        )),
        Kind::Attention { channels, heads } => {
            Layer::Attention(Attention::new(init, channels, heads, arch.attention_groups))
        }
        Kind::Temporal { channels, n_modes } => {
            Layer::Temporal(TemporalConv::new(init, channels, n_modes))
        }
    }
}

/// `σ² x̂ + α² (z_t − σ ε̂)/α` for rows of `x̂` with `ε̂` behind its channels.
fn join(both: Tensor<4>, z_t: Tensor<4>, levels: Timesteps<'_>) -> Tensor<4> {
    let [rows, c, _, _] = z_t.dims();
    let at: Vec<NoiseLevel> = levels
        .values()
        .iter()
        .cycle()
        .take(rows)
        .map(|&log_snr| NoiseLevel::from_log_snr(log_snr))
        .collect();
    let column = |of: fn(NoiseLevel) -> f64| {
        let values: Vec<f32> = at.iter().map(|&at| of(at) as f32).collect();
        Tensor::<4>::from_data(TensorData::new(values, [rows, 1, 1, 1]), &z_t.device())
    };
    let (alpha, sigma) = (column(NoiseLevel::alpha), column(NoiseLevel::sigma));
    let state = both.clone().narrow(1, 0, c);
    let noise = both.narrow(1, c, c);
    let by_noise = Prediction::Epsilon.to_x_with(noise, z_t, alpha.clone(), sigma.clone());
    state * sigma.square() + by_noise * alpha.square()
}

/// `[B, …]` to `[B·T, …]`, each map `T` times in a row.
fn repeat(x: Tensor<4>, times: usize) -> Tensor<4> {
    if times == 1 {
        return x;
    }
    let [b, c, h, w] = x.dims();
    x.reshape([b, 1, c, h, w])
        .expand([b, times, c, h, w])
        .reshape([b * times, c, h, w])
}
