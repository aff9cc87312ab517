use std::fs;

use super::*;
use crate::noise;

fn spec() -> StoreSpec {
    StoreSpec {
        samples: 10,
        times: vec![1.0, 0.5625, 0.25, 0.0625, 0.0],
        log_snr: vec![-20.0, -0.4, 1.76, 4.6, 20.0],
        shape: [2, 3, 4],
        shard_samples: 4,
        dtype: Dtype::F32,
        zstd: false,
        classes: 10,
        provenance: Provenance::new(1, "ddim", 64),
    }
}

fn states(spec: &StoreSpec, range: Range<usize>) -> Vec<f32> {
    range
        .flat_map(|index| noise::gaussian(1, index as u64, spec.sample_len()))
        .collect()
}

fn fill(store: &mut TrajectoryStore) {
    for shard in store.missing_shards() {
        let range = store.shard_range(shard);
        let labels: Vec<u32> = range.clone().map(|index| index as u32).collect();
        let labels = if store.spec().classes == 0 {
            &[][..]
        } else {
            &labels
        };
        store
            .write_shard(shard, &states(&store.spec, range), labels)
            .unwrap();
    }
}

#[test]
fn what_was_written_is_read_in_any_order() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = TrajectoryStore::create(folder.path(), &spec()).unwrap();
    assert_eq!((store.shards(), store.missing_shards()), (3, vec![0, 1, 2]));
    assert_eq!(store.shard_range(2), 8..10);
    fill(&mut store);
    let store = TrajectoryStore::open(folder.path()).unwrap();
    assert_eq!(store.spec(), &spec());
    let expected = [
        states(&spec(), 9..10),
        states(&spec(), 0..1),
        states(&spec(), 5..7),
    ]
    .concat();
    assert_eq!(store.read(&[9, 0, 5, 6]).unwrap(), expected);
    assert_eq!(store.labels(&[9, 0, 5, 6]).unwrap(), [9, 0, 5, 6]);
    assert!(matches!(
        store.read(&[10]),
        Err(StoreError::NoSample {
            index: 10,
            samples: 10
        })
    ));
    store.verify().unwrap();
}

#[test]
fn a_level_without_noise_is_read_as_it_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let spec = StoreSpec {
        log_snr: vec![-20.0, -0.4, 1.76, 4.6, f64::INFINITY],
        ..spec()
    };
    fill(&mut TrajectoryStore::create(folder.path(), &spec).unwrap());
    let store = TrajectoryStore::open(folder.path()).unwrap();
    assert_eq!(store.spec(), &spec);
    TrajectoryStore::create(folder.path(), &spec).unwrap();
}

#[test]
fn the_same_trajectories_are_the_same_files() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, order: [usize; 3]| {
        let path = folder.path().join(name);
        for shard in order {
            // Reopened for each shard, as after a restart.
            let mut store = TrajectoryStore::create(&path, &spec()).unwrap();
            let range = store.shard_range(shard);
            let labels: Vec<u32> = range.clone().map(|index| index as u32).collect();
            store
                .write_shard(shard, &states(&spec(), range), &labels)
                .unwrap();
        }
        [
            "zarr.json",
            "states/zarr.json",
            "states/c.2.0.0.0.0",
            "labels/c.2",
            "sha256/c.0.0",
        ]
        .map(|file| fs::read(path.join(file)).unwrap())
    };
    assert_eq!(write("one", [0, 1, 2]), write("two", [2, 0, 1]));
}

#[test]
fn half_precision_rounds_and_zeros_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let spec = StoreSpec {
        dtype: Dtype::F16,
        classes: 0,
        samples: 4,
        ..spec()
    };
    let mut store = TrajectoryStore::create(folder.path(), &spec).unwrap();
    assert_eq!(spec.state_bytes(), 4 * 120 * 2);
    store.write_shard(0, &vec![0.0; 480], &[]).unwrap();
    assert_eq!(store.read(&[3]).unwrap(), [0.0; 120]);
    assert_eq!(store.labels(&[3]).unwrap(), [0]);
    let mut values = vec![1.000_1; 480];
    store.write_shard(0, &values, &[]).unwrap();
    assert_eq!(store.read(&[0]).unwrap(), [1.0; 120]);
    values[125] = 70_000.0;
    let error = store.write_shard(0, &values, &[]).unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::NonFinite {
                sample: 1,
                dtype: "f16",
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(store.read(&[0]).unwrap(), [1.0; 120]);
}

