//! Interrupted and undisturbed runs end in the same bits.

use std::cell::Cell;
use std::error::Error;
use std::fs;
use std::path::Path;

use burn::tensor::Device;
use dsno_checkpoint::digest::sha256_bytes;
use dsno_data::ImageSet;
use dsno_data::picture::Uint8Images;
use dsno_data::store::TrajectoryStore;
use dsno_model::{Student, Teacher};
use dsno_ode::{CosineSchedule, GridKind, Prediction, SolverKind};
use dsno_operator::{TemporalConvConfig, UNetConfig};
use dsno_train::training_state::{FINISHED, NEWEST, PREVIOUS};
use dsno_train::{
    Adam, CollectJob, CollectRecipe, Decay, Distance, DistillJob, DistillRecipe, LearningRate,
    Observer, Outcome, Progress, Silent, StateLoss, StoreDtype, TeacherJob, TeacherRecipe,
    TimeWeight, TrainError, TrainingRecipe, Weighting, collect, distill, train_teacher,
};

use crate::alone;

type Checked = Result<(), Box<dyn Error>>;

/// Asks to stop after so many calls.
struct StopAfter(Cell<usize>);

impl Observer for StopAfter {
    fn progress(&mut self, _progress: &Progress) {
        self.0.set(self.0.get().saturating_sub(1));
    }

    fn stop_requested(&self) -> bool {
        self.0.get() == 0
    }
}

fn stop_after(calls: usize) -> StopAfter {
    StopAfter(Cell::new(calls))
}

fn images() -> ImageSet {
    let bytes: Vec<u8> = (0..40 * 16).map(|k: u32| (k * k % 251) as u8).collect();
    ImageSet::from_pictures(&Uint8Images::new(40, 4, 4, 1, bytes).unwrap())
}

fn architecture(dropout: f64) -> UNetConfig {
    UNetConfig::new(4, 1)
        .with_base_channels(8)
        .with_embedding_channels(8)
        .with_channel_multipliers(vec![1, 2])
        .with_res_blocks(1)
        .with_attention_resolutions(vec![])
        .with_attention_groups(4)
        .with_dropout(dropout)
}

fn learning_rate() -> LearningRate {
    LearningRate {
        peak: 1e-3,
        warmup_images: 16,
        decay: Decay::Linear {},
    }
}

fn teacher_recipe() -> TeacherRecipe {
    TeacherRecipe {
        prediction: Prediction::V,
        weighting: Weighting::Native {},
        training: TrainingRecipe {
            total_images: 80,
            batch_size: 8,
            microbatches: 2,
            learning_rate: learning_rate(),
            adam: Adam {
                beta_1: 0.9,
                beta_2: 0.99,
            },
            ema_half_life_images: 20.0,
            checkpoint_images: 24,
            log_images: 16,
        },
    }
}

fn train(folder: &Path, dropout: f64, observer: &mut dyn Observer) -> Result<Outcome, TrainError> {
    train_by(&teacher_recipe(), folder, dropout, observer)
}

fn train_by(
    recipe: &TeacherRecipe,
    folder: &Path,
    dropout: f64,
    observer: &mut dyn Observer,
) -> Result<Outcome, TrainError> {
    let job = TeacherJob {
        architecture: &architecture(dropout),
        schedule: CosineSchedule::default().into(),
        recipe,
        seed: 5,
        images: &images(),
        flip: true,
        folder,
    };
    train_teacher(&job, &Device::flex(), observer)
}

fn collect_recipe() -> CollectRecipe {
    CollectRecipe {
        trajectories: 22,
        solver: SolverKind::Ddim,
        steps: 4,
        grid: GridKind::Quadratic,
        record: vec![1.0, 0.5625, 0.25, 0.0625, 0.0],
        clamp: true,
        batch_size: 4,
        shard_trajectories: 8,
        dtype: StoreDtype::F32,
    }
}

fn distill_recipe() -> DistillRecipe {
    DistillRecipe {
        distance: Distance::L1,
        weight: TimeWeight::RootSnr { min: 1.0, max: 1e4 },
        training: TrainingRecipe {
            total_images: 48,
            batch_size: 8,
            microbatches: 2,
            learning_rate: learning_rate(),
            adam: Adam {
                beta_1: 0.9,
                beta_2: 0.999,
            },
            ema_half_life_images: 0.0,
            checkpoint_images: 16,
            log_images: 16,
        },
    }
}

