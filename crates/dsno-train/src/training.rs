//! The loop of every training: steps, training states, log, resume.

use std::path::Path;

use burn::module::Module;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::{Device, Tensor};
use dsno_data::noise::Stream;
use dsno_model::ModelError;
use dsno_model::batches::parallel_map;
use dsno_operator::UNet;

use crate::error::TrainError;
use crate::log::{self, Interval};
use crate::objective::{Ema, Objective};
use crate::observer::{Observer, Outcome, Progress};
use crate::optimiser::{Snapshot, Trainee, ema_rate};
use crate::recipe::TrainingRecipe;
use crate::run_key::RunKey;
use crate::training_state::{NEWEST, TrainingState};

/// A run that minimises an [`Objective`], resumable at every training state.
#[derive(Debug, Clone)]
pub struct Training<'a> {
    /// Length, steps and average.
    pub recipe: &'a TrainingRecipe,
    /// Compute microbatches at the same time; not with dropout, whose draws must keep their order.
    pub parallel: bool,
    /// Seed of dropout.
    pub seed: u64,
    /// What the run is known by: a training state of another run is an error.
    pub key: RunKey,
    /// Where training states and the log go.
    pub folder: &'a Path,
}

/// The loss of a batch or a microbatch as numbers, and its gradients.
struct Evaluated {
    loss: f64,
    loss_per_time: Vec<f64>,
    gradients: GradientsParams,
}

