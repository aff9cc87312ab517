//! Goes the whole way on toy images: teacher, trajectories, operator.
//!
//! ```text
//! cargo run --release -p dsno-train --example three_stages
//! ```

use burn::tensor::Device;
use dsno_data::{ImageSet, noise, picture::Uint8Images};
use dsno_model::{Student, Teacher};
use dsno_ode::CosineSchedule;
use dsno_operator::{TemporalConvConfig, UNetConfig};
use dsno_train::{
    CollectJob, CollectRecipe, DistillJob, DistillRecipe, Silent, TeacherJob, TeacherRecipe,
    collect, distill, train_teacher,
};

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
    let [to_teacher, store, to_student] =
        ["teacher", "store", "student"].map(|n| home.path().join(n));
    let recipes: Recipes = toml::from_str(include_str!("three_stages.toml"))?;

    // 64 grey images of 8×8 pixels, one half of each bright: left or right.
    let bright = |image: usize, pixel: usize| (pixel % 8 < 4) == image.is_multiple_of(2);
    let bytes = (0..64 * 64)
        .map(|k| if bright(k / 64, k % 64) { 255 } else { 0 })
        .collect();
    let images = ImageSet::from_pictures(&Uint8Images::new(64, 8, 8, 1, bytes)?);

    let job = TeacherJob {
        architecture: &recipes.architecture,
        schedule: CosineSchedule::default().into(),
        recipe: &recipes.teacher,
        seed: 1,
        images: &images,
        flip: false,
        folder: &to_teacher,
    };
    let _finished = train_teacher(&job, &device, &mut Silent)?;
    let teacher = Teacher::load(&to_teacher.join("model"), &device)?;

    let job = CollectJob {
        teacher: &teacher,
        recipe: &recipes.collect,
        seed: 1,
        store: &store,
        workers: 2,
    };
    let _finished = collect(&job, &device, &mut Silent)?;

    let job = DistillJob {
        teacher: &teacher,
        architecture: None,
        temporal: Some(TemporalConvConfig { n_modes: 2 }),
        recipe: &recipes.distill,
        loss: None,
        seed: 1,
        store: &store,
        folder: &to_student,
    };
    let _finished = distill(&job, &device, &mut Silent)?;
    let log = std::fs::read_to_string(to_student.join("metrics.jsonl"))?;
    println!("{log}");

    let student = Student::load(&to_student.join("model"), &device)?;
    let noise = noise::batch(9, 0..1, [1, 8, 8], &device);
    println!("{}", student.sample(noise, None).sign());
    Ok(())
}
