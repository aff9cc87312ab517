//! The loop that teachers and students share: steps, checkpoints, log, resume.

use std::ops::Range;
use std::path::Path;

use burn::module::Module;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::{Device, Tensor};
use dsno_data::noise::Stream;
use dsno_operator::UNet;
use sha2::{Digest, Sha256};

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::ema::ema_rate;
use crate::error::TrainError;
use crate::lane::together;
use crate::learning_rate::LearningRate;
use crate::log::{self, Interval};
use crate::observer::{Observer, Progress};
use crate::optimiser::{Snapshot, Trainee};
use crate::recipe::Adam;
use dsno_model::ModelError;

/// What the loop needs to know of a run.
#[derive(Debug)]
pub(crate) struct Training<'a> {
    pub(crate) total_images: u64,
    pub(crate) batch_size: usize,
    /// Equal parts of a batch whose gradients are computed apart and then averaged.
    pub(crate) shards: usize,
    /// Compute the parts at the same time; not with dropout, whose draws must keep their order.
    pub(crate) concurrent: bool,
    pub(crate) learning_rate: &'a LearningRate,
    pub(crate) adam: Adam,
    pub(crate) ema_half_life_images: f64,
    pub(crate) checkpoint_images: u64,
    pub(crate) log_images: u64,
    pub(crate) seed: u64,
    /// Digest of all that shapes the result, see [`run_key`].
    pub(crate) key: String,
    /// Where checkpoints and the log are.
    pub(crate) folder: &'a Path,
}

/// A batch's loss.
#[derive(Debug)]
pub(crate) struct Loss {
    /// What is minimised, a scalar on the graph.
    pub(crate) total: Tensor<1>,
    /// Unweighted distance per time, off the graph; empty for teachers.
    pub(crate) per_time: Option<Tensor<1>>,
}

/// A batch's loss as numbers, and where to go from it.
struct Judged {
    loss: f64,
    loss_per_time: Vec<f64>,
    gradients: GradientsParams,
}