#[cfg(feature = "zstd")]
#[test]
fn compressed_trajectories_are_read_as_written() {
    let folder = tempfile::tempdir().unwrap();
    let spec = StoreSpec {
        zstd: true,
        ..spec()
    };
    let mut store = TrajectoryStore::create(folder.path(), &spec).unwrap();
    fill(&mut store);
    assert_eq!(store.read(&[7]).unwrap(), states(&spec, 7..8));
    store.verify().unwrap();
}

#[test]
fn wrong_arguments_write_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = TrajectoryStore::create(folder.path(), &spec()).unwrap();
    let (good, labels) = (states(&spec(), 8..10), [0, 1]);
    let mut bad = good.clone();
    bad[130] = f32::NAN;
    let errors = [
        store.write_shard(3, &good, &labels).unwrap_err(),
        store.write_shard(2, &good[1..], &labels).unwrap_err(),
        store.write_shard(2, &good, &labels[1..]).unwrap_err(),
        store.write_shard(2, &bad, &labels).unwrap_err(),
        store.write_shard(2, &good, &[0, 10]).unwrap_err(),
    ];
    assert!(matches!(
        errors[0],
        StoreError::NoShard {
            shard: 3,
            shards: 3
        }
    ));
    assert!(matches!(
        errors[1],
        StoreError::Count {
            what: "values",
            found: 239,
            expected: 240,
            ..
        }
    ));
    assert!(matches!(
        errors[2],
        StoreError::Count {
            what: "labels",
            found: 1,
            expected: 2,
            ..
        }
    ));
    assert!(matches!(errors[3], StoreError::NonFinite { sample: 9, .. }));
    assert!(matches!(
        errors[4],
        StoreError::Label {
            sample: 9,
            label: 10,
            classes: 10
        }
    ));
    assert_eq!(store.missing_shards(), [0, 1, 2]);
    assert!(matches!(
        store.read(&[8]),
        Err(StoreError::Missing { shard: 2, .. })
    ));
}

/// Threads that encode a shard together must not decide where its samples lie.
#[test]
fn a_large_shard_is_the_same_file_every_time() {
    let folder = tempfile::tempdir().unwrap();
    let spec = StoreSpec {
        samples: 500,
        shard_samples: 500,
        classes: 0,
        ..spec()
    };
    let states = states(&spec, 0..500);
    let digests = [0; 8].map(|_| {
        let mut store = TrajectoryStore::create(folder.path(), &spec).unwrap();
        store.write_shard(0, &states, &[]).unwrap();
        fs::read(store.manifest_path(0)).unwrap()
    });
    assert!(digests.iter().all(|digest| *digest == digests[0]));
}

/// A kill can fall between any two files, and leave a temporary file behind.
#[test]
fn an_interrupted_shard_is_missing_and_is_filled_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = TrajectoryStore::create(folder.path(), &spec()).unwrap();
    fill(&mut store);
    let whole = store.read(&[4, 5, 6, 7]).unwrap();
    fs::remove_file(store.manifest_path(1)).unwrap();
    fs::write(store.states_path(1), b"").unwrap();
    let leftover = folder.path().join("states/.c.1.0.0.0.0.4711-0.tmp");
    fs::write(&leftover, b"half of a sh").unwrap();
    let mut store = TrajectoryStore::create(folder.path(), &spec()).unwrap();
    assert_eq!(store.missing_shards(), [1]);
    fill(&mut store);
    assert!(store.is_complete() && !leftover.exists());
    assert_eq!(store.read(&[4, 5, 6, 7]).unwrap(), whole);
}

