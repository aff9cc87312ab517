//! Solving a teacher's ODE for many noises and storing the trajectories.

use std::ops::{ControlFlow, Range};
use std::path::Path;
use std::thread;
use std::time::Duration;

use burn::tensor::Device;
use dsno_data::noise;
use dsno_data::store::{Dtype, Provenance, StoreError, StoreLock, StoreSpec, TrajectoryStore};
use dsno_model::Teacher;
use dsno_model::batches::{in_parallel, ranges};
use dsno_ode::{Schedule, SolveError, TimeGrid, initial_state};
use serde_json::{Map, json};

use crate::error::TrainError;
use crate::observer::{Notice, Observer, Outcome, Progress};
use crate::recipe::{CollectRecipe, StoreDtype};

/// Time between two looks at a store that another process fills.
const LOCK_INTERVAL: Duration = Duration::from_millis(100);

/// All that shapes a set of trajectories.
#[derive(Debug, Clone, Copy)]
pub struct CollectJob<'a> {
    /// The model whose ODE is solved.
    pub teacher: &'a Teacher,
    /// How to solve it and what to keep.
    pub recipe: &'a CollectRecipe,
    /// Seed of noise and labels.
    pub seed: u64,
    /// The store's folder; made if it does not exist.
    pub store: &'a Path,
    /// Batches solved at the same time, at least 1; trajectories do not depend on it.
    pub workers: usize,
}

/// Fills a trajectory store, shard by shard; shards that are there already are kept if they are whole.
///
/// Sample `i` starts from the noise of index `i` under the seed, so neither batches nor shards nor
/// a restart change it; on devices whose kernels sum in another order in a batch of another size,
/// that moves its last bits.
///
/// Shards that are there are read once and compared with the manifest; the damaged ones are
/// collected again, and the observer gets a [`Notice`]. While another process fills the store, this
/// one waits.
///
/// # Errors
///
/// [`TrainError`]; shards that were written stay valid.
pub fn collect(
    job: &CollectJob<'_>,
    device: &Device,
    observer: &mut dyn Observer,
) -> Result<Outcome, TrainError> {
    let recipe = job.recipe;
    recipe.validate()?;
    let grid = TimeGrid::new(recipe.grid, recipe.steps, &job.teacher.schedule)?;
    let calls = recipe
        .solver
        .calls(&job.teacher.schedule, &grid, &recipe.record)?;
    let Some(_lock) = lock(job.store, observer)? else {
        return Ok(Outcome::Stopped);
    };
    let mut store = TrajectoryStore::create(job.store, &spec(job, calls))?;
    if discard_damaged(job, &mut store, observer)?.is_break() {
        return Ok(Outcome::Stopped);
    }
    let total_images = recipe.trajectories;
    let done = store.done_shards().into_iter();
    let mut images: u64 = done
        .map(|shard| store.shard_range(shard).len() as u64)
        .sum();

    for shard in store.missing_shards() {
        let range = store.shard_range(shard);
        let mut states = Vec::with_capacity(range.len() * store.spec().sample_len());
        let mut labels = Vec::new();
        let batches = ranges(range.len(), recipe.batch_size);
        if observer.stop_requested() {
            return Ok(Outcome::Stopped);
        }
        let solve = |batch: &Range<usize>| {
            let (first, end) = (range.start + batch.start, range.start + batch.end);
            solve_batch(job, &grid, first as u64..end as u64, device)
        };
        let solved = in_parallel(&batches, job.workers, solve, |group, solved| {
            images += group.iter().map(|batch| batch.len() as u64).sum::<u64>();
            for (batch, its_labels) in solved {
                states.extend(batch);
                labels.extend(its_labels);
            }
            observer.progress(&Progress {
                images,
                total_images,
                loss: None,
                loss_per_time: Vec::new(),
                learning_rate: None,
            });
            Ok(if observer.stop_requested() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            })
        })?;
        if solved.is_break() {
            return Ok(Outcome::Stopped);
        }
        store.write_shard(shard, &states, &labels)?;
    }
    Ok(Outcome::Finished)
}