/// Files of a finished training that must not depend on its history.
fn result(folder: &Path) -> Vec<String> {
    [
        "model/model.safetensors",
        "model/model.toml",
        "metrics.jsonl",
    ]
    .map(|name| sha256_bytes(&fs::read(folder.join(name)).unwrap()))
    .to_vec()
}

#[test]
fn a_stopped_teacher_goes_on_to_the_same_bits_with_and_without_dropout() -> Checked {
    let _alone = alone();
    for dropout in [0.0, 0.3] {
        let home = tempfile::tempdir()?;
        let [whole, parts] = ["whole", "parts"].map(|name| home.path().join(name));
        assert_eq!(train(&whole, dropout, &mut Silent)?, Outcome::Finished);
        assert_eq!(
            train(&parts, dropout, &mut stop_after(2))?,
            Outcome::Stopped
        );
        assert_eq!(
            train(&parts, dropout, &mut stop_after(3))?,
            Outcome::Stopped
        );
        assert_eq!(train(&parts, dropout, &mut Silent)?, Outcome::Finished);
        assert_eq!(result(&whole), result(&parts));
        assert!(!parts.join(NEWEST).exists() && !parts.join(PREVIOUS).exists());
        // Once more: the result is recognised.
        assert_eq!(
            train(&parts, dropout, &mut stop_after(0))?,
            Outcome::Finished
        );
    }
    Ok(())
}

#[test]
fn a_training_at_a_constant_rate_is_made_longer_after_its_end() -> Checked {
    let _alone = alone();
    let recipe = |total_images| {
        let mut recipe = teacher_recipe();
        recipe.training.learning_rate.decay = Decay::Constant {};
        recipe.training.total_images = total_images;
        recipe
    };
    let home = tempfile::tempdir()?;
    let [once, twice] = ["once", "twice"].map(|name| home.path().join(name));
    let train = |folder: &Path, images| train_by(&recipe(images), folder, 0.3, &mut Silent);
    assert_eq!(train(&once, 80)?, Outcome::Finished);
    assert_eq!(train(&twice, 40)?, Outcome::Finished);
    assert_eq!(train(&twice, 80)?, Outcome::Finished);
    assert_eq!(result(&once)[..2], result(&twice)[..2]);
    assert!(twice.join(FINISHED).exists() && !twice.join(NEWEST).exists());
    // A lost result is there again at once, and a shorter training is another one.
    fs::remove_dir_all(twice.join("model"))?;
    let recipe_again = recipe(80);
    let once_more = train_by(&recipe_again, &twice, 0.3, &mut stop_after(0))?;
    assert_eq!(once_more, Outcome::Finished);
    assert_eq!(result(&once)[..2], result(&twice)[..2]);
    let first = home.path().join("first");
    assert_eq!(train(&first, 40)?, Outcome::Finished);
    assert_eq!(train(&twice, 40)?, Outcome::Finished);
    assert_eq!(result(&first)[..2], result(&twice)[..2]);
    Ok(())
}

#[test]
fn the_checkpoint_before_the_newest_leads_to_the_same_bits() -> Checked {
    let _alone = alone();
    let home = tempfile::tempdir()?;
    let [whole, parts] = ["whole", "parts"].map(|name| home.path().join(name));
    assert_eq!(train(&whole, 0.0, &mut Silent)?, Outcome::Finished);
    assert_eq!(train(&parts, 0.0, &mut stop_after(8))?, Outcome::Stopped);
    fs::remove_file(parts.join(NEWEST))?;
    assert_eq!(train(&parts, 0.0, &mut Silent)?, Outcome::Finished);
    assert_eq!(result(&whole), result(&parts));
    Ok(())
}