#[test]
fn a_changed_byte_a_cut_and_a_lost_file_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = TrajectoryStore::create(folder.path(), &spec()).unwrap();
    fill(&mut store);
    let path = store.states_path(1);
    let whole = fs::read(&path).unwrap();
    let reopen = || TrajectoryStore::open(folder.path()).unwrap();
    let is_corrupt = |result: Result<(), StoreError>, what: &str| match result {
        Err(StoreError::Corrupt { shard: 1, .. }) => {}
        other => panic!("{what}: {other:?}"),
    };
    for at in [0, 1000, whole.len() - 1] {
        let mut changed = whole.clone();
        changed[at] ^= 0x10;
        fs::write(&path, &changed).unwrap();
        is_corrupt(reopen().verify(), "changed byte");
        let read = reopen().read(&[4, 5, 6, 7]).map(drop);
        is_corrupt(read, "read of a changed byte");
    }
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    is_corrupt(reopen().verify(), "cut");
    is_corrupt(reopen().read(&[7]).map(drop), "read of a cut file");
    fs::remove_file(&path).unwrap();
    is_corrupt(reopen().verify(), "lost");
    is_corrupt(reopen().read(&[7]).map(drop), "read of a lost file");
    let path = store.labels_path(0);
    let mut changed = fs::read(&path).unwrap();
    changed[1] ^= 1;
    fs::write(&path, changed).unwrap();
    assert!(matches!(
        reopen().labels(&[3]),
        Err(StoreError::Corrupt { shard: 0, .. })
    ));
    store.discard_shard(1).unwrap();
    assert_eq!(store.missing_shards(), [1]);
}

#[test]
fn another_specification_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    TrajectoryStore::create(folder.path(), &spec()).unwrap();
    let mut other = spec();
    other.provenance.steps = 32;
    let error = TrajectoryStore::create(folder.path(), &other).unwrap_err();
    assert!(
        error.to_string().contains("their steps is 64, expected 32"),
        "{error}"
    );
    let other = StoreSpec {
        samples: 12,
        ..spec()
    };
    let error = TrajectoryStore::create(folder.path(), &other).unwrap_err();
    assert!(
        error.to_string().contains("samples is 10, expected 12"),
        "{error}"
    );
}

#[test]
fn impossible_specifications_write_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let cases = [
        (
            "samples",
            StoreSpec {
                samples: 0,
                ..spec()
            },
        ),
        (
            "shard_samples",
            StoreSpec {
                shard_samples: 0,
                ..spec()
            },
        ),
        (
            "shard_samples",
            StoreSpec {
                shard_samples: usize::MAX,
                ..spec()
            },
        ),
        (
            "shape",
            StoreSpec {
                shape: [1, 0, 1],
                ..spec()
            },
        ),
        (
            "times",
            StoreSpec {
                times: vec![0.0, 1.0],
                ..spec()
            },
        ),
        (
            "times",
            StoreSpec {
                times: vec![f64::NAN],
                ..spec()
            },
        ),
        (
            "log_snr",
            StoreSpec {
                log_snr: vec![],
                ..spec()
            },
        ),
        (
            "log_snr",
            StoreSpec {
                log_snr: vec![f64::NEG_INFINITY, -0.4, 1.76, 4.6, 20.0],
                ..spec()
            },
        ),
    ];
    for (field, spec) in cases {
        let error = TrajectoryStore::create(&path, &spec).unwrap_err();
        assert!(
            matches!(error, StoreError::Spec { field: f, .. } if f == field),
            "{error}"
        );
    }
    if !cfg!(feature = "zstd") {
        let error = TrajectoryStore::create(
            &path,
            &StoreSpec {
                zstd: true,
                ..spec()
            },
        )
        .unwrap_err();
        assert!(matches!(error, StoreError::NoZstd));
    }
    assert!(!path.exists());
}

#[test]
fn damaged_metadata_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let open = || TrajectoryStore::open(folder.path()).unwrap_err();
    assert!(matches!(open(), StoreError::NotAStore { .. }));
    TrajectoryStore::create(folder.path(), &spec()).unwrap();
    let damage = |file: &str, from: &str, to: &str| {
        let path = folder.path().join(file);
        let whole = fs::read_to_string(&path).unwrap();
        assert!(whole.contains(from), "{from} in {whole}");
        fs::write(&path, whole.replacen(from, to, 1)).unwrap();
        let error = open();
        fs::write(&path, whole).unwrap();
        error
    };
    let error = damage("zarr.json", "\"samples\": 10", "\"samples\": 11");
    assert!(
        matches!(
            error,
            StoreError::Array {
                array: "states",
                ..
            }
        ),
        "{error}"
    );
    let error = damage("zarr.json", "\"dsno_format\": 1", "\"dsno_format\": 2");
    assert!(
        matches!(
            error,
            StoreError::Spec {
                field: "dsno_format",
                ..
            }
        ),
        "{error}"
    );
    let error = damage("zarr.json", "\"dsno_format\"", "\"format\"");
    assert!(matches!(error, StoreError::Attributes { .. }), "{error}");
    let error = damage("states/zarr.json", "float32", "float16");
    assert!(
        matches!(error, StoreError::Array { .. } | StoreError::Zarr { .. }),
        "{error}"
    );
    let error = damage("labels/zarr.json", "{", "");
    assert!(matches!(error, StoreError::Zarr { .. }), "{error}");
}

