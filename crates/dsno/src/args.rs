//! The command line.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use dsno_ode::{GridKind, SolverKind};
use dsno_operator::interop::WeightSet;

use crate::device::DeviceName;
use crate::experiment::Override;
use crate::import::Format;

/// Turns a diffusion model into a one-step sampler by operator learning.
#[derive(Debug, Parser)]
#[command(
    name = "dsno",
    version,
    propagate_version = true,
    subcommand_required = true
)]
pub(crate) struct Call {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Run every stage of an experiment; stages that are done are skipped
    Experiment(RunArgs),
    /// Run an experiment up to its teacher
    Teacher(RunArgs),
    /// Run an experiment up to its students, ablations included
    Distill(RunArgs),
    /// Write the report of a run again
    Report(RunArgs),
    /// Solve a teacher's ODE and store the trajectories
    Collect(CollectArgs),
    /// Turn noise into images, with a teacher or a student
    Sample(SampleArgs),
    /// Compare two sets of images, features or statistics
    Evaluate(EvaluateArgs),
    /// Turn weights of another program into a model folder
    Import(ImportArgs),
    /// Write the weights of a model folder for another program
    Export(ExportArgs),
    /// Show a network layer by layer: shapes, parameters, multiply-adds
    Describe(DescribeArgs),
    /// List the devices that this program knows
    Devices(ListArgs),
    /// List the data sets with their images, or write the images of one as PNG files
    Datasets(DatasetsArgs),
}

/// Which experiment, and what to change in it.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Name of a file in experiments/ (`fashion`, `mini/cifar10`), or a path
    pub(crate) experiment: String,
    #[command(flatten)]
    pub(crate) device: DeviceArgs,
    /// Folder that the run folder is made in
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub(crate) out: PathBuf,
    /// Seed, instead of the file's
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Change a key of the experiment; may be given several times and is recorded
    #[arg(long = "set", value_name = "TABLE.KEY=VALUE")]
    pub(crate) set: Vec<Override>,
    /// Delete what other settings made in the run folder, where a stage needs its place
    #[arg(long)]
    pub(crate) replace: bool,
    /// Print the resolved experiment and the plan, and stop
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Where to compute.
#[derive(Debug, Args)]
pub(crate) struct DeviceArgs {
    /// flex (or cpu, its other name), wgpu, vulkan, metal, cuda or rocm (with an index: cuda:1), as
    /// far as built in
    #[arg(long, default_value = "flex")]
    pub(crate) device: DeviceName,
}

/// Noise from a file or from a seed, and labels.
#[derive(Debug, Args)]
pub(crate) struct NoiseArgs {
    /// Standard normal noise to start from: float32 .npy, N×C×H×W
    #[arg(long, value_name = "X.npy", required_unless_present = "count")]
    pub(crate) noise: Option<PathBuf>,
    /// Number of samples to draw noise for
    #[arg(long, value_name = "N", conflicts_with = "noise", value_parser = up_to(MOST_SAMPLES), allow_negative_numbers = true)]
    pub(crate) count: Option<usize>,
    /// Seed of the noise
    #[arg(
        long,
        default_value_t = 0,
        conflicts_with = "noise",
        allow_negative_numbers = true
    )]
    pub(crate) seed: u64,
    /// Class of every sample: integer .npy, N; drawn from the seed if left out
    #[arg(long, value_name = "Y.npy")]
    pub(crate) labels: Option<PathBuf>,
    /// Samples per forward pass; a matter of speed and memory
    #[arg(long, default_value_t = 64, value_parser = up_to(LARGEST_BATCH), allow_negative_numbers = true)]
    pub(crate) batch: usize,
}

