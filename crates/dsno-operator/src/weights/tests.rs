use std::fs;
use std::path::Path;

use burn::tensor::Device;
use dsno_checkpoint::{CheckpointError, read_safetensors, to_safetensors};

use super::*;
use crate::UNetConfig;

fn network(seed: u64) -> UNet {
    let architecture = UNetConfig::new(4, 1)
        .with_base_channels(8)
        .with_embedding_channels(8)
        .with_channel_multipliers(vec![1])
        .with_res_blocks(1)
        .with_attention_resolutions(vec![])
        .with_attention_groups(4);
    architecture.init(seed, &Device::flex()).unwrap()
}

fn stored(bytes: &[u8]) -> Result<StateDict, WeightError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), bytes).unwrap();
    read_safetensors(file.path())
}

#[test]
fn what_is_written_is_read_bit_for_bit() {
    let weights = network(1).state_dict();
    let bytes = to_safetensors(&weights);
    assert_eq!(bytes, to_safetensors(&weights));
    let read = stored(&bytes).unwrap();
    assert_eq!(read, weights);
    assert_eq!(
        network(2).load_state_dict(read).unwrap().state_dict(),
        weights
    );
}

#[test]
fn every_difference_is_listed_at_once() {
    let mut weights = network(1).state_dict();
    let bias = weights.remove("stem.bias").unwrap();
    weights.insert("stem.bios".to_owned(), bias);
    weights.get_mut("head.bias").unwrap().shape = vec![1, 1];
    let error = network(1).load_state_dict(weights).unwrap_err();
    let WeightError::Mismatch {
        missing,
        unexpected,
        misshapen,
    } = error
    else {
        panic!("{error}");
    };
    assert_eq!(missing, ["stem.bias"]);
    assert_eq!(unexpected, ["stem.bios"]);
    assert_eq!(misshapen, [("head.bias".to_owned(), vec![1, 1], vec![1])]);
}

#[test]
fn damaged_files_are_refused() {
    let bytes = to_safetensors(&network(1).state_dict());
    assert!(matches!(
        stored(&[]),
        Err(WeightError::Checkpoint(CheckpointError::Other { .. }))
    ));
    for at in [1, 7, 8, 100, bytes.len() - 1] {
        assert!(
            matches!(
                stored(&bytes[..at]),
                Err(WeightError::Checkpoint(CheckpointError::Format { .. }))
            ),
            "cut at {at}"
        );
    }
    // A header that claims to be larger than memory.
    let mut lying = bytes.clone();
    lying[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(matches!(
        stored(&lying),
        Err(WeightError::Checkpoint(CheckpointError::Format { .. }))
    ));
    let absent = read_safetensors(Path::new("no/such/file"));
    assert!(matches!(
        absent,
        Err(WeightError::Checkpoint(CheckpointError::Read { .. }))
    ));
}
