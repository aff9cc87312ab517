//! Distils with a loss that is defined here: mean absolute differences of pixels and of edges.
//!
//! ```text
//! cargo run --release -p dsno-train --example own_loss
//! ```

use burn::tensor::{Device, Tensor};
use dsno_model::TeacherDescription;
use dsno_ode::CosineSchedule;
use dsno_operator::{NetworkConfig, TemporalConvConfig, UNetConfig};
use dsno_train::{
    CollectJob, CollectRecipe, DistillJob, DistillRecipe, Silent, StateLoss, TeacherRecipe,
    collect, distill, mean_per_time,
};

/// L1 between states, plus so much times L1 between the differences of neighbouring pixels.
#[derive(Debug)]
struct Edges(f64);

impl StateLoss for Edges {
    fn per_time(&self, predicted: Tensor<5>, target: Tensor<5>) -> Tensor<1> {
        let error = predicted - target;
        let step = |axis| error.clone().slice_dim(axis, 1..) - error.clone().slice_dim(axis, ..-1);
        let edges = mean_per_time(step(3).abs()) + mean_per_time(step(4).abs());
        mean_per_time(error.clone().abs()) + edges * self.0
    }

    fn key(&self) -> String {
        format!("edges {}", self.0)
    }
}

#[derive(serde::Deserialize)]
struct Recipes {
    architecture: UNetConfig,
    teacher: TeacherRecipe,
    collect: CollectRecipe,
    distill: DistillRecipe,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let device = Device::flex();
    let home = tempfile::tempdir()?;
    let mut recipes: Recipes = toml::from_str(include_str!("three_stages.toml"))?;
    recipes.distill.training.total_images = 50 * recipes.distill.training.batch_size as u64;

    let network = NetworkConfig::unet(recipes.architecture, recipes.teacher.prediction)?;
    let schedule = CosineSchedule::default().into();
    let teacher = TeacherDescription::new(network, Some(schedule))?.init(1, &device);
    let job = CollectJob {
        teacher: &teacher,
        recipe: &recipes.collect,
        seed: 1,
        store: &home.path().join("store"),
        workers: 2,
    };
    let _finished = collect(&job, &device, &mut Silent)?;

    let job = DistillJob {
        teacher: &teacher,
        architecture: None,
        temporal: Some(TemporalConvConfig { n_modes: 2 }),
        recipe: &recipes.distill,
        loss: Some(&Edges(0.5)),
        seed: 1,
        store: &home.path().join("store"),
        folder: &home.path().join("student"),
    };
    let _finished = distill(&job, &device, &mut Silent)?;
    let log = home.path().join("student/metrics.jsonl");
    print!("{}", std::fs::read_to_string(log)?);
    Ok(())
}
