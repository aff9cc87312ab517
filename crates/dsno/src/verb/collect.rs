//! `dsno collect`: solves a teacher's ODE, into an array or a trajectory store.

use std::ops::Range;
use std::path::Path;

use burn::tensor::{Device, Tensor};
use dsno_checkpoint::npy;
use dsno_model::batches::in_parallel;
use dsno_model::{Sampler, Teacher, TeacherSampler};
use dsno_train::{CollectJob, CollectRecipe, Outcome, StoreDtype, collect};

use super::analytic::Analytic;
use super::noise::{Source, check_times};
use crate::args::CollectArgs;
use crate::failure::{Failure, While};
use crate::model;
use crate::session::{Session, stopped};
use crate::tensor::host;

/// Carries out the verb.
pub(super) fn run(args: &CollectArgs) -> Result<(), Failure> {
    check_times("--record", &args.record)?;
    let session = Session::new(args.device.device.clone());
    let device = session.open_device()?;
    if args
        .teacher
        .extension()
        .is_some_and(|extension| extension == "toml")
    {
        return analytic(args, &session, &device);
    }
    let model::Model::Teacher(teacher) = model::Model::load(&args.teacher, &device)? else {
        return Err(Failure::usage(format!(
            "{} is a student, expected a teacher",
            args.teacher.display()
        )));
    };
    match &args.store {
        Some(path) => store(args, path, &session, &teacher, &device),
        None => network(args, &session, &teacher, &device),
    }
}

fn store(
    args: &CollectArgs,
    path: &Path,
    session: &Session,
    teacher: &Teacher,
    device: &Device,
) -> Result<(), Failure> {
    let recipe = recipe(args);
    recipe.validate().or_usage("collect")?;
    let job = CollectJob {
        teacher,
        recipe: &recipe,
        seed: args.noise.seed,
        store: path,
        workers: session.device.workers(),
    };
    let mut meter = session.meter("collect", "trajectories");
    let outcome = collect(&job, device, &mut meter).while_doing("collection")?;
    drop(meter);
    if outcome == Outcome::Stopped {
        return Err(stopped("collection"));
    }
    println!("{}", path.display());
    Ok(())
}

fn network(
    args: &CollectArgs,
    session: &Session,
    teacher: &Teacher,
    device: &Device,
) -> Result<(), Failure> {
    let source = Source::open(&args.noise, teacher.image_shape(), teacher.classes())?;
    let sampler = TeacherSampler::new(teacher, recipe(args).solve())?;
    raw(args, session, &source, &|range| {
        let noise = source.noise(range, device);
        Ok(sampler.trajectory(noise, source.labels(range), &args.record)?)
    })
}

fn analytic(args: &CollectArgs, session: &Session, device: &Device) -> Result<(), Failure> {
    if args.store.is_some() {
        return Err(Failure::usage(
            "stores hold trajectories of networks; for an analytic teacher give --raw OUT.npy",
        ));
    }
    let analytic = Analytic::open(&args.teacher)?;
    let grid = analytic.grid(args.grid, args.steps)?;
    let source = Source::open(&args.noise, analytic.shape(), 0)?;
    raw(args, session, &source, &|range| {
        analytic.trajectory(
            source.noise(range, device),
            args.solver,
            &grid,
            &args.record,
        )
    })
}

/// The recipe of a store; trajectories that share a file are those of one batch.
fn recipe(args: &CollectArgs) -> CollectRecipe {
    let batch_size = args.noise.batch.max(1);
    CollectRecipe {
        trajectories: args.noise.count.unwrap_or_default() as u64,
        solver: args.solver,
        steps: args.steps,
        grid: args.grid,
        record: args.record.clone(),
        clamp: !args.unclamped,
        batch_size,
        shard_trajectories: batch_size as u64,
        dtype: StoreDtype::F32,
    }
}

/// Solves batch by batch and writes all states as one array.
fn raw(
    args: &CollectArgs,
    session: &Session,
    source: &Source,
    states: &(dyn Fn(&Range<usize>) -> Result<Tensor<5>, Failure> + Sync),
) -> Result<(), Failure> {
    let Some(path) = &args.raw else { return Ok(()) };
    let mut meter = session.meter("collect", "trajectories");
    let mut values = Vec::new();
    let outcome = in_parallel(
        &source.batches(),
        session.device.workers(),
        |range| host(&states(range)?),
        |group, made| {
            values.extend(made.into_iter().flatten());
            let done = group.last().map_or(0, |range| range.end);
            Ok(meter.advance(done as u64, source.count() as u64, ""))
        },
    )?;
    if outcome.is_break() {
        return Err(Failure::run("stopped at your request; nothing was written"));
    }
    let [c, h, w] = source.shape();
    npy::write_f32(path, &[source.count(), args.record.len(), c, h, w], &values)
        .while_doing("writing trajectories")?;
    println!("{}", path.display());
    Ok(())
}
