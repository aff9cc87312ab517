//! The network: embedding, stem, planned layers, head.

use std::f64::consts::SQRT_2;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use dsno_checkpoint::StateDict;
use dsno_kernels::{Resample, concat_channels};
use dsno_ode::{NoiseLevel, Prediction};

use crate::init::{Initializer, NEAR_ZERO};
use crate::layer::{
    Attention, Condition, Conv3x3, Embedding, Filter, Head, Norm, Resampler, Residual, Side,
    TemporalConv, Timesteps, within_range,
};
use crate::plan::{HeadOutput, Kind, Path, Plan};
use crate::process::Coefficients;

/// A U-Net of any family over noisy images, or with temporal convolutions over whole trajectories (DSNO).
///
/// Space is handled by shared weights, with time as part of the batch; only temporal convolutions
/// mix time points. Build it from a configuration: [`UNetConfig`](crate::UNetConfig),
/// [`NetworkConfig`](crate::NetworkConfig) or [`OperatorConfig`](crate::OperatorConfig).
///
/// Dropout acts while training, and draws for every sample and time anew. To compute activations again
/// on the way back instead of keeping them, train on
/// `device.autodiff().gradient_checkpointing()`: gradients are the same, and memory goes for time.
#[derive(Module, Debug)]
pub struct UNet {
    embedding: Embedding,
    stem: Conv3x3,
    layers: Vec<Layer>,
    norm: Norm,
    head: Conv3x3,
    #[module(skip)]
    pub(crate) plan: Plan,
    /// Tensors of the weight file that are not trained, by their names there.
    #[module(skip)]
    pub(crate) buffers: StateDict,
}

/// One planned layer.
#[derive(Module, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "a few dozen per network, held in one Vec"
)]
enum Layer {
    Residual(Residual),
    Attention(Attention),
    Temporal(TemporalConv),
    Resampler(Resampler),
    Side(Side),
    Head(Head),
}

impl UNet {
    pub(crate) fn new(plan: Plan, seed: u64, device: &Device) -> Self {
        let init = &mut Initializer::new(seed, device);
        let [image, ..] = plan.image_shape;
        let embedding = Embedding::new(init, &plan.embedding);
        let stem = Conv3x3::new(init, [image, plan.stem_channels], 1.0);
        let stages = plan.stages.iter();
        let layers = stages.map(|stage| layer(stage.kind, &plan, init)).collect();
        let last = plan.head;
        let mut network = Self {
            embedding,
            stem,
            layers,
            norm: Norm::new(init, last.channels, last.groups, plan.epsilon),
            head: Conv3x3::new(init, [last.channels, last.channels_out], NEAR_ZERO),
            buffers: StateDict::new(),
            plan,
        };
        let buffers = network.plan.fresh_buffers(seed);
        network.set_buffers(buffers);
        network
    }

    /// Replaces what is not trained; names and shapes must be right.
    pub(crate) fn set_buffers(&mut self, buffers: StateDict) {
        self.embedding.set_frequencies(&buffers);
        self.buffers = buffers;
    }

    /// Predicts for every sample at every timestep.
    ///
    /// # Shapes
    ///
    /// | value       | shape             | range and unit                                     |
    /// |-------------|-------------------|----------------------------------------------------|
    /// | `z`         | `[B, C, H, W]`    | noisy images as the network sees them, or pure noise for a trajectory |
    /// | `timesteps` | `T` or `B` values | of our networks and of operators natural log-SNRs, beyond ±20 treated as ±20 |
    /// | `labels`    | `B` values        | class of each sample                               |
    /// | returned    | `[B, T, C', H, W]` | what the network was trained to predict; `C' = C`, or `2C` with learned variances behind |
    ///
    /// # Panics
    ///
    /// If shapes, timesteps or labels do not fit the configuration, as burn's modules do.
    pub fn forward(
        &self,
        z: Tensor<4>,
        timesteps: Timesteps<'_>,
        labels: Option<&[u32]>,
    ) -> Tensor<5> {
        self.forward_conditioned(z, timesteps, labels.map(Condition::Labels))
    }

