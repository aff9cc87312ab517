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
    assert!(matches!(
        spec.open(datasets()),
        Err(DataError::NameCount { names: 10, .. })
    ));
    spec.class_names.truncate(5);
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

/// A data set in a folder of its own, made of the sets of `tests/cases/data`.
fn case(name: &str) -> (DatasetSpec, PathBuf) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases/data/datasets");
    let spec = DatasetSpec::load(root.join(name).with_extension("toml")).unwrap();
    (spec, root)
}

#[test]
fn class_folders_are_those_of_the_specification() {
    let refused = |name: &str| {
        let (spec, root) = case(name);
        let opened = spec.open(&root).unwrap_err();
        let problems = spec.check(&root).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!(opened.to_string(), problems[0].to_string());
        opened
    };
    let pets = refused("pets");
    assert!(matches!(pets, DataError::ClassNames { .. }), "{pets}");
    for words in ["[dog, cat]", "[cat, dog]"] {
        assert!(pets.to_string().contains(words), "{pets}");
    }
    let nested = refused("partnested").to_string();
    assert!(
        nested.contains("n03 has no pictures") && nested.contains("images"),
        "{nested}"
    );
    let none = refused("byname").to_string();
    assert!(
        none.starts_with("2 classes asked for, no sub-folders in "),
        "{none}"
    );

    let (mut spec, root) = case("numeric");
    let images = spec.open(&root).unwrap();
    let survey = spec.check(&root).unwrap();
    let names: Vec<&str> = survey
        .classes
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(
        names,
        ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"]
    );
    assert!(images.labels().unwrap().is_sorted());
    // Numbered folders hold the class of their number, whatever it is called.
    spec.class_names = (b'a'..b'm').map(|c| char::from(c).to_string()).collect();
    assert!(spec.open(&root).is_ok());
    spec.class_names.truncate(3);
    assert!(matches!(
        spec.open(&root),
        Err(DataError::NameCount {
            names: 3,
            classes: 12,
            ..
        })
    ));
    spec.class_names.clear();
    spec.classes = 13;
    assert!(matches!(
        spec.open(&root),
        Err(DataError::ClassCount { classes: 13, .. })
    ));

    let (spec, root) = case("macosx");
    assert_eq!(
        spec.survey(&root).unwrap().to_string(),
        "16 images, 2 classes: cat 8, dog 8"
    );
}

#[test]
fn a_check_finds_what_opening_would() {
    let check = |name: &str| {
        case(name)
            .0
            .averaged_to(16)
            .check(case(name).1)
            .unwrap_err()
    };
    let [DataError::Decode { path, .. }] = &check("late")[..] else {
        panic!("{:?}", check("late"))
    };
    assert!(path.ends_with("07.png"), "{}", path.display());
    assert!(matches!(
        check("oddsize")[..],
        [DataError::ImageSize { .. }]
    ));
    assert!(matches!(
        check("img28")[..],
        [DataError::Average {
            height: 28,
            to: 16,
            ..
        }]
    ));
    assert!(matches!(
        check("emptyset")[..],
        [DataError::MissingFile { .. }]
    ));
    let (mut spec, root) = case("good");
    assert_eq!(spec.check(&root).unwrap().to_string(), "40 images");
    spec.channels = 2;
    assert!(matches!(
        spec.check(&root).unwrap_err()[..],
        [DataError::Channels { .. }]
    ));
    spec.channels = 1;
    spec.pad_to = Some(usize::MAX);
    assert!(matches!(
        spec.check(&root).unwrap_err()[..],
        [DataError::Pad { .. }]
    ));

    let shipped = shipped("fashion-mnist");
    assert_eq!(
        shipped.check(datasets()).unwrap().to_string(),
        "10000 images, 10 classes of 1000"
    );
    let emoji = self::shipped("emoji");
    assert_eq!(emoji.check(datasets()).unwrap().images, 1906);
    let mut labels = shipped.clone();
    labels.classes = 5;
    labels.class_names.clear();
    assert!(matches!(
        labels.check(datasets()).unwrap_err()[..],
        [DataError::Label { .. }]
    ));
    labels.format = Format::Idx {
        images: "fashion-mnist/t10k-images-idx3-ubyte.gz".into(),
        labels: None,
    };
    assert!(matches!(
        labels.check(datasets()).unwrap_err()[..],
        [DataError::NoLabels { .. }]
    ));
    let mut sheet = emoji;
    sheet.format = Format::PngSheet {
        sheet: "emoji/google-64.png".into(),
        table: "emoji/labels.csv".into(),
        tile: usize::MAX,
    };
    assert!(matches!(
        sheet.check(datasets()).unwrap_err()[..],
        [DataError::SheetRoom { .. }]
    ));
}

#[test]
fn content_is_what_is_read_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (mut spec, root) = case("macosx");
    spec.format = Format::ImageFolder { path: ".".into() };
    for class in ["cat", "dog"] {
        fs::create_dir(at(class)).unwrap();
        for entry in fs::read_dir(root.join("macosx").join(class)).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), at(class).join(entry.file_name())).unwrap();
        }
    }
    let content = || spec.content(folder.path()).unwrap();
    let before = content();
    assert!(!spec.content_is_known());
    for name in [".DS_Store", "Thumbs.db", "cat/.DS_Store", "readme.txt"] {
        fs::write(at(name), "x").unwrap();
    }
    fs::create_dir(at("@eaDir")).unwrap();
    fs::copy(at("cat/0.png"), at("@eaDir/0.png")).unwrap();
    assert_eq!(content(), before);
    fs::rename(at("cat"), at("a cat")).unwrap();
    assert_eq!(content(), before, "the same images with the same labels");
    fs::rename(at("a cat"), at("z cat")).unwrap();
    assert_ne!(content(), before, "other labels");
    fs::rename(at("z cat"), at("cat")).unwrap();
    fs::copy(at("dog/0.png"), at("cat/0.png")).unwrap();
    assert_ne!(content(), before, "another picture");

    let (spec, root) = case("staleidx");
    assert_eq!(spec.data_files(&root).unwrap(), [root.join("staleidx/im")]);
    let known = spec.content(&root).unwrap();
    let other = DatasetSpec {
        format: Format::Idx {
            images: "staleidx/im.other".into(),
            labels: None,
        },
        ..spec
    };
    assert_ne!(other.content(&root).unwrap(), known);
    assert!(shipped("fashion-mnist").content_is_known());
    assert!(shipped("emoji").content_is_known());
}

#[test]
fn a_specification_without_rotation_is_written_without_it() {
    let (spec, root) = case("turned");
    assert!(spec.exif_rotation && toml::to_string(&spec).unwrap().contains("exif_rotation"));
    let images = spec.open(&root).unwrap();
    assert_eq!((images.height(), images.width()), (6, 9));
    let stored = DatasetSpec {
        exif_rotation: false,
        ..spec
    };
    assert!(matches!(
        stored.check(&root).unwrap_err()[0],
        DataError::ImageSize { .. }
    ));
    assert!(!toml::to_string(&stored).unwrap().contains("exif_rotation"));
}