#[test]
fn the_size_of_batches_makes_no_other_store() {
    let folder = tempfile::tempdir().unwrap();
    let with = |batch_size: usize| {
        let mut spec = spec();
        let value = serde_json::json!(batch_size);
        spec.provenance.other.insert("batch_size".to_owned(), value);
        spec
    };
    fill(&mut TrajectoryStore::create(folder.path(), &with(64)).unwrap());
    let store = TrajectoryStore::create(folder.path(), &with(3)).unwrap();
    assert!(store.is_complete());
    assert_eq!(store.spec().provenance.other["batch_size"], 64);
    TrajectoryStore::create(folder.path(), &spec()).unwrap();
}

#[test]
fn lost_and_damaged_descriptions_are_written_again_and_the_shards_stay() {
    let folder = tempfile::tempdir().unwrap();
    fill(&mut TrajectoryStore::create(folder.path(), &spec()).unwrap());
    let kept = TrajectoryStore::open(folder.path())
        .unwrap()
        .read(&[9])
        .unwrap();
    for file in ["states/zarr.json", "labels/zarr.json", "times/c.0"] {
        let path = folder.path().join(file);
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        TrajectoryStore::open(folder.path()).unwrap_err();
        let store = TrajectoryStore::create(folder.path(), &spec()).unwrap();
        assert!(store.is_complete(), "{file}");
        assert_eq!(store.read(&[9]).unwrap(), kept, "{file}");
        assert_eq!(fs::read(&path).unwrap(), whole, "{file}");
    }
    fs::remove_dir_all(folder.path().join("labels")).unwrap();
    let mut other = spec();
    other.provenance.steps = 32;
    let refused = TrajectoryStore::create(folder.path(), &other).unwrap_err();
    assert!(matches!(refused, StoreError::OtherSpec { .. }), "{refused}");
    let mut store = TrajectoryStore::create(folder.path(), &spec()).unwrap();
    assert!(matches!(
        store.verify_shard(0),
        Err(StoreError::Corrupt { shard: 0, .. })
    ));
    (0..3).for_each(|shard| store.discard_shard(shard).unwrap());
    fill(&mut store);
    store.verify().unwrap();
}

/// Without the group's own description nobody knows what solved the shards.
#[test]
fn shards_of_unknown_origin_are_missing() {
    let folder = tempfile::tempdir().unwrap();
    fill(&mut TrajectoryStore::create(folder.path(), &spec()).unwrap());
    fs::remove_file(folder.path().join("zarr.json")).unwrap();
    let mut other = spec();
    other.provenance.steps = 32;
    let store = TrajectoryStore::create(folder.path(), &other).unwrap();
    assert_eq!(store.missing_shards(), [0, 1, 2]);
}

/// The way out that each message names is the way out.
#[test]
fn the_advice_of_errors_works() {
    let folder = tempfile::tempdir().unwrap();
    fill(&mut TrajectoryStore::create(folder.path(), &spec()).unwrap());
    let again = || {
        let mut store = TrajectoryStore::create(folder.path(), &spec()).unwrap();
        let missing = store.missing_shards();
        fill(&mut store);
        store.read(&[5]).unwrap();
        missing
    };
    fs::remove_file(folder.path().join("states/c.1.0.0.0.0")).unwrap();
    let error = TrajectoryStore::open(folder.path())
        .unwrap()
        .read(&[5])
        .unwrap_err();
    let StoreError::Corrupt { manifest, .. } = &error else {
        panic!("{error}");
    };
    let advice = format!("delete {}, and", manifest.display());
    assert!(error.to_string().contains(&advice), "{error}");
    fs::remove_file(manifest).unwrap();
    let error = TrajectoryStore::open(folder.path())
        .unwrap()
        .read(&[5])
        .unwrap_err();
    assert!(
        matches!(error, StoreError::Missing { shard: 1, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("when it is run again"));
    assert_eq!(again(), [1]);
}
