//! Training of a classifier from images and labels on the host.

#[cfg(test)]
mod tests;

use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor, TensorData};
use dsno_checkpoint::HostTensor;
use dsno_data::noise::Draws;

use super::config::{ClassifierConfig, at_least_1, check};
use super::network::Network;
use super::{Classifier, ClassifierError, LabelledImages};
use crate::Moments;
use crate::host::to_host;

/// Trains a [`Classifier`]: what to learn from, for how long and how fast.
///
/// AdamW with cross-entropy; the learning rate falls along half a cosine from `learning_rate` to
/// zero. Images are moved by up to `max_shift` pixels each way, edges repeated, and mirrored half
/// of the time where `flip` allows it. Weights, order, moves and flips are functions of `seed`
/// alone.
///
/// # Examples
///
/// Light against dark is learnt in a few steps.
///
/// ```
/// use burn::tensor::Device;
/// use dsno_eval::{ClassifierConfig, ClassifierTraining, LabelledImages};
///
/// let pixels: Vec<f32> = (0..64 * 64).map(|i| if i / 64 % 2 == 0 { -0.5 } else { 0.5 }).collect();
/// let labels: Vec<u32> = (0..64).map(|image| image % 2).collect();
/// let images = LabelledImages { pixels: &pixels, labels: &labels };
/// let training = ClassifierTraining {
///     space: "light and dark, 4 features".into(),
///     config: ClassifierConfig {
///         image_channels: 1,
///         image_size: 8,
///         base_channels: 8,
///         features: 4,
///         classes: 2,
///     },
///     epochs: 5,
///     batch_size: 16,
///     learning_rate: 1e-2,
///     weight_decay: 0.0,
///     flip: true,
///     max_shift: 1,
///     seed: 0,
/// };
/// let device = Device::flex();
/// let classifier = training.run(images, &device, &mut |_epoch| {})?;
/// assert_eq!(classifier.accuracy(images, &device)?, 1.0);
/// # Ok::<(), dsno_eval::ClassifierError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ClassifierTraining {
    /// Name of the feature space, such as 'fashion-mnist-16 classifier, 64 features'.
    pub space: String,
    /// The classifier to build.
    pub config: ClassifierConfig,
    /// Passes over the images.
    pub epochs: usize,
    /// Images in an optimiser step; the last step of an epoch takes what is left.
    pub batch_size: usize,
    /// Learning rate of the first step.
    pub learning_rate: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Whether a mirrored image is still of its class.
    pub flip: bool,
    /// Largest move in pixels, along each axis.
    pub max_shift: usize,
    /// Seed of everything random.
    pub seed: u64,
}

/// What an epoch came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EpochReport {
    /// Epochs done, from 1.
    pub epoch: usize,
    /// Epochs to do in all.
    pub epochs: usize,
    /// Mean cross-entropy over the epoch's images, in nats.
    pub loss: f64,
}

impl ClassifierTraining {
    /// Trains on `device` and calls `observe` after each epoch.
    ///
    /// # Errors
    ///
    /// * [`ClassifierError::Config`] if a key is out of range.
    /// * [`ClassifierError::ImageCount`] or [`ClassifierError::Label`] if the images do not fit it.
    /// * [`ClassifierError::NonFinite`] if training diverges.
    /// * [`ClassifierError::Statistics`] if the features cannot be standardised.
    pub fn run(
        &self,
        images: LabelledImages<'_>,
        device: &Device,
        observe: &mut dyn FnMut(&EpochReport),
    ) -> Result<Classifier, ClassifierError> {
        self.validate()?;
        images.validate(&self.config)?;
        let learning = device.clone().autodiff();
        let mut network = Network::random(&self.config, self.seed, &learning);
        let mut optimiser = AdamWConfig::new()
            .with_weight_decay(self.weight_decay as f32)
            .init();
        let mut draws = Draws::sequential(self.seed, 1);
        let count = images.labels.len();
        let steps = (self.epochs * count.div_ceil(self.batch_size)) as f64;
        let mut step = 0.0;
        for epoch in 0..self.epochs {
            let mut sum = 0.0;
            let order = draws.permutation(count as u32);
            for (batch, indices) in order.chunks(self.batch_size).enumerate() {
                let (x, targets) = self.batch(images, indices, &mut draws, &learning);
                let loss = cross_entropy(&network.logits(network.hidden(x)), targets);
                let value = f64::from(to_host(loss.clone())?[0]);
                if !value.is_finite() {
                    return Err(ClassifierError::NonFinite { epoch, batch });
                }
                sum += value * indices.len() as f64;
                let gradients = GradientsParams::from_grads(loss.backward(), &network);
                let rate = self.learning_rate * half_cosine(step / steps);
                network = optimiser.step(rate, network, gradients);
                step += 1.0;
            }
            observe(&EpochReport {
                epoch: epoch + 1,
                epochs: self.epochs,
                loss: sum / count as f64,
            });
        }
        self.standardised(&network, images, device)
    }

