//! Shows what the Fréchet distance and the paired error react to.
//!
//! `cargo run --release -p dsno-eval --example frechet`

use std::error::Error;

use burn::tensor::{Device, Distribution, Tensor, TensorData};
use dsno_eval::metric::PairMetric;
use dsno_eval::paired::Paired;
use dsno_eval::{
    Classifier, ClassifierConfig, FeatureStatistics, Features, Moments, frechet_distance,
};

const IMAGES: usize = 512;
const SIDE: usize = 16;

fn main() -> Result<(), Box<dyn Error>> {
    let device = Device::flex();
    let config = ClassifierConfig {
        image_channels: 1,
        image_size: SIDE,
        base_channels: 8,
        features: 64,
        classes: 10,
    };
    // Random features already tell sets of images apart; trained ones do it better.
    let classifier = Classifier::untrained("untrained, 64 features", config, 0, &device)?;

    let images = discs(0.0, &device);
    let real = statistics(&classifier, &images)?;
    println!("features: {}; {IMAGES} discs against", classifier.space());
    println!("                        distance        L1     PSNR");
    let noise = Distribution::Uniform(-0.2, 0.2);
    let sets = [
        ("other discs", discs(0.5, &device)),
        ("a little brighter", images.clone() * 0.95 + 0.05),
        ("noisy", images.clone() + images.random_like(noise)),
        ("inverted", -images.clone()),
    ];
    for (name, set) in sets {
        let distance = frechet_distance(&real, &statistics(&classifier, &set)?)?;
        let errors = Paired.compare(images.clone(), set)?;
        let mean = |column| errors.iter().skip(column).step_by(2).sum::<f64>() / IMAGES as f64;
        let [l1, psnr] = [0, 1].map(mean);
        println!("{name:<22}{distance:>10.3}{l1:>10.4}{psnr:>6.1} dB");
    }
    Ok(())
}

/// Mean and covariance of the features of a batch.
fn statistics(
    classifier: &Classifier,
    images: &Tensor<4>,
) -> Result<FeatureStatistics, Box<dyn Error>> {
    let mut moments = Moments::new(classifier.config().features);
    moments.push(classifier.extract(images.clone())?)?;
    Ok(moments.finish()?)
}

/// Soft discs whose place and size run through a low-discrepancy sequence.
fn discs(offset: f32, device: &Device) -> Tensor<4> {
    let mut pixels = Vec::with_capacity(IMAGES * SIDE * SIDE);
    for image in 0..IMAGES {
        let [u, v, w] =
            [0.8192, 0.6711, 0.5497].map(|step| (step * (image as f32 + offset)).fract());
        let (cx, cy, radius) = (4.0 + 8.0 * u, 4.0 + 8.0 * v, 2.0 + 4.0 * w);
        for at in 0..SIDE * SIDE {
            let (x, y) = ((at % SIDE) as f32 - cx, (at / SIDE) as f32 - cy);
            pixels.push((radius - x.hypot(y)).clamp(-1.0, 1.0));
        }
    }
    Tensor::from_data(TensorData::new(pixels, [IMAGES, 1, SIDE, SIDE]), device)
}