#[test]
fn collection_and_distillation_go_on_to_the_same_bits() -> Checked {
    let _alone = alone();
    let device = Device::flex();
    let home = tempfile::tempdir()?;
    assert_eq!(
        train(&home.path().join("teacher"), 0.0, &mut Silent)?,
        Outcome::Finished
    );
    let teacher = Teacher::load(&home.path().join("teacher/model"), &device)?;

    let store = |name: &str| home.path().join(name);
    let collect = |name: &str, observer: &mut dyn Observer| {
        let store = store(name);
        let job = CollectJob {
            teacher: &teacher,
            recipe: &collect_recipe(),
            seed: 3,
            store: &store,
            workers: if name == "whole" { 1 } else { 2 },
        };
        collect(&job, &device, observer)
    };
    assert_eq!(collect("whole", &mut Silent)?, Outcome::Finished);
    assert_eq!(collect("parts", &mut stop_after(1))?, Outcome::Stopped);
    assert_eq!(
        TrajectoryStore::open(store("parts"))?.missing_shards(),
        [1, 2]
    );
    assert_eq!(collect("parts", &mut Silent)?, Outcome::Finished);
    let all: Vec<usize> = (0..22).collect();
    let states = |name: &str| {
        TrajectoryStore::open(store(name))
            .unwrap()
            .read(&all)
            .unwrap()
    };
    assert_eq!(states("whole"), states("parts"));

    for n_modes in [None, Some(2)] {
        let distill_with =
            |loss: Option<&dyn StateLoss>, name: &str, observer: &mut dyn Observer| {
                let job = DistillJob {
                    teacher: &teacher,
                    architecture: None,
                    temporal: n_modes.map(|n_modes| TemporalConvConfig { n_modes }),
                    recipe: &distill_recipe(),
                    loss,
                    seed: 4,
                    store: &store("whole"),
                    folder: &home.path().join(format!("{name}-{n_modes:?}")),
                };
                distill(&job, &device, observer)
            };
        let distill = |name: &str, observer: &mut dyn Observer| distill_with(None, name, observer);
        assert_eq!(distill("student-whole", &mut Silent)?, Outcome::Finished);
        assert_eq!(
            distill("student-parts", &mut stop_after(3))?,
            Outcome::Stopped
        );
        let other = distill_with(Some(&Distance::L2), "student-parts", &mut Silent);
        assert!(matches!(other, Err(TrainError::OtherRun { .. })));
        assert_eq!(distill("student-parts", &mut Silent)?, Outcome::Finished);
        let [whole, parts] =
            ["whole", "parts"].map(|name| home.path().join(format!("student-{name}-{n_modes:?}")));
        assert_eq!(result(&whole), result(&parts));
        let student = Student::load(&whole.join("model"), &device)?;
        assert_eq!(student.times, [0.5625, 0.25, 0.0625, 0.0]);
    }
    Ok(())
}

#[test]
fn a_checkpoint_of_other_settings_is_not_taken_up() -> Checked {
    let _alone = alone();
    let home = tempfile::tempdir()?;
    assert_eq!(
        train(home.path(), 0.0, &mut stop_after(3))?,
        Outcome::Stopped
    );
    let error = train(home.path(), 0.1, &mut Silent).unwrap_err();
    assert!(matches!(error, TrainError::OtherRun { .. }), "{error}");
    Ok(())
}

#[test]
fn recipes_that_cannot_be_followed_are_refused() {
    let refused = |change: &dyn Fn(&mut TeacherRecipe)| {
        let mut recipe = teacher_recipe();
        change(&mut recipe);
        recipe.validate().unwrap_err().to_string()
    };
    assert!(refused(&|r| r.training.microbatches = 3).contains("`microbatches` is 3"));
    assert!(refused(&|r| r.training.batch_size = 0).contains("`batch_size` is 0"));
    assert!(
        refused(&|r| r.training.learning_rate.peak = f64::NAN)
            .contains("`learning_rate.peak` is NaN")
    );
    assert!(refused(&|r| r.training.adam.beta_2 = 1.0).contains("`adam.beta_2` is 1"));
    assert!(
        refused(&|r| r.training.ema_half_life_images = -1.0)
            .contains("`ema_half_life_images` is -1")
    );
    let recipe = CollectRecipe {
        record: vec![1.0, 0.5],
        ..collect_recipe()
    };
    assert!(
        recipe
            .validate()
            .unwrap_err()
            .to_string()
            .contains("from 1 to 0")
    );
}
