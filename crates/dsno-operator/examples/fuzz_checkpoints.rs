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

use std::collections::HashSet;
use std::error::Error;
use std::fs;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use dsno_operator::checkpoint::{Checkpoint, CheckpointError, CheckpointFormat, Element, Fault};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Buffers of readers and the text of an error, beside what `checkpoint` promises.
const SLACK: usize = 1 << 20;
/// Far longer than any input needs, even where other programs use all processors.
const LONGEST_RUN: Duration = Duration::from_secs(10);
/// Longest input: large enough for every structure, small enough for many runs.
const LONGEST: usize = 16 << 10;

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

/// Reads a real file and prints what it took.
fn measure(path: &Path, format: CheckpointFormat) -> Outcome<()> {
    let (begin, before) = (Instant::now(), MEMORY.current_usage());
    MEMORY.reset_peak_usage();
    let checkpoint = Checkpoint::open(path, format)?;
    let (mut values, mut sum) = (0, 0.0);
    for name in checkpoint.names() {
        if checkpoint.element(name).is_some_and(Element::is_real) {
            let tensor = checkpoint.read(name)?;
            values += tensor.values.len();
            sum += tensor.values.iter().map(|v| f64::from(*v)).sum::<f64>();
        }
    }
    let length = fs::metadata(path)?.len();
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let resident = status.lines().find(|line| line.starts_with("VmHWM"));
    println!(
        "{} tensors, {values} values of sum {sum} in a file of {length} bytes: {:.2} s, at most {} bytes allocated, {}",
        checkpoint.len(),
        begin.elapsed().as_secs_f64(),
        MEMORY.peak_usage() - before,
        resident.unwrap_or("")
    );
    Ok(())
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
            let allowed = (5 << 20) + 5 * input.len() + SLACK;
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
        "{format}: {runs} runs in {:.0} s from seed {seed}, {read} files read whole, {} outcomes, slowest {slowest:?}, at most {:.0} % of the memory allowed",
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
    let read = checkpoint.names().map(|name| checkpoint.read(name));
    let (read, errors): (Vec<_>, Vec<_>) = read.partition(Result::is_ok);
    match errors.into_iter().find_map(Result::err) {
        Some(error) => format!("{} {}", read.len().min(4), outcome(&error)),
        None => {
            let axes = checkpoint.names().filter_map(|name| checkpoint.shape(name));
            let axes = axes.map(<[usize]>::len).max().unwrap_or(0);
            format!("read {} tensors of at most {axes} axes", read.len().min(8))
        }
    }
}

fn outcome(error: &CheckpointError) -> String {
    match error {
        CheckpointError::Format { source, .. } | CheckpointError::Tensor { source, .. } => {
            match source {
                Fault::PickleOperand { code, expected, .. } => format!("{code} {expected}"),
                Fault::PickleCode { code, .. } => format!("code {code}"),
                Fault::Zip { expected, .. } | Fault::MessagePack { expected, .. } => {
                    (*expected).to_owned()
                }
                Fault::Header(error) => {
                    let text = error.to_string();
                    text.split(' ').take(2).collect::<Vec<_>>().join(" ")
                }
                Fault::Truncated { at } => format!("truncated {}", at.checked_ilog2().unwrap_or(0)),
                other => format!("{:?}", std::mem::discriminant(other)),
            }
        }
        other => format!("{:?}", std::mem::discriminant(other)),
    }
}

/// An input made of one or two of the pool.
fn mutate(pool: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut input = pool[random.below(pool.len())].clone();
    for _ in 0..1 << random.below(5) {
        let at = random.below(input.len() + 1);
        let some = at..(at + 1 + random.mostly_small(9)).min(input.len()).max(at);
        match random.below(10) {
            0 | 1 if at < input.len() => input[at] ^= 1 << random.below(8),
            2 if at < input.len() => input[at] = random.below(256) as u8,
            3 => drop(input.drain(some)),
            4 => {
                let copy = input[some].to_vec();
                let to = random.below(input.len() + 1);
                drop(input.splice(to..to, copy));
            }
            5 => {
                let copy = input[some].repeat(1 + random.mostly_small(8));
                drop(input.splice(at..at, copy));
            }
            6 => {
                let other = &pool[random.below(pool.len())];
                let from = random.below(other.len() + 1);
                let to = (from + random.below(64)).min(other.len());
                drop(input.splice(some, other[from..to].iter().copied()));
            }
            7 => {
                let number =
                    NUMBERS[random.below(NUMBERS.len())].wrapping_add(random.below(3) as u64);
                let (little, big) = (number.to_le_bytes(), number.to_be_bytes());
                let bytes = 1 << random.below(4);
                let new = [&little[..bytes], &big[8 - bytes..]][random.below(2)];
                let end = (at + bytes).min(input.len());
                drop(input.splice(at..end, new.iter().copied()));
            }
            8 => input.truncate(at),
            _ => {
                let token = TOKENS[random.below(TOKENS.len())];
                let end = [at, (at + token.len()).min(input.len())][random.below(2)];
                drop(input.splice(at..end, token.iter().copied()));
            }
        }
        input.truncate(LONGEST);
    }
    input
}

/// Numbers at which something changes.
const NUMBERS: [u64; 14] = [
    0,
    1,
    3,
    0x7e,
    0xfe,
    0x7ffe,
    0xfffe,
    0x7fff_fffe,
    0xffff_fffe,
    1 << 40,
    1 << 60,
    (1 << 63) - 2,
    1 << 63,
    u64::MAX - 1,
];

/// Pieces of the formats that chance does not find.
const TOKENS: [&[u8]; 44] = [
    b"{\"\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,0]}}",
    b"\"shape\":[1,",
    b"\"__metadata__\":{",
    b"18446744073709551615",
    b"1e9",
    b"-1",
    b"\"BF16\"",
    b"[",
    b"{",
    b",",
    b"ctorch._utils\n_rebuild_tensor_v2\n",
    b"ctorch._utils\n_rebuild_tensor_v3\n",
    b"ctorch._utils\n_rebuild_parameter\n",
    b"ctorch._tensor\n_rebuild_from_type_v2\n",
    b"ccollections\nOrderedDict\n",
    b"ctorch\nSize\n",
    b"ctorch\nHalfStorage\n",
    b"ctorch.storage\nUntypedStorage\n",
    b"ctorch\nfloat64\n",
    b"X\x07\0\0\0storage",
    b"tQ",
    b"tR",
    b")R",
    b"]q\0h\0a",
    b"}(",
    b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"\x8a\x08\0\0\0\0\0\0\0\x10",
    b"\x8a\x01\xff",
    b"\x85",
    b"\x86",
    b"\x87",
    b"\x81",
    b"\x92",
    b"b",
    b"u",
    b"e",
    b"PK\x01\x02",
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"PK\x06\x06",
    b"PK\x06\x07",
    b"\xb9__msgpack_chunked_array__\xc3",
    b"\xc7\x11\x01\x93\x91\x01\xa7float32\xc4\x04\0\0\0\0",
    b"\xa7float16",
];

/// Numbers without a pattern, the same for the same seed (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end as u64) as usize
    }

    /// Below 2 to the number of bits, half of the time below the root of that.
    fn mostly_small(&mut self, bits: usize) -> usize {
        let end = 1 << self.below(bits);
        self.below(end)
    }
}
