//! Trains the classifier whose features measure a data set, and shows what its distance reacts to.
//!
//! `cargo run --release -p dsno-tests --example train_classifier -- fashion-mnist datasets/fashion-mnist/classifier`
//!
//! The first argument names a description in `datasets/`, the second the folder to write.

use std::error::Error;
use std::ops::Range;
use std::path::Path;
use std::time::Instant;

use burn::tensor::{Device, Tensor};
use dsno_data::{DatasetSpec, ImageSet, noise};
use dsno_eval::{
    Classifier, ClassifierConfig, ClassifierTraining, FeatureStatistics, Features, LabelledImages,
    Moments, frechet_distance,
};

/// Share of the images that is trained on; the accuracy is measured on the rest.
const TRAINED_TENTHS: usize = 8;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, folder] = arguments.as_slice() else {
        return Err("two arguments are expected: DATASET FOLDER".into());
    };
    let spec = DatasetSpec::load(format!("datasets/{name}.toml"))?;
    let images = spec.open("datasets")?;
    let device = Device::flex();

    let training = training(name, &images, spec.flip);
    let cut = images.len() * TRAINED_TENTHS / 10;
    let (trained, held_out) = (images.split(0..cut)?, images.split(cut..images.len())?);
    let (trained_pixels, held_out_pixels) = (pixels(&trained), pixels(&held_out));
    let known = labelled(&trained, &trained_pixels)?;
    let start = Instant::now();
    let classifier = training.run(known, &device, &mut |epoch| {
        println!(
            "epoch {:>2}/{}  loss {:.4}",
            epoch.epoch, epoch.epochs, epoch.loss
        );
    })?;
    println!("trained in {:.0} s", start.elapsed().as_secs_f64());
    println!(
        "accuracy on {cut} trained images: {:.4}",
        classifier.accuracy(known, &device)?
    );
    let accuracy = classifier.accuracy(labelled(&held_out, &held_out_pixels)?, &device)?;
    println!(
        "accuracy on {} held-out images: {accuracy:.4}",
        held_out.len()
    );
    classifier.save(Path::new(folder))?;
    show_distances(&classifier, &images, &device)
}

/// The recipe; the same for every data set but for its size, channels and classes.
fn training(name: &str, images: &ImageSet, flip: bool) -> ClassifierTraining {
    let (size, features) = (images.width(), 64);
    ClassifierTraining {
        space: format!("{name}-{size} classifier, {features} features"),
        config: ClassifierConfig {
            image_channels: images.channels(),
            image_size: size,
            base_channels: 32,
            features,
            classes: images.classes() as usize,
        },
        epochs: 30,
        batch_size: 64,
        learning_rate: 3e-3,
        weight_decay: 0.05,
        flip,
        max_shift: 1,
        seed: 1,
    }
}

/// Spoils a batch whose images have the given indices.
type Spoil<'a> = &'a dyn Fn(Tensor<4>, Range<u64>) -> Tensor<4>;

/// Distances between halves of the data, and from one half to spoilt versions of the other.
fn show_distances(
    classifier: &Classifier,
    images: &ImageSet,
    device: &Device,
) -> Result<(), Box<dyn Error>> {
    let half = images.len() / 2;
    let [c, h, w] = [images.channels(), images.height(), images.width()];
    let measure = |range: Range<usize>, spoil: Spoil<'_>| {
        let mut moments = Moments::new(classifier.config().features);
        for start in range.clone().step_by(500) {
            let part = start..range.end.min(start + 500);
            let batch = images.batch(&part.clone().collect::<Vec<_>>(), device);
            let spoilt = spoil(batch, part.start as u64..part.end as u64);
            moments.push(classifier.extract(spoilt)?)?;
        }
        Ok::<FeatureStatistics, Box<dyn Error>>(moments.finish()?)
    };
    let reference = measure(0..half, &|batch, _| batch)?;
    println!(
        "\nFréchet distance ({}), {half} images each",
        classifier.space()
    );
    let grain = |range, level: f64| noise::batch(7, range, [c, h, w], device) * level;
    let rows: [(&str, Spoil<'_>); 7] = [
        ("other half (floor)", &|batch, _| batch),
        ("noise, deviation 0.05", &|batch, range| {
            batch + grain(range, 0.05)
        }),
        ("noise, deviation 0.1", &|batch, range| {
            batch + grain(range, 0.1)
        }),
        ("noise, deviation 0.2", &|batch, range| {
            batch + grain(range, 0.2)
        }),
        ("blurred 3×3", &|batch, _| blurred(&batch)),
        ("mirrored", &|batch, _| batch.flip([3])),
        ("noise alone", &|_, range| grain(range, 0.5)),
    ];
    for (row, spoil) in rows {
        let distance = frechet_distance(&reference, &measure(half..2 * half, spoil)?)?;
        println!("{row:<24}{distance:>10.3}");
    }
    Ok(())
}

/// Mean of the pixel and its eight neighbours, wrapping around at the edges.
fn blurred(images: &Tensor<4>) -> Tensor<4> {
    let [_, _, h, w] = images.dims();
    let mut sum = images.zeros_like();
    for dy in [0, 1, h - 1] {
        for dx in [0, 1, w - 1] {
            sum = sum + images.clone().roll(&[dy as i64, dx as i64], &[2, 3]);
        }
    }
    sum / 9.0
}

/// All pixels of a set, row-major.
fn pixels(images: &ImageSet) -> Vec<f32> {
    (0..images.len())
        .flat_map(|index| images.image(index))
        .collect()
}

/// A set's pixels beside its labels.
fn labelled<'a>(
    images: &'a ImageSet,
    pixels: &'a [f32],
) -> Result<LabelledImages<'a>, Box<dyn Error>> {
    let labels = images.labels().ok_or("the data set has no labels")?;
    Ok(LabelledImages { pixels, labels })
}
