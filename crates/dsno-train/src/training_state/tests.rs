use dsno_checkpoint::HostTensor;
use safetensors::tensor::{Dtype, TensorView};

use super::*;

fn checkpoint(images: u64) -> TrainingState {
    let part = |values: [f32; 2]| {
        let tensor = HostTensor {
            shape: vec![2],
            values: values.to_vec(),
        };
        StateDict::from([("a.b".to_owned(), tensor)])
    };
    TrainingState {
        key: "k".to_owned(),
        images,
        interval: Interval::default(),
        weights: part([1.5, -0.0]),
        ema: part([1.25, 0.0]),
        first_moment: part([-1e-3, 0.0]),
        second_moment: part([1e-6, 1e-40]),
    }
}

#[test]
fn what_is_saved_is_loaded_and_the_one_before_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    assert!(TrainingState::load(folder.path()).unwrap().is_none());
    checkpoint(1).save(folder.path()).unwrap();
    checkpoint(2).save(folder.path()).unwrap();
    assert_eq!(
        TrainingState::load(folder.path()).unwrap(),
        Some(checkpoint(2))
    );
    fs::remove_file(folder.path().join(NEWEST)).unwrap();
    assert_eq!(
        TrainingState::load(folder.path()).unwrap(),
        Some(checkpoint(1))
    );
    TrainingState::remove(folder.path()).unwrap();
    assert!(TrainingState::load(folder.path()).unwrap().is_none());
}

#[test]
fn every_flipped_byte_and_every_truncation_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(NEWEST);
    let whole = checkpoint(7).to_bytes();
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x11;
        fs::write(&path, &damaged).unwrap();
        match TrainingState::load(folder.path()) {
            Err(TrainingStateError::Damaged { .. }) => {}
            // Padding of the header is the only place where a byte may differ without meaning.
            Ok(Some(same)) => assert_eq!(same, checkpoint(7), "byte {at}"),
            other => panic!("byte {at}: {other:?}"),
        }
        fs::write(&path, &whole[..at]).unwrap();
        assert!(
            TrainingState::load(folder.path()).is_err(),
            "truncated at {at}"
        );
    }
}

#[test]
fn a_checkpoint_of_an_earlier_version_is_named_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let record = TensorView::new(Dtype::U8, vec![3], &[1, 2, 3]).unwrap();
    let bytes = safetensors::serialize([("optimiser", record)], None).unwrap();
    fs::write(folder.path().join(NEWEST), bytes).unwrap();
    let error = TrainingState::load(folder.path()).unwrap_err();
    assert!(error.to_string().contains("earlier version"), "{error}");
}
