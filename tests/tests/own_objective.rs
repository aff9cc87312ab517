//! A method of training that no crate of the workspace knows: consistency training.
//!
//! The network predicts the clean image at a time, its average (EMA) at the time before it, from the
//! same noise; both are to agree (Song et al. 2023, arXiv:2303.01469, algorithm 3).

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::cell::Cell;
use std::error::Error;
use std::ops::Range;
use std::path::Path;
use std::sync::Mutex;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use dsno_checkpoint::StateDict;
use dsno_data::noise::{self, Stream};
use dsno_ode::{CosineSchedule, NoiseLevel, Schedule, add_noise_with};
use dsno_operator::{Timesteps, UNet, UNetConfig};
use dsno_train::{
    Ema, Loss, Objective, Observer, Outcome, Progress, RunKey, Silent, TrainError, Training,
    TrainingRecipe,
};

type Checked = Result<(), Box<dyn Error>>;

const STEPS: u64 = 20;
/// Time is divided into so many intervals.
const INTERVALS: u64 = 4;

struct Consistency {
    seed: u64,
    schedule: CosineSchedule,
    /// Largest difference between the EMA's prediction and that of the newest weights, per call.
    differences: Mutex<Vec<f32>>,
}

/// Images and noise, with the two levels that each is seen at.
struct Pair {
    x: Tensor<4>,
    eps: Tensor<4>,
    from: Vec<NoiseLevel>,
    to: Vec<NoiseLevel>,
}

impl Pair {
    fn at(&self, levels: &[NoiseLevel]) -> (Tensor<4>, Vec<f64>) {
        let column = |of: fn(NoiseLevel) -> f64| {
            let values: Vec<f32> = levels.iter().map(|&at| of(at) as f32).collect();
            let shape = [levels.len(), 1, 1, 1];
            Tensor::<4>::from_data(TensorData::new(values, shape), &self.x.device())
        };
        let (alpha, sigma) = (column(NoiseLevel::alpha), column(NoiseLevel::sigma));
        let z_t = add_noise_with(self.x.clone(), self.eps.clone(), alpha, sigma);
        (z_t, levels.iter().map(|at| at.log_snr()).collect())
    }
}

impl Objective for Consistency {
    type Examples = Pair;

    fn examples(&mut self, positions: Range<u64>, device: &Device) -> Result<Pair, TrainError> {
        let count = (positions.end - positions.start) as usize;
        let at = |interval: u64| self.schedule.at(interval as f64 / INTERVALS as f64);
        let intervals = positions.clone().map(|position| 1 + position % INTERVALS);
        let eps = noise::batch_of(
            Stream::TrainingNoise,
            self.seed,
            positions,
            [1, 4, 4],
            device,
        );
        Ok(Pair {
            x: Tensor::full([count, 1, 4, 4], 0.5, device),
            eps,
            from: intervals.clone().map(at).collect(),
            to: intervals.map(|interval| at(interval - 1)).collect(),
        })
    }

    fn loss(&self, network: &UNet, ema: &Ema<'_>, pair: Pair) -> Loss {
        let (z_t, log_snrs) = pair.at(&pair.from);
        let predicted = network.forward(z_t, Timesteps::PerSample(&log_snrs), None);
        let (z_r, log_snrs) = pair.at(&pair.to);
        let (z_r, times) = (z_r.inner(), Timesteps::PerSample(&log_snrs));
        let target = ema.network().forward(z_r.clone(), times, None);
        let newest = network.valid().forward(z_r, times, None);
        let difference = (newest - target.clone()).abs().max().into_scalar::<f32>();
        self.differences.lock().unwrap().push(difference);
        (predicted - target.autodiff()).square().mean().into()
    }
}

/// Asks to stop after so many steps.
struct StopAfter(Cell<usize>);

impl Observer for StopAfter {
    fn progress(&mut self, _progress: &Progress) {
        self.0.set(self.0.get().saturating_sub(1));
    }