/// Takes the store for this process, after whoever has it; `None` if asked to stop meanwhile.
fn lock(store: &Path, observer: &mut dyn Observer) -> Result<Option<StoreLock>, StoreError> {
    let mut told = false;
    loop {
        if let Some(lock) = StoreLock::try_take(store)? {
            return Ok(Some(lock));
        }
        if !told {
            told = true;
            let store = store.to_path_buf();
            observer.notice(&Notice::Waiting { store });
        }
        if observer.stop_requested() {
            return Ok(None);
        }
        thread::sleep(LOCK_INTERVAL);
    }
}

/// Takes shards off the manifest whose files are not those that were written.
fn discard_damaged(
    job: &CollectJob<'_>,
    store: &mut TrajectoryStore,
    observer: &mut dyn Observer,
) -> Result<ControlFlow<()>, StoreError> {
    let done = store.done_shards();
    let mut damaged = Vec::new();
    let is_damaged = |&shard: &usize| match store.verify_shard(shard) {
        Ok(()) => Ok(false),
        Err(StoreError::Corrupt { .. }) => Ok(true),
        Err(other) => Err(other),
    };
    let checked = in_parallel(&done, job.workers, is_damaged, |group, found| {
        let bad = group.iter().zip(found).filter(|(_, found)| *found);
        damaged.extend(bad.map(|(&shard, _)| shard));
        Ok(if observer.stop_requested() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        })
    })?;
    if !damaged.is_empty() {
        observer.notice(&Notice::Damaged {
            store: job.store.to_path_buf(),
            shards: damaged.clone(),
        });
    }
    for shard in damaged {
        store.discard_shard(shard)?;
    }
    Ok(checked)
}

/// States `[B, T, C, H, W]` of one batch on the host, and its labels: one per sample, none for an
/// unconditional teacher.
fn solve_batch(
    job: &CollectJob<'_>,
    grid: &TimeGrid,
    batch: Range<u64>,
    device: &Device,
) -> Result<(Vec<f32>, Vec<u32>), SolveError> {
    let (teacher, recipe) = (job.teacher, job.recipe);
    let classes = teacher.classes() as u32;
    let label = |i| noise::label(job.seed, i, classes);
    let labels: Option<Vec<u32>> = (classes > 0).then(|| batch.clone().map(label).collect());
    let (solver, schedule) = (recipe.solver, &teacher.schedule);
    let noise = noise::batch(job.seed, batch, teacher.image_shape(), device);
    let z_1 = initial_state(noise, schedule);
    let model = teacher.denoiser(labels.clone(), recipe.clamp);
    let solution = solver.solve(model.as_ref(), schedule, grid, z_1, &recipe.record)?;
    let states = solution.into_trajectory().into_data();
    let states = states.iter::<f32>().collect();
    Ok((states, labels.unwrap_or_default()))
}

fn spec(job: &CollectJob<'_>, calls: usize) -> StoreSpec {
    let (teacher, recipe) = (job.teacher, job.recipe);
    let log_snr = |&t: &f64| teacher.schedule.log_snr(t);
    let other = Map::from_iter([
        ("grid".to_owned(), json!(recipe.grid)),
        ("clamp".to_owned(), json!(recipe.clamp)),
        ("batch_size".to_owned(), json!(recipe.batch_size)),
    ]);
    StoreSpec {
        samples: recipe.trajectories as usize,
        times: recipe.record.clone(),
        log_snr: recipe.record.iter().map(log_snr).collect(),
        shape: teacher.image_shape(),
        shard_samples: (recipe.shard_trajectories as usize).min(recipe.trajectories as usize),
        dtype: match recipe.dtype {
            StoreDtype::F16 => Dtype::F16,
            StoreDtype::F32 => Dtype::F32,
        },
        zstd: false,
        classes: teacher.classes() as u32,
        provenance: Provenance {
            model_calls: calls,
            schedule: json!(teacher.schedule),
            teacher_sha256: teacher.weights_sha256(),
            other,
            ..Provenance::new(job.seed, recipe.solver.name(), recipe.steps)
        },
    }
}