/// `dsno collect`.
#[derive(Debug, Args)]
#[group(id = "target", required = true, multiple = false, args = ["raw", "store"])]
pub(crate) struct CollectArgs {
    /// Model folder of a teacher, or a TOML file of an analytic one
    #[arg(long, value_name = "MODEL_DIR|ANALYTIC.toml")]
    pub(crate) teacher: PathBuf,
    #[command(flatten)]
    pub(crate) noise: NoiseArgs,
    /// Solver
    #[arg(long, default_value = "ddim", value_parser = methods())]
    pub(crate) solver: SolverKind,
    /// Steps of the solver
    #[arg(long, value_parser = up_to(MOST_STEPS), allow_negative_numbers = true)]
    pub(crate) steps: usize,
    /// Spacing of the steps in time
    #[arg(long, value_parser = grids())]
    pub(crate) grid: GridKind,
    /// Times to record, from 1 (noise) to 0 (image); one between grid times costs a step of its own
    #[arg(
        long,
        value_name = "T0,T1,…",
        value_delimiter = ',',
        required = true,
        allow_negative_numbers = true
    )]
    pub(crate) record: Vec<f64>,
    /// Leave images that a network predicts as they are, instead of clamping them to [-1, 1]
    #[arg(long)]
    pub(crate) unclamped: bool,
    /// Write the states as one float32 array, N×T×C×H×W; labels that were drawn go to OUT-labels.npy
    #[arg(long, value_name = "OUT.npy")]
    pub(crate) raw: Option<PathBuf>,
    /// Write a trajectory store (Zarr v3); an unfinished or damaged one is completed
    #[arg(long, value_name = "DIR", conflicts_with_all = ["noise", "labels"])]
    pub(crate) store: Option<PathBuf>,
    /// Trajectories per file of a new store; 256 if left out, or fewer where those are large
    #[arg(long, value_name = "N", conflicts_with = "raw", value_parser = up_to(MOST_SAMPLES))]
    pub(crate) shard: Option<usize>,
    #[command(flatten)]
    pub(crate) device: DeviceArgs,
}

/// `dsno sample`.
#[derive(Debug, Args)]
#[group(id = "output", required = true, multiple = true, args = ["raw", "png", "npz"])]
pub(crate) struct SampleArgs {
    /// Model folder of a teacher or a student
    #[arg(long, value_name = "MODEL_DIR")]
    pub(crate) model: PathBuf,
    #[command(flatten)]
    pub(crate) noise: NoiseArgs,
    /// Times to give states at, instead of the model's own
    #[arg(
        long,
        value_name = "T0,T1,…",
        value_delimiter = ',',
        allow_negative_numbers = true
    )]
    pub(crate) times: Option<Vec<f64>>,
    /// Solver of a teacher's ODE; ddim if left out
    #[arg(long, value_parser = methods())]
    pub(crate) solver: Option<SolverKind>,
    /// Steps of a teacher's solver; 64 if left out
    #[arg(long, value_parser = up_to(MOST_STEPS), allow_negative_numbers = true)]
    pub(crate) steps: Option<usize>,
    /// Spacing of a teacher's steps; uniform if left out
    #[arg(long, value_parser = grids())]
    pub(crate) grid: Option<GridKind>,
    /// Leave a teacher's predicted images as they are, instead of clamping them to [-1, 1]
    #[arg(long)]
    pub(crate) unclamped: bool,
    /// Write values as one float32 array, N×C×H×W; labels that were drawn go to OUT-labels.npy
    #[arg(long, value_name = "OUT.npy")]
    pub(crate) raw: Option<PathBuf>,
    /// With --raw: write all times, N×T×C×H×W
    #[arg(long, requires = "raw")]
    pub(crate) trajectory: bool,
    /// Write a PNG of every image into an empty or new folder (00012.png, with classes
    /// 00012-class3.png), and beside it DIR-grid.png, a sheet of the first 100
    #[arg(long, value_name = "DIR")]
    pub(crate) png: Option<PathBuf>,
    /// Write bytes as one archive, `arr_0` N×H×W×C; with classes also their labels, `arr_1` N
    #[arg(long, value_name = "FILE")]
    pub(crate) npz: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) device: DeviceArgs,
}

/// `dsno evaluate`.
#[derive(Debug, Args)]
pub(crate) struct EvaluateArgs {
    /// A folder of images, a trajectory store (its images at time 0), the name of a data set, .npz
    /// images or statistics (mu, sigma), or .npy: images (float N×C×H×W in [-1, 1], uint8 N×H×W×C)
    /// or features N×D
    pub(crate) a: PathBuf,
    /// What to compare it with, in any of these forms
    pub(crate) b: PathBuf,
    /// What to measure
    #[arg(long, value_delimiter = ',', default_value = "frechet")]
    pub(crate) metrics: Vec<String>,
    /// Folder of the classifier whose features images are compared in
    #[arg(long, value_name = "DIR")]
    pub(crate) features: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) device: DeviceArgs,
}

