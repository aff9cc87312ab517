//! `dsno sample`: noise in, images out.

mod pictures;

use burn::tensor::Device;
use dsno_checkpoint::npy::F32Writer;
use dsno_model::batches::in_parallel;
use dsno_model::{Sampler, Solve, StudentSampler, TeacherSampler};
use dsno_ode::{GridKind, SolverKind};

use self::pictures::Pictures;
use super::noise::{Source, check_times, inputs};
use crate::args::SampleArgs;
use crate::console::say;
use crate::failure::{Failure, While};
use crate::model::Model;
use crate::output;
use crate::session::Session;
use crate::tensor::host;

/// Steps of a teacher's solver, unless asked otherwise.
const TEACHER_STEPS: usize = 64;

/// Carries out the verb.
pub(super) fn run(args: &SampleArgs) -> Result<(), Failure> {
    if let Some(times) = &args.times {
        check_times("--times", times)?;
    }
    check_outputs(args)?;
    let session = Session::new(args.device.device.clone());
    let device = session.open_device()?;
    let model = Model::load(&args.model, &device)?;
    let shape = model.image_shape();
    let source = Source::open(&args.noise, shape, model.classes())?;
    let pictures = args.png.is_some() || args.npz.is_some();
    if pictures && !matches!(shape[0], 1 | 3) {
        return Err(Failure::usage(format!(
            "images of {} have {} channels and pictures have 1 or 3; write them with --raw",
            args.model.display(),
            shape[0]
        )));
    }
    let sampler = sampler(args, &model)?;
    let times = args.times.clone().unwrap_or_else(|| sampler.times());
    size(args, &source, times.len()).check()?;
    let drawn = draw(&session, args, sampler.as_ref(), &source, &times, &device)?;
    drawn.write(args, &source)
}

/// Tries every place that results go to.
fn check_outputs(args: &SampleArgs) -> Result<(), Failure> {
    let inputs = inputs(&args.noise);
    let files = [("--raw", &args.raw), ("--npz", &args.npz)];
    let mut outputs = Vec::new();
    for (flag, path) in files {
        if let Some(path) = path {
            output::check_file(flag, path, &inputs)?;
            outputs.push((flag, path.as_path()));
        }
    }
    if let Some(folder) = &args.png {
        output::check_empty_folder("--png", folder)?;
        outputs.push(("--png", folder));
    }
    output::check_apart(&outputs)
}

fn sampler<'m>(args: &SampleArgs, model: &'m Model) -> Result<Box<dyn Sampler + 'm>, Failure> {
    match model {
        Model::Student(_)
            if args.solver.is_some()
                || args.steps.is_some()
                || args.grid.is_some()
                || args.unclamped =>
        {
            Err(Failure::usage(
                "--solver, --steps, --grid and --unclamped are for teachers; a student takes one call",
            ))
        }
        Model::Student(student) => Ok(Box::new(StudentSampler::new("student", student))),
        Model::Teacher(teacher) => {
            let solve = Solve {
                solver: args.solver.unwrap_or(SolverKind::Ddim),
                grid: args.grid.unwrap_or(GridKind::Uniform),
                steps: args.steps.unwrap_or(TEACHER_STEPS),
                clamp: !args.unclamped,
            };
            Ok(Box::new(TeacherSampler::new(teacher, solve)?))
        }
    }
}

/// What the results take on the disk, and in memory until all are drawn.
fn size(args: &SampleArgs, source: &Source, times: usize) -> output::Size {
    let [c, h, w] = source.shape();
    let mut size = output::Size::default();
    let pixels = output::bytes_of(&[source.count(), c, h, w], 1);
    if let Some(path) = &args.raw {
        let states = if args.trajectory { times } else { 1 };
        let bytes = output::bytes_of(&[source.count(), states, c, h, w], 4);
        size.on_disk(path, bytes);
    }
    if let Some(path) = &args.npz {
        size.on_disk(path, pixels);
        size.in_memory(pixels);
    }
    if let Some(folder) = &args.png {
        // Compression may gain nothing.
        size.on_disk(folder, pixels);
    }
    if args.npz.is_some() || args.png.is_some() {
        size.in_memory(pixels);
    }
    size
}

/// What was drawn: values go to their file, pictures are kept until all are there.
struct Drawn {
    raw: Option<F32Writer>,
    pictures: Option<Pictures>,
}

impl Drawn {
    /// Begins the results, of samples with states at so many times.
    fn new(args: &SampleArgs, source: &Source, times: usize) -> Result<Self, Failure> {
        let [c, h, w] = source.shape();
        let raw = args.raw.as_ref().map(|path| {
            output::make_parent(path)?;
            let written = if args.trajectory {
                F32Writer::create(path, &[source.count(), times, c, h, w])
            } else {
                F32Writer::create(path, &[source.count(), c, h, w])
            };
            written.while_doing("writing samples")
        });
        let pictures = args.png.is_some() || args.npz.is_some();
        Ok(Self {
            raw: raw.transpose()?,
            pictures: pictures.then(|| Pictures::new(source.shape())),
        })
    }

    /// Takes in states `[n, T, C, H, W]`.
    fn push(
        &mut self,
        args: &SampleArgs,
        states: &[f32],
        samples: usize,
        shape: [usize; 3],
    ) -> Result<(), Failure> {
        let pixels: usize = shape.iter().product();
        let each = states.len() / samples;
        let last = |sample: &'_ [f32]| sample[each - pixels..].to_vec();
        let last: Vec<f32> = states.chunks_exact(each).flat_map(last).collect();
        if let Some(pictures) = &mut self.pictures {
            pictures.push(&last)?;
        }
        if let Some(raw) = &mut self.raw {
            let values = if args.trajectory { states } else { &last };
            raw.push(values).while_doing("writing samples")?;
        }
        Ok(())
    }

    fn write(self, args: &SampleArgs, source: &Source) -> Result<(), Failure> {
        if let (Some(raw), Some(path)) = (self.raw, &args.raw) {
            raw.finish().while_doing("writing samples")?;
            say!("{}", path.display());
            output::write_labels_beside(path, source.drawn_labels().as_deref())?;
        }
        let Some(pictures) = &self.pictures else {
            return Ok(());
        };
        let labels = source.all_labels();
        if let Some(folder) = &args.png {
            pictures.write_folder(folder, labels.as_deref())?;
        }
        if let Some(path) = &args.npz {
            pictures.write_archive(path, labels.as_deref())?;
        }
        Ok(())
    }
}

fn draw(
    session: &Session,
    args: &SampleArgs,
    sampler: &dyn Sampler,
    source: &Source,
    times: &[f64],
    device: &Device,
) -> Result<Drawn, Failure> {
    let mut meter = session.meter("sample", "images");
    let mut drawn = Drawn::new(args, source, times.len())?;
    let batches = source.batches();
    let outcome = in_parallel(
        &batches,
        session.device.workers(),
        |range| {
            let (noise, labels) = (source.noise(range, device), source.labels(range));
            let labels = labels.as_deref();
            if args.trajectory || args.times.is_some() {
                host(&sampler.trajectory(noise, labels, times)?)
            } else {
                host(&sampler.images(noise, labels)?)
            }
        },
        |group, made| {
            for (range, states) in group.iter().zip(made) {
                drawn.push(args, &states, range.len(), source.shape())?;
            }
            let done = group.last().map_or(0, |range| range.end);
            Ok(meter.advance(done as u64, source.count() as u64, ""))
        },
    )?;
    if outcome.is_break() {
        return Err(Failure::run("stopped at your request; nothing was written"));
    }
    Ok(drawn)
}