    fn stop_requested(&self) -> bool {
        self.0.get() == 0
    }
}

fn architecture() -> Result<UNetConfig, toml::de::Error> {
    toml::from_str(
        "image_size = 4\nimage_channels = 1\nbase_channels = 8\nembedding_channels = 8\n\
         channel_multipliers = [1]\nres_blocks = 1\nattention_resolutions = []\n\
         heads = { count = 1 }\nattention_groups = 4\nclasses = 0\ndropout = 0.0\n\
         output = 'state'",
    )
}

fn recipe() -> Result<TrainingRecipe, toml::de::Error> {
    toml::from_str(&format!(
        "total_images = {}\nbatch_size = 8\nmicrobatches = 2\n\
         learning_rate = {{ peak = 1e-2, warmup_images = 0, decay = {{ kind = 'constant' }} }}\n\
         adam = {{ beta_1 = 0.9, beta_2 = 0.99 }}\nema_half_life_images = 32\n\
         checkpoint_images = 40\nlog_images = 8",
        8 * STEPS
    ))
}

/// Trains on in `folder`; the weights, once it has ended.
fn train(
    objective: &mut impl Objective,
    folder: &Path,
    observer: &mut dyn Observer,
) -> Result<Option<StateDict>, Box<dyn Error>> {
    let (architecture, recipe, device) = (architecture()?, recipe()?, Device::flex());
    let training = Training {
        recipe: &recipe,
        parallel: true,
        seed: 1,
        key: RunKey::of(&("consistency", &recipe), &recipe),
        folder,
    };
    let mut weights = None;
    let save = |network: UNet| {
        weights = Some(network.state_dict());
        Ok(())
    };
    let init = || Ok(architecture.init(1, &device)?);
    let outcome = training.run(objective, init, save, &device, observer)?;
    assert_eq!(outcome == Outcome::Finished, weights.is_some());
    Ok(weights)
}

fn consistency() -> Consistency {
    Consistency {
        seed: 7,
        schedule: CosineSchedule::default(),
        differences: Mutex::default(),
    }
}

#[test]
fn a_method_with_the_average_as_second_network_resumes_to_the_same_bits() -> Checked {
    let home = tempfile::tempdir()?;
    let [whole, parts] = ["whole", "parts"].map(|name| home.path().join(name));
    let mut objective = consistency();
    let expected = train(&mut objective, &whole, &mut Silent)?;
    let differences = objective.differences.into_inner()?;
    assert_eq!(differences.len(), 2 * STEPS as usize);
    // Before the first step the average is the network; then it lags behind.
    assert_eq!(differences[..2], [0.0, 0.0]);
    assert!(differences[2..].iter().all(|&difference| difference > 0.0));

    for stop in [3, 8] {
        let mut observer = StopAfter(Cell::new(stop));
        assert_eq!(train(&mut consistency(), &parts, &mut observer)?, None);
    }
    let found = train(&mut consistency(), &parts, &mut Silent)?;
    assert!(found.is_some());
    assert_eq!(found, expected);
    let [whole, parts] = [whole, parts].map(|folder| std::fs::read(folder.join("metrics.jsonl")));
    assert_eq!(whole?, parts?);
    Ok(())
}

/// Has no examples.
struct Empty;

impl Objective for Empty {
    type Examples = ();

    fn examples(&mut self, _positions: Range<u64>, _device: &Device) -> Result<(), TrainError> {
        Err(TrainError::Objective("the camera is off".into()))
    }

    fn loss(&self, _network: &UNet, _ema: &Ema<'_>, (): ()) -> Loss {
        unreachable!("there are no examples")
    }
}

#[test]
fn reasons_of_an_objective_reach_the_caller() -> Checked {
    let home = tempfile::tempdir()?;
    let error = train(&mut Empty, home.path(), &mut Silent).unwrap_err();
    assert_eq!(error.to_string(), "the camera is off");
    Ok(())
}
