//! `dsno sample`: noise in, images out.

use std::fs;

use burn::tensor::Device;
use dsno_checkpoint::npy;
use dsno_data::picture::Uint8Images;
use dsno_model::batches::in_parallel;
use dsno_model::{Sampler, Solve, StudentSampler, TeacherSampler};
use dsno_ode::{GridKind, SolverKind};

use super::noise::{Source, check_times};
use crate::args::SampleArgs;
use crate::failure::{Failure, While};
use crate::model::Model;
use crate::session::Session;
use crate::tensor::host;

/// Steps of a teacher's solver, unless asked otherwise.
const TEACHER_STEPS: usize = 64;
/// Images in the grid that goes with `--png`, at most, and its columns.
const GRID: usize = 100;
const COLUMNS: usize = 10;

/// Carries out the verb.
pub(super) fn run(args: &SampleArgs) -> Result<(), Failure> {
    if let Some(times) = &args.times {
        check_times("--times", times)?;
    }
    let session = Session::new(args.device.device.clone());
    let device = session.open_device()?;
    let model = Model::load(&args.model, &device)?;
    let source = Source::open(&args.noise, model.image_shape(), model.classes())?;
    let sampler: Box<dyn Sampler + '_> = match &model {
        Model::Student(_)
            if args.solver.is_some()
                || args.steps.is_some()
                || args.grid.is_some()
                || args.unclamped =>
        {
            return Err(Failure::usage(
                "--solver, --steps, --grid and --unclamped are for teachers; a student takes one call",
            ));
        }
        Model::Student(student) => Box::new(StudentSampler::new("student", student)),
        Model::Teacher(teacher) => {
            let solve = Solve {
                solver: args.solver.unwrap_or(SolverKind::Ddim),
                grid: args.grid.unwrap_or(GridKind::Uniform),
                steps: args.steps.unwrap_or(TEACHER_STEPS),
                clamp: !args.unclamped,
            };
            Box::new(TeacherSampler::new(teacher, solve)?)
        }
    };
    let times = args.times.clone().unwrap_or_else(|| sampler.times());
    let values = draw(&session, args, sampler.as_ref(), &source, &times, &device)?;
    write(args, &source, times.len(), &values)
}

fn draw(
    session: &Session,
    args: &SampleArgs,
    sampler: &dyn Sampler,
    source: &Source,
    times: &[f64],
    device: &Device,
) -> Result<Vec<f32>, Failure> {
    let mut meter = session.meter("sample", "images");
    let mut values = Vec::new();
    let batches = source.batches();
    let outcome = in_parallel(
        &batches,
        session.device.workers(),
        |range| {
            let (noise, labels) = (source.noise(range, device), source.labels(range));
            if args.trajectory || args.times.is_some() {
                host(&sampler.trajectory(noise, labels, times)?)
            } else {
                host(&sampler.images(noise, labels)?)
            }
        },
        |group, made| {
            values.extend(made.into_iter().flatten());
            let done = group.last().map_or(0, |range| range.end);
            Ok(meter.advance(done as u64, source.count() as u64, ""))
        },
    )?;
    if outcome.is_break() {
        return Err(Failure::run("stopped at your request; nothing was written"));
    }
    Ok(values)
}

fn write(args: &SampleArgs, source: &Source, times: usize, values: &[f32]) -> Result<(), Failure> {
    let [c, h, w] = source.shape();
    let count = source.count();
    let pixels = c * h * w;
    let stored = values.len() / (count * pixels);
    let last: Vec<f32> = values
        .chunks_exact(stored * pixels)
        .flat_map(|states| &states[(stored - 1) * pixels..])
        .copied()
        .collect();
    if let Some(path) = &args.raw {
        let written = if args.trajectory {
            npy::write_f32(path, &[count, times, c, h, w], values)
        } else {
            npy::write_f32(path, &[count, c, h, w], &last)
        };
        written.while_doing("writing samples")?;
        println!("{}", path.display());
    }
    let pictures = || {
        Uint8Images::from_values(&last, [count, c, h, w])
            .while_doing("turning samples into pictures")
    };
    if let Some(folder) = &args.png {
        fs::create_dir_all(folder).while_doing(format!("cannot create {}", folder.display()))?;
        let pictures = pictures()?;
        pictures
            .save_png_folder(folder, 0)
            .while_doing("writing pictures")?;
        let shown = count.min(GRID);
        let columns = shown.min(COLUMNS);
        pictures
            .grid(shown.div_ceil(columns), columns)
            .and_then(|grid| {
                grid.enlarged((256 / (h * columns)).max(1))
                    .save_png(0, folder.join("grid.png"))
            })
            .while_doing("drawing the grid")?;
        println!("{}", folder.join("grid.png").display());
    }
    if let Some(path) = &args.npz {
        pictures()?
            .save_npz(path)
            .while_doing("writing the archive")?;
        println!("{}", path.display());
    }
    Ok(())
}
