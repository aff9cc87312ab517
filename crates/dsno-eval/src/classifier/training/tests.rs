use super::*;
use crate::Features;

/// Bars that run across or up and down, with a little grain.
fn bars() -> (Vec<f32>, Vec<u32>) {
    let labels: Vec<u32> = (0..48).map(|image| image % 2).collect();
    let pixels = (0..48 * 64).map(|i| {
        let (image, y, x) = (i / 64, i / 8 % 8, i % 8);
        let along = if image % 2 == 0 { x } else { y };
        let bar = if (along + image / 2) % 4 < 2 {
            0.6
        } else {
            -0.6
        };
        bar + ((i * i) as f32 * 0.7).sin() * 0.2
    });
    (pixels.collect(), labels)
}

fn training(seed: u64) -> ClassifierTraining {
    ClassifierTraining {
        space: "bars, 6 features".into(),
        config: ClassifierConfig {
            image_channels: 1,
            image_size: 8,
            base_channels: 8,
            features: 6,
            classes: 2,
        },
        epochs: 8,
        batch_size: 10,
        learning_rate: 5e-3,
        weight_decay: 1e-2,
        flip: true,
        max_shift: 1,
        seed,
    }
}

#[test]
fn learns_and_gives_standardised_features_that_survive_a_file() {
    let (pixels, labels) = bars();
    let images = LabelledImages {
        pixels: &pixels,
        labels: &labels,
    };
    let device = Device::flex();
    let mut losses = Vec::new();
    let trained = training(1)
        .run(images, &device, &mut |e| losses.push(e.loss))
        .unwrap();
    assert_eq!(losses.len(), 8);
    assert!(losses[7] < 0.3 * losses[0], "{losses:?}");
    assert_eq!(trained.accuracy(images, &device).unwrap(), 1.0);

    let tensor = images.tensor(trained.config(), 0..48, &device);
    let features = to_host(trained.extract(tensor.clone()).unwrap()).unwrap();
    let mut moments = Moments::new(6);
    moments.push_batch(&features).unwrap();
    let gaussian = moments.finish().unwrap();
    for i in 0..6 {
        // The network runs in f32.
        assert!(gaussian.mean()[i].abs() < 1e-4);
        assert!((gaussian.covariance()[i * 7] - 1.0).abs() < 1e-4);
    }

    let folder = tempfile::tempdir().unwrap();
    trained.save(folder.path()).unwrap();
    let loaded = Classifier::load(folder.path(), &device).unwrap();
    assert_eq!(loaded.space(), "bars, 6 features");
    assert_eq!(to_host(loaded.extract(tensor).unwrap()).unwrap(), features);
}

#[test]
fn is_a_function_of_the_seed_to_the_bit() {
    let (pixels, labels) = bars();
    let images = LabelledImages {
        pixels: &pixels,
        labels: &labels,
    };
    let weights = |seed| {
        let trained = training(seed)
            .run(images, &Device::flex(), &mut |_| {})
            .unwrap();
        trained.network.weights().unwrap()
    };
    assert_eq!(weights(3), weights(3));
    assert_ne!(weights(3), weights(4));
}

#[test]
fn moves_by_whole_pixels_and_repeats_edges() {
    let mut small = training(0);
    small.max_shift = 1;
    let plane: Vec<f32> = (0..64).map(|i| i as f32).collect();
    let mut out = Vec::new();
    small.moved_plane(&plane, [1, 1], false, &mut out);
    assert_eq!(out, plane);
    out.clear();
    small.moved_plane(&plane, [0, 2], true, &mut out);
    // Up by one with the first row repeated; mirrored, then one to the side.
    assert_eq!(out[..8], [7.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0]);
    assert_eq!(out[8..16], out[..8]);
}

#[test]
fn refuses_images_labels_and_rates_that_do_not_fit() {
    let (pixels, mut labels) = bars();
    let device = Device::flex();
    let run = |training: ClassifierTraining, pixels: &[f32], labels: &[u32]| {
        training
            .run(LabelledImages { pixels, labels }, &device, &mut |_| {})
            .unwrap_err()
    };
    let error = run(training(0), &pixels[1..], &labels);
    assert!(
        matches!(error, ClassifierError::ImageCount { found: 3071, .. }),
        "{error}"
    );
    let error = run(
        ClassifierTraining {
            learning_rate: f64::NAN,
            ..training(0)
        },
        &pixels,
        &labels,
    );
    assert!(
        matches!(
            error,
            ClassifierError::Config {
                key: "learning_rate",
                ..
            }
        ),
        "{error}"
    );
    let error = run(
        ClassifierTraining {
            batch_size: 0,
            ..training(0)
        },
        &pixels,
        &labels,
    );
    assert!(
        matches!(
            error,
            ClassifierError::Config {
                key: "batch_size",
                ..
            }
        ),
        "{error}"
    );
    labels[5] = 2;
    let error = run(training(0), &pixels, &labels);
    assert!(
        matches!(
            error,
            ClassifierError::Label {
                image: 5,
                label: 2,
                classes: 2
            }
        ),
        "{error}"
    );
}

#[test]
fn loading_refuses_foreign_weights_and_lists_all_differences() {
    let device = Device::flex();
    let (small, wide) = (
        training(0).config,
        ClassifierConfig {
            features: 7,
            ..training(0).config
        },
    );
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    Classifier::untrained("a", small, 0, &device)
        .unwrap()
        .save(folder.path())
        .unwrap();

    let text = std::fs::read_to_string(file("classifier.toml")).unwrap();
    std::fs::write(
        file("classifier.toml"),
        text.replace("features = 6", "features = 7"),
    )
    .unwrap();
    match Classifier::load(folder.path(), &device).unwrap_err() {
        ClassifierError::Keys {
            missing,
            unexpected,
            mismatched,
            ..
        } => {
            assert!(missing.is_empty() && unexpected.is_empty());
            assert_eq!(mismatched.len(), 5, "{mismatched:?}");
        }
        other => panic!("{other}"),
    }
    std::fs::write(file("classifier.toml"), text.replace("space", "room")).unwrap();
    let error = Classifier::load(folder.path(), &device).unwrap_err();
    assert!(matches!(error, ClassifierError::Sidecar { .. }), "{error}");

    Classifier::untrained("b", wide, 0, &device)
        .unwrap()
        .save(folder.path())
        .unwrap();
    std::fs::write(file("classifier.toml"), text).unwrap();
    let error = Classifier::load(folder.path(), &device).unwrap_err();
    assert!(matches!(error, ClassifierError::Digest { .. }), "{error}");
}