    /// [`Self::forward`] for networks that are conditioned on something else than labels.
    ///
    /// # Panics
    ///
    /// As [`Self::forward`].
    pub fn forward_conditioned(
        &self,
        z: Tensor<4>,
        timesteps: Timesteps<'_>,
        condition: Option<Condition<'_>>,
    ) -> Tensor<5> {
        let [b, c, h, w] = z.dims();
        let t = timesteps.times();
        if let Timesteps::PerSample(values) = timesteps {
            assert_eq!(values.len(), b, "one timestep per sample");
        }
        let shape = |y: Tensor<4>| {
            let c = y.dims()[1];
            y.reshape([b, t, c, h, w])
        };
        match self.plan.head.output {
            HeadOutput::Prediction => shape(self.predict(z, t, timesteps, condition)),
            HeadOutput::InputMinusPrediction => {
                let predicted = shape(self.predict(z.clone(), t, timesteps, condition));
                z.reshape([b, 1, c, h, w]) - predicted
            }
            HeadOutput::ImageAndNoise => {
                let both = self.predict(z.clone(), t, timesteps, condition);
                shape(join(both, repeat(z, t), timesteps))
            }
            HeadOutput::CleanImageAndRest => {
                let at: Vec<Coefficients> = timesteps
                    .values()
                    .iter()
                    .map(|&log_snr| NoiseLevel::from_log_snr(within_range(log_snr)))
                    .map(|at| self.coefficients(at))
                    .collect();
                let column = |of: fn(&Coefficients) -> f64| column(at.iter().map(of), b * t, &z);
                let own: Vec<f64> = at.iter().map(|at| at.timestep).collect();
                let own = match timesteps {
                    Timesteps::Shared(_) => Timesteps::Shared(&own),
                    Timesteps::PerSample(_) => Timesteps::PerSample(&own),
                };
                // One stem for all times where all of them see the same input.
                let first = at[0].input;
                let both = if at.iter().all(|at| at.input == first) {
                    self.predict(z.clone() * first, t, own, condition)
                } else {
                    let inputs = repeat(z.clone(), t) * column(|at| at.input);
                    self.predict(inputs, 1, own, condition)
                };
                let clean = both.clone().narrow(1, 0, c) * column(|at| at.output);
                let rest = both.narrow(1, c, c);
                shape(repeat(z.clone(), t) * column(|at| at.skip) + clean + rest)
            }
        }
    }

    /// Predicts for the levels after the first `padding`, which only take part.
    ///
    /// Temporal convolutions are periodic in the index of the time: the last point borders on the
    /// first. Extra times ahead of those that are asked for keep the two ends apart ('Fourier
    /// continuation'). They are times of their own, noisier than the others, whose states are dropped.
    /// The authors' code counts them as `num_pad`, but weights its loss as if they had targets, and
    /// stops there; here nothing past this method sees them.
    ///
    /// # Shapes
    ///
    /// | value      | shape                 | meaning                                   |
    /// |------------|-----------------------|-------------------------------------------|
    /// | `z`        | `[B, C, H, W]`        | pure noise                                |
    /// | `log_snrs` | `padding + T` values  | natural log-SNRs, those of padding first  |
    /// | `labels`   | `B` values            | class of each sample                      |
    /// | returned   | `[B, T, C, H, W]`     | the states at the last `T` levels         |
    ///
    /// # Panics
    ///
    /// As [`Self::forward`], and if nothing but padding is asked for.
    pub fn forward_padded(
        &self,
        z: Tensor<4>,
        log_snrs: &[f64],
        padding: usize,
        labels: Option<&[u32]>,
    ) -> Tensor<5> {
        let times = log_snrs.len();
        assert!(padding < times, "{padding} of {times} times are padding");
        let all = self.forward(z, Timesteps::Shared(log_snrs), labels);
        all.narrow(1, padding, times - padding)
    }

    /// The factors of the network's process for a state at this level.
    pub(crate) fn coefficients(&self, at: NoiseLevel) -> Coefficients {
        let levels = self.buffers.get(crate::family::edm::LEVELS);
        let levels = levels.map_or(&[][..], |levels| &levels.values);
        self.plan.process.coefficients(at, levels)
    }