impl Training<'_> {
    /// Trains what `init` makes, or what the folder's training state holds, to the end.
    ///
    /// `save` receives the network with averaged weights and makes it durable. Afterwards the training
    /// states are deleted, unless the training could be made longer: then the last one is kept, and a
    /// larger `total_images` goes on from it. Whether the result is there already, only the caller
    /// knows.
    ///
    /// # Errors
    ///
    /// [`TrainError`]; the last training state stays valid.
    pub fn run(
        &self,
        objective: &mut impl Objective,
        init: impl Fn() -> Result<UNet, TrainError>,
        save: impl FnOnce(UNet) -> Result<(), TrainError>,
        device: &Device,
        observer: &mut dyn Observer,
    ) -> Result<Outcome, TrainError> {
        self.recipe.validate()?;
        std::fs::create_dir_all(self.folder).map_err(|source| {
            let path = self.folder.to_owned();
            TrainError::Model(ModelError::Folder { path, source })
        })?;
        let autodiff = device.clone().autodiff();
        let (mut trainee, mut images, mut interval) = self.start(init)?;
        let recipe = self.recipe;
        let (total_images, batch) = (recipe.total_images, recipe.batch_size as u64);
        let microbatch = batch / recipe.microbatches as u64;
        while images < total_images {
            // Dropout is the one thing that draws from the device's generator.
            device.seed(Stream::Dropout.draws(self.seed, images).bits());
            let microbatches = (images..images + batch)
                .step_by(microbatch as usize)
                .map(|start| objective.examples(start..start + microbatch, &autodiff))
                .collect::<Result<_, _>>()?;
            let learning_rate = recipe.learning_rate.at(images, total_images);
            let batch_loss = self.evaluate(objective, &trainee, microbatches);
            let loss = batch_loss.loss;
            if !loss.is_finite() {
                return Err(TrainError::NonFinite {
                    images,
                    loss,
                    learning_rate,
                });
            }
            let before = images;
            images += batch;
            trainee = trainee.step(batch_loss.gradients, learning_rate, images / batch);

            interval.add(loss, &batch_loss.loss_per_time);
            let crossed = |every: u64| images / every > before / every;
            let done = images >= total_images;
            if crossed(recipe.log_images) || done {
                log::append(self.folder, &interval.take(images, learning_rate))?;
            }
            observer.progress(&Progress {
                images: images.min(total_images),
                total_images,
                loss: Some(loss),
                loss_per_time: batch_loss.loss_per_time,
                learning_rate: Some(learning_rate),
            });
            let stop = observer.stop_requested() && !done;
            if crossed(recipe.checkpoint_images) || stop {
                self.state(&trainee, images, &interval).save(self.folder)?;
            }
            if stop {
                return Ok(Outcome::Stopped);
            }
        }
        save(trainee.ema())?;
        if !recipe.learning_rate.depends_on_length() {
            let state = self.state(&trainee, images, &interval);
            state.save_finished(self.folder)?;
        }
        TrainingState::remove(self.folder)?;
        Ok(Outcome::Finished)
    }

    /// Mean loss and gradient of the microbatches, summed in their order.
    fn evaluate<O: Objective>(
        &self,
        objective: &O,
        trainee: &Trainee,
        microbatches: Vec<O::Examples>,
    ) -> Evaluated {
        let share = 1.0 / microbatches.len() as f64;
        let network = trainee.network();
        let ema = Ema::of(trainee);
        let evaluate = |examples| {
            // Leaves of its own: autodiff joins graphs that share one, and runs them in turn.
            let network = &network.clone().train();
            let loss = objective.loss(network, &ema, examples);
            let per_time = loss.per_time.map(values).unwrap_or_default();
            let value = loss.total.clone().detach().into_scalar::<f64>();
            let gradients = (loss.total * share).backward();
            Evaluated {
                loss: value,
                loss_per_time: per_time,
                gradients: GradientsParams::from_grads(gradients, network),
            }
        };
        let evaluated: Vec<Evaluated> = if self.parallel {
            parallel_map(microbatches, evaluate)
        } else {
            microbatches.into_iter().map(evaluate).collect()
        };

        let mut sum = GradientsAccumulator::new();
        let mut loss = 0.0;
        let mut loss_per_time = vec![0.0; evaluated[0].loss_per_time.len()];
        for part in evaluated {
            loss += share * part.loss;
            for (mean, value) in loss_per_time.iter_mut().zip(part.loss_per_time) {
                *mean += share * value;
            }
            sum.accumulate(network, part.gradients);
        }
        Evaluated {
            loss,
            loss_per_time,
            gradients: sum.grads(),
        }
    }

    /// The state to start from, and the images that it has seen.
    fn start(
        &self,
        init: impl Fn() -> Result<UNet, TrainError>,
    ) -> Result<(Trainee, u64, Interval), TrainError> {
        let rate = ema_rate(self.recipe.batch_size, self.recipe.ema_half_life_images);
        let batch = self.recipe.batch_size as u64;
        let whole = self.recipe.total_images.div_ceil(batch) * batch;
        // States of earlier versions have the digest of all settings.
        let keys = [&self.key.lineage, &self.key.result];
        let is_ours = |state: &TrainingState| keys.contains(&&state.key) && state.images <= whole;
        let found = match TrainingState::load(self.folder)? {
            Some(state) if !is_ours(&state) => {
                let path = self.folder.join(NEWEST);
                return Err(TrainError::OtherRun { path });
            }
            Some(state) => Some(state),
            None => TrainingState::load_finished(self.folder)?.filter(is_ours),
        };
        let Some(found) = found else {
            log::truncate(self.folder, 0)?;
            let trainee = Trainee::new(Snapshot::fresh(init()?), rate, self.recipe.adam);
            return Ok((trainee, 0, Interval::default()));
        };
        log::truncate(self.folder, found.images)?;
        let filled = |weights| -> Result<UNet, TrainError> {
            let network = init()?.load_state_dict(weights);
            Ok(network.map_err(ModelError::from)?)
        };
        let snapshot = Snapshot {
            weights: filled(found.weights)?,
            ema: filled(found.ema)?,
            first_moment: filled(found.first_moment)?,
            second_moment: filled(found.second_moment)?,
        };
        let trainee = Trainee::new(snapshot, rate, self.recipe.adam);
        Ok((trainee, found.images, found.interval))
    }

    fn state(&self, trainee: &Trainee, images: u64, interval: &Interval) -> TrainingState {
        let snapshot = trainee.snapshot();
        TrainingState {
            key: self.key.lineage.clone(),
            images,
            interval: interval.clone(),
            weights: snapshot.weights.state_dict(),
            ema: snapshot.ema.state_dict(),
            first_moment: snapshot.first_moment.state_dict(),
            second_moment: snapshot.second_moment.state_dict(),
        }
    }
}

fn values(tensor: Tensor<1>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}