impl Training<'_> {
    /// Trains `fresh`, or what the folder's checkpoint holds, to the end.
    ///
    /// `examples` makes the part of a batch that starts at one position in the endless order and ends
    /// before another; `loss` judges it. Nothing else may change what they answer. Returns the
    /// averaged network, or `None` if the observer stopped.
    pub(crate) fn run<E: Send>(
        &self,
        fresh: impl Fn() -> Result<UNet, TrainError>,
        device: &Device,
        observer: &mut dyn Observer,
        mut examples: impl FnMut(Range<u64>) -> Result<E, TrainError>,
        loss: impl Fn(&UNet, E) -> Loss + Sync,
    ) -> Result<Option<UNet>, TrainError> {
        std::fs::create_dir_all(self.folder).map_err(|source| {
            let path = self.folder.to_owned();
            TrainError::Model(ModelError::Folder { path, source })
        })?;
        let (mut trainee, mut images, mut interval) = self.start(fresh)?;
        let batch = self.batch_size as u64;
        while images < self.total_images {
            // Dropout is the one thing that draws from the device's generator.
            device.seed(Stream::Dropout.draws(self.seed, images).bits());
            let part = batch / self.shards as u64;
            let parts = (0..self.shards as u64)
                .map(|shard| examples(images + shard * part..images + (shard + 1) * part))
                .collect::<Result<Vec<E>, _>>()?;
            let learning_rate = self.learning_rate.at(images, self.total_images);
            let judged = self.judge(trainee.network(), parts, &loss);
            let value = judged.loss;
            if !value.is_finite() {
                return Err(TrainError::NonFinite {
                    images,
                    loss: value,
                    learning_rate,
                });
            }
            let before = images;
            images += batch;
            trainee = trainee.step(judged.gradients, learning_rate, images / batch);

            interval.add(value, &judged.loss_per_time);
            let crossed = |every: u64| images / every > before / every;
            let done = images >= self.total_images;
            if crossed(self.log_images) || done {
                log::append(self.folder, &interval.take(images, learning_rate))?;
            }
            observer.progress(&Progress {
                images: images.min(self.total_images),
                total_images: self.total_images,
                loss: Some(value),
                loss_per_time: judged.loss_per_time,
                learning_rate: Some(learning_rate),
            });
            let stop = observer.stop_requested() && !done;
            if crossed(self.checkpoint_images) || stop {
                self.checkpoint(&trainee, images, &interval)?;
            }
            if stop {
                return Ok(None);
            }
        }
        Ok(Some(trainee.average()))
    }

    /// Mean loss and gradient of the parts of a batch, summed in their order.
    fn judge<E: Send>(
        &self,
        network: &UNet,
        parts: Vec<E>,
        loss: &(impl Fn(&UNet, E) -> Loss + Sync),
    ) -> Judged {
        let share = 1.0 / parts.len() as f64;
        let judge = |part: E| {
            // Leaves of its own: autodiff joins graphs that share one, and runs them in turn.
            let network = &network.clone().train();
            let found = loss(network, part);
            let loss_per_time = found.per_time.map(values).unwrap_or_default();
            let value = found.total.clone().detach().into_scalar::<f64>();
            let gradients = (found.total * share).backward();
            let gradients = GradientsParams::from_grads(gradients, network);
            Judged {
                loss: value,
                loss_per_time,
                gradients,
            }
        };
        let judged: Vec<Judged> = if self.concurrent {
            together(parts, judge)
        } else {
            parts.into_iter().map(judge).collect()
        };

        let mut sum = GradientsAccumulator::new();
        let mut loss = 0.0;
        let mut loss_per_time = vec![0.0; judged[0].loss_per_time.len()];
        for part in judged {
            loss += share * part.loss;
            for (mean, value) in loss_per_time.iter_mut().zip(part.loss_per_time) {
                *mean += share * value;
            }
            sum.accumulate(network, part.gradients);
        }
        Judged {
            loss,
            loss_per_time,
            gradients: sum.grads(),
        }
    }

    /// The state to start from, and the images that it has seen.
    fn start(
        &self,
        fresh: impl Fn() -> Result<UNet, TrainError>,
    ) -> Result<(Trainee, u64, Interval), TrainError> {
        let rate = ema_rate(self.batch_size, self.ema_half_life_images);
        let Some(found) = Checkpoint::load(self.folder)? else {
            log::truncate(self.folder, 0)?;
            let trainee = Trainee::new(Snapshot::fresh(fresh()?), rate, self.adam);
            return Ok((trainee, 0, Interval::default()));
        };
        if found.key != self.key {
            return Err(TrainError::OtherRun {
                path: self.folder.join(crate::checkpoint::NEWEST),
            });
        }
        log::truncate(self.folder, found.images)?;
        let filled = |weights| -> Result<UNet, TrainError> {
            let network = fresh()?.load_state_dict(weights);
            Ok(network.map_err(ModelError::from)?)
        };
        let snapshot = Snapshot {
            weights: filled(found.weights)?,
            average: filled(found.average)?,
            first_moment: filled(found.first_moment)?,
            second_moment: filled(found.second_moment)?,
        };
        let trainee = Trainee::new(snapshot, rate, self.adam);
        Ok((trainee, found.images, found.interval))
    }

    fn checkpoint(
        &self,
        trainee: &Trainee,
        images: u64,
        interval: &Interval,
    ) -> Result<(), CheckpointError> {
        let snapshot = trainee.snapshot();
        let checkpoint = Checkpoint {
            key: self.key.clone(),
            images,
            interval: interval.clone(),
            weights: snapshot.weights.state_dict(),
            average: snapshot.average.state_dict(),
            first_moment: snapshot.first_moment.state_dict(),
            second_moment: snapshot.second_moment.state_dict(),
        };
        checkpoint.save(self.folder)
    }
}

fn values(tensor: Tensor<1>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

/// Digest of everything that shapes a run's result.
pub(crate) fn run_key(parts: &impl serde::Serialize) -> String {
    let text = serde_json::to_vec(parts).expect("invariant: settings are plain data");
    Sha256::digest(text)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