    /// Runs the layers on `[N, C, H, W]`, whose rows are repeated for each of `times` after the stem.
    fn predict(
        &self,
        z: Tensor<4>,
        times: usize,
        timesteps: Timesteps<'_>,
        condition: Option<Condition<'_>>,
    ) -> Tensor<4> {
        let embedding = self.embedding.forward(timesteps, condition, &z.device());
        let z = if self.plan.centre_input {
            z * 2.0 - 1.0
        } else {
            z
        };
        // Inside, maps are channels-last, which is what the kernels work on.
        let image = z.permute([0, 2, 3, 1]);
        let mut x = repeat(self.stem.forward(image.clone(), None), times);
        let mut skips = vec![x.clone()];
        // The input at lower resolutions on the way down, and the output at higher ones on the way up.
        let mut side: Option<Tensor<4>> = None;
        let first_side = || repeat(image.clone(), times);
        let mut output: Option<Tensor<4>> = None;
        for (layer, stage) in self.layers.iter().zip(&self.plan.stages) {
            let run = |input| layer.forward(input, &embedding, timesteps.times());
            match stage.path {
                Path::Main { pops, pushes } => {
                    if pops {
                        x = concat_channels(x, pop(&mut skips));
                    }
                    x = run(x);
                    if pushes {
                        skips.push(x.clone());
                    }
                }
                Path::Side => match output.take() {
                    Some(image) => output = Some(run(image)),
                    None => side = Some(run(side.take().unwrap_or_else(first_side))),
                },
                Path::Join | Path::JoinAndKeep => {
                    let beside = side.take().unwrap_or_else(first_side);
                    x = x + run(beside.clone());
                    side = Some(if stage.path == Path::JoinAndKeep {
                        x = x / SQRT_2;
                        x.clone()
                    } else {
                        beside
                    });
                    pop(&mut skips);
                    skips.push(x.clone());
                }
                Path::Read => output = Some(summed(run(x.clone()), output)),
            }
        }
        let norm = self.norm.with(None);
        let y = self.head.forward_activated(x, norm, Resample::Keep, None);
        let [channels, ..] = self.plan.image_shape;
        let output = output.map(|output| match self.plan.head.output {
            // Heads at lower resolutions are the teacher's; the rest of the state is the last one's alone.
            HeadOutput::CleanImageAndRest => {
                let clean = output.narrow(3, 0, channels);
                clean.pad([(0, 0), (0, channels)], 0.0)
            }
            _ => output,
        });
        summed(y, output).permute([0, 3, 1, 2])
    }
}

impl Layer {
    fn forward(&self, x: Tensor<4>, embedding: &Tensor<2>, times: usize) -> Tensor<4> {
        match self {
            Self::Residual(block) => block.forward(x, embedding.clone()),
            Self::Attention(block) => block.forward(x),
            Self::Temporal(block) => block.forward_channels_last(x, times),
            Self::Resampler(block) => block.forward(x),
            Self::Side(block) => block.forward(x),
            Self::Head(block) => block.forward(x),
        }
    }
}

fn layer(kind: Kind, plan: &Plan, init: &mut Initializer<'_>) -> Layer {
    match kind {
        Kind::Residual(shape) => Layer::Residual(Residual::new(init, shape, plan)),
        Kind::Attention(shape) => Layer::Attention(Attention::new(init, shape, plan.epsilon)),
        Kind::Temporal { channels, n_modes } => {
            Layer::Temporal(TemporalConv::new(init, channels, n_modes))
        }
        Kind::Resampler {
            channels,
            resample,
            conv,
        } => Layer::Resampler(Resampler::new(init, channels, resample, conv)),
        Kind::Side(shape) => Layer::Side(Side::new(init, shape, Filter::new(&plan.filter))),
        Kind::Head { channels, groups } => Layer::Head(Head {
            norm: Norm::new(init, channels[0], groups, plan.epsilon),
            conv: Conv3x3::new(init, channels, NEAR_ZERO),
        }),
    }
}

/// `σ² x̂ + α² (z_t − σ ε̂)/α` for rows of `x̂` with `ε̂` behind its channels.
fn join(both: Tensor<4>, z_t: Tensor<4>, timesteps: Timesteps<'_>) -> Tensor<4> {
    let [rows, c, _, _] = z_t.dims();
    let at = || {
        timesteps
            .values()
            .iter()
            .map(|&t| NoiseLevel::from_log_snr(t))
    };
    let alpha = column(at().map(NoiseLevel::alpha), rows, &z_t);
    let sigma = column(at().map(NoiseLevel::sigma), rows, &z_t);
    let state = both.clone().narrow(1, 0, c);
    let noise = both.narrow(1, c, c);
    let by_noise = Prediction::Epsilon.to_x_with(noise, z_t, alpha.clone(), sigma.clone());
    state * sigma.square() + by_noise * alpha.square()
}

/// One number per row, `[rows, 1, 1, 1]`, the values over and over.
fn column(
    values: impl ExactSizeIterator<Item = f64> + Clone,
    rows: usize,
    like: &Tensor<4>,
) -> Tensor<4> {
    let values: Vec<f32> = values.map(|v| v as f32).cycle().take(rows).collect();
    Tensor::from_data(TensorData::new(values, [rows, 1, 1, 1]), &like.device())
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

fn summed(image: Tensor<4>, coarse: Option<Tensor<4>>) -> Tensor<4> {
    match coarse {
        Some(coarse) => image + coarse,
        None => image,
    }
}

fn pop(skips: &mut Vec<Tensor<4>>) -> Tensor<4> {
    skips
        .pop()
        .expect("invariant: the plan pushes what it pops")
}
