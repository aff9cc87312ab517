//! `dsno collect`: solves a teacher's ODE, into an array or a trajectory store.

use std::ops::Range;
use std::path::Path;

use burn::tensor::{Device, Tensor};
use dsno_checkpoint::npy::F32Writer;
use dsno_data::store::TrajectoryStore;
use dsno_model::batches::in_parallel;
use dsno_model::{Sampler, Teacher, TeacherSampler};
use dsno_train::{CollectJob, CollectRecipe, Outcome, StoreDtype, collect};

use super::analytic::Analytic;
use super::noise::{Source, check_times, inputs};
use crate::args::CollectArgs;
use crate::console::say;
use crate::failure::{Failure, While};
use crate::model;
use crate::output;
use crate::session::{Session, stopped};
use crate::tensor::host;

/// Trajectories of a file of a new store, unless asked otherwise: what a killed call loses at most.
const SHARD: usize = 256;
/// A file of a new store holds fewer trajectories where these are large.
const SHARD_BYTES: usize = 64 << 20;
/// What a trajectory store consists of.
const STORE_PARTS: [&str; 6] = [
    "zarr.json",
    "states",
    "labels",
    "times",
    "log_snr",
    "sha256",
];

/// Carries out the verb.
pub(super) fn run(args: &CollectArgs) -> Result<(), Failure> {
    check_times("--record", &args.record)?;
    if let Some(path) = &args.raw {
        output::check_file("--raw", path, &inputs(&args.noise))?;
    }
    if let Some(path) = &args.store {
        check_store(path)?;
    }
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

/// Checks that a folder is a store, or can become one.
fn check_store(path: &Path) -> Result<(), Failure> {
    let entries = output::entries("--store", path)?;
    if let Some(other) = entries.iter().find(|e| !STORE_PARTS.contains(&e.as_str())) {
        return Err(Failure::usage(format!(
            "--store {} holds {other}, which is no part of a store; give a new folder",
            path.display()
        )));
    }
    output::check_folder("--store", path)
}

fn store(
    args: &CollectArgs,
    path: &Path,
    session: &Session,
    teacher: &Teacher,
    device: &Device,
) -> Result<(), Failure> {
    let there = TrajectoryStore::open(path).ok();
    let values = args.record.len() * teacher.image_shape().iter().product::<usize>();
    let new = (SHARD_BYTES / (4 * values).max(1)).clamp(1, SHARD);
    // A store that is there keeps the size of its files.
    let kept = there.as_ref().map(|store| store.spec().shard_samples);
    let recipe = recipe(args, args.shard.or(kept).unwrap_or(new));
    recipe.validate().or_usage("collect")?;
    TeacherSampler::new(teacher, recipe.solve())?;
    let done = there.map_or(0, |store| {
        let shards = store.done_shards().into_iter();
        shards.map(|shard| store.shard_range(shard).len()).sum()
    });
    let missing = args.noise.count.unwrap_or_default().saturating_sub(done);
    let mut size = output::Size::default();
    size.on_disk(path, output::bytes_of(&[missing, values], 4));
    size.check()?;
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
    say!("{}", path.display());
    Ok(())
}

fn network(
    args: &CollectArgs,
    session: &Session,
    teacher: &Teacher,
    device: &Device,
) -> Result<(), Failure> {
    let source = Source::open(&args.noise, teacher.image_shape(), teacher.classes())?;
    let sampler = TeacherSampler::new(teacher, recipe(args, SHARD).solve())?;
    raw(args, session, &source, &|range| {
        let (noise, labels) = (source.noise(range, device), source.labels(range));
        Ok(sampler.trajectory(noise, labels.as_deref(), &args.record)?)
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

/// The recipe of a store whose files hold `shard` trajectories.
fn recipe(args: &CollectArgs, shard: usize) -> CollectRecipe {
    CollectRecipe {
        trajectories: args.noise.count.unwrap_or_default() as u64,
        solver: args.solver,
        steps: args.steps,
        grid: args.grid,
        record: args.record.clone(),
        clamp: !args.unclamped,
        batch_size: args.noise.batch,
        shard_trajectories: shard as u64,
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
    let [c, h, w] = source.shape();
    let shape = [source.count(), args.record.len(), c, h, w];
    let mut size = output::Size::default();
    size.on_disk(path, output::bytes_of(&shape, 4));
    size.check()?;
    output::make_parent(path)?;
    let mut file = F32Writer::create(path, &shape).while_doing("writing trajectories")?;
    let mut meter = session.meter("collect", "trajectories");
    let outcome = in_parallel(
        &source.batches(),
        session.device.workers(),
        |range| host(&states(range)?),
        |group, made| {
            for states in made {
                file.push(&states).while_doing("writing trajectories")?;
            }
            let done = group.last().map_or(0, |range| range.end);
            Ok(meter.advance(done as u64, source.count() as u64, ""))
        },
    )?;
    if outcome.is_break() {
        return Err(Failure::run("stopped at your request; nothing was written"));
    }
    file.finish().while_doing("writing trajectories")?;
    say!("{}", path.display());
    output::write_labels_beside(path, source.drawn_labels().as_deref())
}
