//! Files of other programs, read by `checkpoint`: the same values, and no harm from damaged ones.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod damaged;
mod hostile;

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use dsno_checkpoint::{Checkpoint, CheckpointError, CheckpointFormat, DType};
use dsno_checkpoint::{WeightError, read_safetensors};
use safetensors::SafeTensors;

/// All tensors of a file, by name: shape, and values as f32.
type Tensors = Vec<(String, Vec<usize>, Vec<f32>)>;

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests")
}

fn golden(name: &str) -> PathBuf {
    tests().join("golden/checkpoints").join(name)
}

/// Opens bytes and reads every tensor that holds real numbers.
fn read_all(bytes: &[u8], format: CheckpointFormat) -> Result<Tensors, CheckpointError> {
    let reader = Cursor::new(bytes.to_owned());
    tensors(&Checkpoint::from_reader(
        reader,
        Path::new("bytes"),
        format,
    )?)
}

fn tensors(checkpoint: &Checkpoint) -> Result<Tensors, CheckpointError> {
    let real = |name: &&str| checkpoint.dtype(name).is_some_and(DType::is_real);
    let read = |name: &str| {
        let tensor = checkpoint.read(name)?;
        Ok((name.to_owned(), tensor.shape, tensor.values))
    };
    checkpoint.names().filter(real).map(read).collect()
}

/// What must be read, by the reader of the `safetensors` crate.
fn expected(name: &str) -> Tensors {
    let bytes = fs::read(golden(name)).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let tensor = |name: &str| {
        let view = file.tensor(name).unwrap();
        let (values, _) = view.data().as_chunks::<4>();
        let values = values.iter().map(|v| f32::from_le_bytes(*v)).collect();
        (name.to_owned(), view.shape().to_vec(), values)
    };
    let mut names = file.names();
    names.sort_unstable();
    names.into_iter().map(tensor).collect()
}

/// Element by element equal, without tolerance: reading only converts.
#[track_caller]
fn assert_reads(file: &str, format: CheckpointFormat, expected_file: &str) {
    let checkpoint = Checkpoint::open(&golden(file), format).unwrap();
    let (found, expected) = (tensors(&checkpoint).unwrap(), expected(expected_file));
    let names = |tensors: &Tensors| tensors.iter().map(|t| t.0.clone()).collect::<Vec<_>>();
    assert_eq!(names(&found), names(&expected), "{file}");
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found, expected, "{file}");
        assert_eq!(checkpoint.shape(&found.0), Some(&*expected.1), "{file}");
    }
}

#[test]
fn pytorch_files_of_every_kind_give_the_same_tensors() {
    for kind in [
        "torch-zip",
        "torch-zip-protocol-4",
        "torch-zip-deflated",
        "torch-stream",
        "torch-stream-protocol-4",
    ] {
        let file = format!("{kind}.pt");
        assert_reads(&file, CheckpointFormat::Torch, "torch.expected.safetensors");
    }
}

#[test]
fn flax_files_give_their_arrays() {
    let format = CheckpointFormat::Flax;
    assert_reads("flax.msgpack", format, "flax.expected.safetensors");
}

#[test]
fn safetensors_of_every_real_type_become_f32() {
    let format = CheckpointFormat::Safetensors;
    assert_reads("mixed.safetensors", format, "mixed.expected.safetensors");
}

#[test]
fn part_of_a_checkpoint_has_shorter_names() {
    let whole = Checkpoint::open(&golden("torch-zip.pt"), CheckpointFormat::Torch).unwrap();
    let ema = whole.sub_dict("ema.");
    assert_eq!(ema.names().collect::<Vec<_>>(), ["bias", "weight"]);
    assert_eq!(
        ema.read("weight").unwrap(),
        whole.read("ema.weight").unwrap()
    );
    let error = ema.read("wait").unwrap_err();
    assert!(matches!(&error, CheckpointError::Absent { name, .. } if name == "ema.wait"));
    assert!(whole.sub_dict("nothing.").is_empty());
}

#[test]
fn whole_numbers_are_listed_but_are_no_weights() {
    let checkpoint = Checkpoint::open(&golden("torch-zip.pt"), CheckpointFormat::Torch).unwrap();
    assert_eq!(checkpoint.dtype("kinds.int"), Some(DType::I64));
    let error = checkpoint.read("kinds.int").unwrap_err();
    let found = DType::I64;
    assert!(matches!(error, CheckpointError::NotReal { found: f, .. } if f == found));
}

#[test]
fn code_in_a_pickle_is_not_run() {
    let checkpoint = Checkpoint::open(&golden("code.pt"), CheckpointFormat::Torch).unwrap();
    let read = tensors(&checkpoint).unwrap();
    assert_eq!(read.len(), 1, "{read:?}");
    assert_eq!(read[0].0, "weight");
    assert!(!Path::new("pickled-code-was-run").exists());
}

#[test]
fn what_is_no_file_of_the_format_is_named() {
    let pytorch = golden("torch-zip.pt");
    for format in [CheckpointFormat::Safetensors, CheckpointFormat::Flax] {
        let error = Checkpoint::open(&pytorch, format).unwrap_err().to_string();
        assert!(error.contains("torch-zip.pt"), "{error}");
        assert!(error.contains(&format.to_string()), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }
    let error = Checkpoint::open(&golden("flax.msgpack"), CheckpointFormat::Torch);
    assert!(error.unwrap_err().to_string().contains("flax.msgpack"));
}

#[test]
fn our_own_weights_are_f32_and_nothing_else() {
    let error = read_safetensors(&golden("mixed.safetensors")).unwrap_err();
    assert!(matches!(error, WeightError::NotF32 { .. }), "{error}");
    let weights = read_safetensors(&golden("mixed.expected.safetensors")).unwrap();
    let weights: Tensors = weights
        .into_iter()
        .map(|(name, tensor)| (name, tensor.shape, tensor.values))
        .collect();
    assert_eq!(weights, expected("mixed.expected.safetensors"));
}
