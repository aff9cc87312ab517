use super::*;
use dsno_checkpoint::digest::sha256_bytes;

fn datasets() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets")
}

fn shipped(name: &str) -> DatasetSpec {
    DatasetSpec::load(datasets().join(name).with_extension("toml")).unwrap()
}

/// Digest of all images as little-endian f32.
fn fingerprint(images: &ImageSet) -> String {
    let values = (0..images.len()).flat_map(|index| images.image(index));
    sha256_bytes(&values.flat_map(f32::to_le_bytes).collect::<Vec<u8>>())
}

/// Digests were computed with NumPy in f64 from the same files; see tests/golden/README.md.
#[test]
fn shipped_images_are_bit_identical_to_an_independent_reading() {
    let fashion = shipped("fashion-mnist").open(datasets()).unwrap();
    assert_eq!(
        fashion.labels().unwrap()[..10],
        [9, 2, 1, 1, 6, 1, 4, 6, 5, 7]
    );
    let expected = "e0a783b1fbda01e67a628fa6a5e0425118e3f596ea4f0218e33c7d193d0f0750";
    assert_eq!(fingerprint(&fashion), expected);

    let emoji = shipped("emoji");
    let images = emoji.open(datasets()).unwrap();
    assert_eq!(
        (images.len(), images.channels(), images.classes()),
        (1906, 3, 9)
    );
    for (side, expected) in [
        (
            64,
            "4e041b69377bd3a125d2dc80e0e22859bb7e08935d02555157a727cb4b4b6be5",
        ),
        (
            32,
            "c66855f22294e946f9615acd22d699681c896ec5edec539b56e40741386066f1",
        ),
        (
            16,
            "421341fded3170f55e67bc25c5718565532c8e66a6ddd950fcf79451c459afe2",
        ),
    ] {
        assert_eq!(emoji.clone().averaged_to(side).average_to, Some(side));
        assert_eq!(
            fingerprint(&images.averaged_to(side).unwrap()),
            expected,
            "{side}"
        );
    }
}

#[test]
fn every_shipped_specification_parses_and_survives_a_round_trip() {
    for name in [
        "fashion-mnist",
        "fashion-mnist-train",
        "emoji",
        "cifar10",
        "imagenet64",
    ] {
        let spec = shipped(name);
        assert_eq!(spec.name, name);
        assert_eq!(
            toml::from_str::<DatasetSpec>(&toml::to_string(&spec).unwrap()).unwrap(),
            spec
        );
        assert!(spec.class_names.is_empty() || spec.class_names.len() == spec.classes as usize);
    }
}

#[test]
fn missing_data_is_named_with_the_way_to_get_it() {
    let folder = tempfile::tempdir().unwrap();
    let spec = shipped("cifar10");
    assert_eq!(
        spec.missing_files(folder.path()),
        [folder.path().join("cifar10/train")]
    );
    let message = spec.open(folder.path()).unwrap_err().to_string();
    assert!(
        message.contains("cifar10/train") && message.contains("one folder per class"),
        "{message}"
    );
}

#[test]
fn changed_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let spec = shipped("fashion-mnist");
    fs::create_dir(folder.path().join("fashion-mnist")).unwrap();
    for file in &spec.files {
        fs::copy(datasets().join(&file.path), folder.path().join(&file.path)).unwrap();
    }
    let labels = folder.path().join("fashion-mnist/t10k-labels-idx1-ubyte");
    let with_labels = |bytes: &[u8]| {
        let _ = fs::remove_file(labels.with_extension("gz"));
        fs::write(&labels, bytes).unwrap();
        spec.open(folder.path()).unwrap_err()
    };
    assert!(spec.open(folder.path()).is_ok());
    let other = with_labels(&vec![0; 10_008]);
    assert!(matches!(other, DataError::Digest { .. }), "{other}");
    let cut = with_labels(&[0; 99]);
    assert!(
        matches!(
            cut,
            DataError::Size {
                found: 99,
                expected: 10_008,
                ..
            }
        ),
        "{cut}"
    );
    let long = with_labels(&vec![0; 99_999]);
    assert!(
        matches!(long, DataError::Size { found: 10_009, .. }),
        "{long}"
    );
}

#[test]
fn a_specification_that_disagrees_with_its_images_is_refused() {
    let mut spec = shipped("fashion-mnist");
    spec.channels = 3;
    assert!(matches!(
        spec.open(datasets()),
        Err(DataError::Channels {
            asked: 3,
            found: 1,
            ..
        })
    ));
    spec.channels = 1;
    spec.classes = 5;
    let error = spec.open(datasets()).unwrap_err();
    assert!(
        matches!(
            error,
            DataError::Label {
                index: 0,
                label: 9,
                classes: 5,
                ..
            }
        ),
        "{error}"
    );
    spec.classes = 0;
    assert_eq!(spec.open(datasets()).unwrap().labels(), None);
    spec.average_to = Some(5);
    assert!(matches!(
        spec.open(datasets()),
        Err(DataError::Average { to: 5, .. })
    ));
}

#[test]
fn misspelt_keys_and_wrong_types_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(datasets().join("fashion-mnist.toml")).unwrap();
    for (from, to) in [
        ("pad_to", "pads_to"),
        ("flip = false", "flip = 0"),
        ("images =", "image ="),
        ("kind = \"idx\"", "kind = \"idy\""),
        ("bytes = 10_008", "bytes = -1"),
    ] {
        let path = folder.path().join("x.toml");
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
        let error = DatasetSpec::load(&path).unwrap_err();
        assert!(matches!(error, DataError::Spec { .. }), "{from}: {error}");
    }
}
