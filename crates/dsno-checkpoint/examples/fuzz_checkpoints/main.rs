//! Feeds damaged files to the readers of checkpoints, and measures what reading real ones takes.
//!
//! ```text
//! fuzz_checkpoints --seconds 600 --format torch --corpus tests/fuzz/corpus [--seed 1]
//! fuzz_checkpoints --read FILE --format torch
//! ```
//!
//! Inputs are mutations of the corpus and of inputs that led to an outcome not seen before. Each is
//! opened and read tensor by tensor. A panic, ten seconds of work, or more memory than `checkpoint`
//! promises ends the run and leaves the input in the directory for temporary files.

mod mutate;

use std::collections::HashSet;
use std::error::Error;
use std::fs;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use dsno_checkpoint::{Checkpoint, CheckpointError, CheckpointFormat, DType, ParseError};
use mutate::{Random, mutate};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Buffers of readers and texts of errors, beside what `checkpoint` promises.
const BUFFERS: usize = 256 << 10;
/// Far longer than any input needs, even where other programs use all processors.
const LONGEST_RUN: Duration = Duration::from_secs(10);

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let options: Vec<String> = std::env::args().skip(1).collect();
    let option = |name: &str| {
        let at = options.iter().position(|option| option == name)?;
        options.get(at + 1).map(String::as_str)
    };
    let folder = option("--format").ok_or("--format is missing")?;
    let format = match folder {
        "safetensors" => CheckpointFormat::Safetensors,
        "torch" => CheckpointFormat::Torch,
        "flax" => CheckpointFormat::Flax,
        _ => return Err("--format is none of safetensors, torch, flax".into()),
    };
    if let Some(path) = option("--read") {
        return measure(Path::new(path), format);
    }
    let seconds = option("--seconds").unwrap_or("60").parse()?;
    let seed = option("--seed").unwrap_or("1").parse()?;
    let corpus = Path::new(option("--corpus").unwrap_or("tests/fuzz/corpus")).join(folder);
    let scratch = option("--scratch").map_or_else(std::env::temp_dir, PathBuf::from);
    let scratch = scratch.join(format!("fuzz-{folder}-{seed}"));
    fuzz(
        format,
        &corpus,
        &scratch,
        Duration::from_secs(seconds),
        seed,
    )
}

/// Reads a real file and prints what it took, also when it is refused.
fn measure(path: &Path, format: CheckpointFormat) -> Outcome<()> {
    let (begin, before) = (Instant::now(), MEMORY.current_usage());
    MEMORY.reset_peak_usage();
    match sum(path, format) {
        Ok((tensors, values, sum)) => {
            println!("{tensors} tensors, {values} values of sum {sum}");
        }
        Err(error) => println!("{error}"),
    }
    let (time, memory) = (begin.elapsed(), MEMORY.peak_usage() - before);
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let resident = status.lines().find(|line| line.starts_with("VmHWM"));
    println!(
        "{time:.2?} for {} bytes, at most {memory} bytes allocated, {}",
        fs::metadata(path)?.len(),
        resident.unwrap_or("")
    );
    Ok(())
}

/// Number of tensors and values, and the sum of these.
fn sum(path: &Path, format: CheckpointFormat) -> Result<(usize, usize, f64), CheckpointError> {
    let checkpoint = Checkpoint::open(path, format)?;
    let (mut values, mut sum) = (0, 0.0);
    for name in checkpoint.names() {
        if checkpoint.dtype(name).is_some_and(DType::is_real) {
            let tensor = checkpoint.read(name)?;
            values += tensor.values.len();
            sum += tensor.values.iter().map(|v| f64::from(*v)).sum::<f64>();
        }
    }
    Ok((checkpoint.len(), values, sum))
}

fn fuzz(
    format: CheckpointFormat,
    corpus: &Path,
    culprit: &Path,
    time: Duration,
    seed: u64,
) -> Outcome<()> {
    let mut seeds: Vec<PathBuf> = fs::read_dir(corpus)?
        .map(|file| file.map(|file| file.path()))
        .collect::<Result<_, _>>()?;
    seeds.sort();
    let mut pool: Vec<Vec<u8>> = seeds.iter().map(fs::read).collect::<Result<_, _>>()?;
    let (begin, mut random) = (Instant::now(), Random(seed));
    let (mut runs, mut seen) = (0_u64, HashSet::new());
    let (mut read, mut slowest, mut fullest) = (0_u64, Duration::ZERO, 0.0_f64);
    while begin.elapsed() < time {
        for _ in 0..256 {
            let fresh = pool
                .get(runs as usize)
                .filter(|_| runs < seeds.len() as u64);
            let input = match fresh {
                Some(seed) => seed.clone(),
                None => mutate(&pool, &mut random),
            };
            let reader = Cursor::new(input.clone());
            let (began, before) = (Instant::now(), MEMORY.current_usage());
            MEMORY.reset_peak_usage();
            let outcome = catch_unwind(AssertUnwindSafe(|| run(reader, format)));
            let (took, used) = (began.elapsed(), MEMORY.peak_usage() - before);
            let allowed = (18 << 20) + 7 * input.len() + BUFFERS;
            let Some(outcome) = outcome
                .ok()
                .filter(|_| used <= allowed && took < LONGEST_RUN)
            else {
                fs::write(culprit, &input)?;
                let what = format!("{used} bytes of {allowed}, {took:?}: {}", culprit.display());
                return Err(what.into());
            };
            runs += 1;
            read += u64::from(outcome.starts_with("read"));
            slowest = slowest.max(took);
            fullest = fullest.max(used as f64 / allowed as f64);
            if seen.insert(outcome) && pool.len() < 4096 {
                pool.push(input);
            }
        }
    }
    println!(
        "{format}: {runs} runs in {:.0} s from seed {seed}, {read} files read whole, {} outcomes, \
         slowest {slowest:?}, at most {:.0} % of the memory allowed",
        begin.elapsed().as_secs_f64(),
        seen.len(),
        100.0 * fullest
    );
    Ok(())
}

/// What became of a file, in few enough words that new ones mean that new code was reached.
fn run(reader: Cursor<Vec<u8>>, format: CheckpointFormat) -> String {
    let checkpoint = match Checkpoint::from_reader(reader, Path::new("input"), format) {
        Ok(checkpoint) => checkpoint,
        Err(error) => return outcome(&error),
    };
    let (mut read, mut axes) = (0, 0);
    for name in checkpoint.names() {
        match checkpoint.read(name) {
            Ok(tensor) => axes = axes.max(tensor.shape.len()),
            Err(error) => return format!("{} {}", read.min(4), outcome(&error)),
        }
        read += 1;
    }
    format!("read {} tensors of at most {axes} axes", read.min(8))
}

fn outcome(error: &CheckpointError) -> String {
    match error {
        CheckpointError::Format { source, .. } | CheckpointError::Tensor { source, .. } => {
            match source {
                ParseError::PickleOperand { code, expected, .. } => format!("{code} {expected}"),
                ParseError::PickleCode { code, .. } => format!("code {code}"),
                ParseError::Zip { expected, .. } | ParseError::MessagePack { expected, .. } => {
                    (*expected).to_owned()
                }
                ParseError::Header(error) => {
                    let text = error.to_string();
                    text.split(' ').take(2).collect::<Vec<_>>().join(" ")
                }
                ParseError::Truncated { at } => {
                    format!("truncated {}", at.checked_ilog2().unwrap_or(0))
                }
                other => format!("{:?}", std::mem::discriminant(other)),
            }
        }
        other => format!("{:?}", std::mem::discriminant(other)),
    }
}