    fn validate(&self) -> Result<(), ClassifierError> {
        self.config.validate()?;
        at_least_1("epochs", self.epochs)?;
        at_least_1("batch_size", self.batch_size)?;
        let (shift, expected) = (self.max_shift, "less than the image's side");
        check("max_shift", shift, shift < self.config.image_size, expected)?;
        let rate = |key, found: f64| {
            let fits = found.is_finite() && found >= 0.0;
            check(key, found, fits, "a finite number, 0 or more")
        };
        rate("learning_rate", self.learning_rate)?;
        rate("weight_decay", self.weight_decay)
    }

    /// The images at `indices`, moved and mirrored at random, and their classes as one-hot rows.
    fn batch(
        &self,
        images: LabelledImages<'_>,
        indices: &[u32],
        draws: &mut Draws,
        device: &Device,
    ) -> (Tensor<4>, Tensor<2>) {
        let (config, pixels) = (&self.config, self.config.pixels());
        let mut x = Vec::with_capacity(indices.len() * pixels);
        let mut targets = vec![0.0_f32; indices.len() * config.classes];
        for (row, &index) in indices.iter().enumerate() {
            let index = index as usize;
            let mirrored = draws.below(2) == 1 && self.flip;
            let positions = 2 * self.max_shift as u64 + 1;
            let moved = [0; 2].map(|_: usize| draws.below(positions) as usize);
            let image = &images.pixels[index * pixels..(index + 1) * pixels];
            for plane in image.chunks_exact(config.image_size * config.image_size) {
                self.moved_plane(plane, moved, mirrored, &mut x);
            }
            targets[row * config.classes + images.labels[index] as usize] = 1.0;
        }
        let side = config.image_size;
        let shape = [indices.len(), config.image_channels, side, side];
        let targets = TensorData::new(targets, [indices.len(), config.classes]);
        (
            Tensor::from_data(TensorData::new(x, shape), device),
            Tensor::from_data(targets, device),
        )
    }

    /// One channel with its edges repeated; `moved` counts from `−max_shift`.
    fn moved_plane(&self, plane: &[f32], moved: [usize; 2], mirrored: bool, out: &mut Vec<f32>) {
        let side = self.config.image_size;
        let source =
            |at: usize, moved: usize| (at + moved).saturating_sub(self.max_shift).min(side - 1);
        for y in 0..side {
            let row = source(y, moved[0]) * side;
            out.extend((0..side).map(|x| {
                let x = if mirrored { side - 1 - x } else { x };
                plane[row + source(x, moved[1])]
            }));
        }
    }

    /// The trained network on the plain device, its features standardised over the images.
    fn standardised(
        &self,
        network: &Network,
        images: LabelledImages<'_>,
        device: &Device,
    ) -> Result<Classifier, ClassifierError> {
        let mut weights = network.weights()?;
        let plain = Network::from_weights(&self.config, weights.clone(), device);
        let statistics = |source| ClassifierError::Statistics { source };
        let mut moments = Moments::new(self.config.features);
        for indices in images.passes() {
            let hidden = plain.hidden(images.tensor(&self.config, indices, device));
            moments.push(hidden).map_err(statistics)?;
        }
        let gaussian = moments.finish().map_err(statistics)?;
        // A feature that never moves stays as it is instead of blowing up noise.
        let deviation = |v: &f64| if *v > 1e-12 { v.sqrt() as f32 } else { 1.0 };
        let variances = gaussian.covariance().iter();
        let deviations = variances.step_by(self.config.features + 1).map(deviation);
        let means: Vec<f32> = gaussian.mean().iter().map(|&m| m as f32).collect();
        for (name, values) in [("mean", means), ("deviation", deviations.collect())] {
            let shape = vec![self.config.features];
            weights.insert(name.to_owned(), HostTensor { shape, values });
        }
        Ok(Classifier {
            space: self.space.clone(),
            config: self.config.clone(),
            network: Network::from_weights(&self.config, weights, device),
        })
    }
}

/// Mean over the batch of `−log softmax(logits)[label]`.
fn cross_entropy(logits: &Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
    let [batch, _] = logits.dims();
    -(log_softmax(logits.clone(), 1) * targets).sum() / batch as f64
}

/// From 1 at the start of training to 0 at its end.
fn half_cosine(share: f64) -> f64 {
    f64::midpoint((std::f64::consts::PI * share).cos(), 1.0)
}