/// `dsno import`.
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// The weights; for diffusers also the folder of the model
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The program that they are of
    #[arg(long, value_parser = named(Format::ALL, Format::name))]
    pub(crate) format: Format,
    /// What network the file holds; for diffusers, the config.json beside the weights if left out
    #[arg(long, value_name = "ARCH.toml|config.json")]
    pub(crate) arch: Option<PathBuf>,
    /// Weights of the last step instead of their moving average; ema if left out
    #[arg(long, value_parser = named(WeightSet::ALL, WeightSet::name))]
    pub(crate) weights: Option<WeightSet>,
    /// Times that a student answers for, if the description does not say them
    #[arg(long, value_name = "T0,T1,…", value_delimiter = ',')]
    pub(crate) times: Option<Vec<f64>>,
    /// Height and width of the images, where the model does not say it or for another size
    #[arg(long, value_name = "PIXELS")]
    pub(crate) image_size: Option<usize>,
    /// The model folder to make
    #[arg(long, value_name = "MODEL_DIR")]
    pub(crate) out: PathBuf,
    /// Replace the model that the folder holds
    #[arg(long)]
    pub(crate) force: bool,
}

/// `dsno export`.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// Model folder of a teacher or a student
    #[arg(value_name = "MODEL_DIR")]
    pub(crate) model: PathBuf,
    /// The kind of file
    #[arg(long)]
    pub(crate) format: ExportFormat,
    /// Names of the tensors of our own network: the DSNO authors' or ours
    #[arg(long, default_value = "authors")]
    pub(crate) names: Names,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) device: DeviceArgs,
}

/// What `dsno export` writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    // No doc comments on variants: the help would show them.
    Safetensors,
    DsnoPytorch,
}

/// Whose names tensors have: the DSNO authors' or those of model folders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Names {
    Authors,
    Ours,
}

/// `dsno describe`.
#[derive(Debug, Args)]
pub(crate) struct DescribeArgs {
    /// A model folder, a model of diffusers, or a file that describes a network as for `dsno import --arch`
    #[arg(value_name = "MODEL_DIR|ARCH.toml")]
    pub(crate) model: PathBuf,
    /// The program whose network it is; without it, diffusers is recognised, and others are our own
    #[arg(long, value_parser = named(Format::ALL, Format::name))]
    pub(crate) format: Option<Format>,
    /// Times of a forward pass; the model's own if left out
    #[arg(long, value_name = "N")]
    pub(crate) times: Option<usize>,
    /// Height and width of the images, instead of the model's own
    #[arg(long, value_name = "PIXELS")]
    pub(crate) image_size: Option<usize>,
    /// Print the description as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `dsno datasets`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct DatasetsArgs {
    #[command(subcommand)]
    pub(crate) verb: Option<DatasetsVerb>,
    /// Print the list as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// What to do with a data set.
#[derive(Debug, Subcommand)]
pub(crate) enum DatasetsVerb {
    /// Write the images of a data set as PNG files, those of classes into a sub-folder for each
    Export(ExportImagesArgs),
}

/// `dsno datasets export`.
#[derive(Debug, Args)]
pub(crate) struct ExportImagesArgs {
    /// Name of a data set
    pub(crate) name: String,
    /// A new or empty folder
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// Height and width to average to; what the data set says if left out
    #[arg(long, value_name = "PIXELS", value_parser = up_to(LARGEST_SIDE))]
    pub(crate) size: Option<usize>,
    /// Folder of the data files; `datasets` if left out
    #[arg(long, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,
}

/// Verbs that list something.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Print the list as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// More samples than any call can want.
const MOST_SAMPLES: u64 = 1_000_000_000;
/// More steps than any solver needs.
const MOST_STEPS: u64 = 1_000_000;
/// More samples than any device takes at once.
const LARGEST_BATCH: u64 = 65_536;

/// Larger than any image of a data set, in pixels.
const LARGEST_SIDE: u64 = 16_384;

/// Reads a number from 1 to `most`, so that one out of all reason ends here.
fn up_to(most: u64) -> impl TypedValueParser<Value = usize> {
    let range = clap::value_parser!(u64).range(1..=most);
    range.try_map(usize::try_from)
}

/// Reads the name of a solver; the help lists them all.
fn methods() -> impl TypedValueParser<Value = SolverKind> {
    named(SolverKind::ALL, SolverKind::name)
}

/// Reads the name of a grid; the help lists them all.
fn grids() -> impl TypedValueParser<Value = GridKind> {
    named(GridKind::ALL, GridKind::name)
}

/// Reads one of `all` by its name.
fn named<T: Copy + Send + Sync + 'static>(
    all: &'static [T],
    name: fn(T) -> &'static str,
) -> impl TypedValueParser<Value = T> {
    let names = PossibleValuesParser::new(all.iter().map(|&value| name(value)));
    names.try_map(move |found| {
        let named = all.iter().copied().find(|&value| name(value) == found);
        named.ok_or("no such name")
    })
}
