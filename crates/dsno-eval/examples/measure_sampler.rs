//! Measures samplers of one's own against real images: `--example measure_sampler`.

use std::error::Error;
use std::ops::ControlFlow;

use burn::tensor::{Device, Tensor};
use dsno_data::{ImageSet, noise, picture::Uint8Images};
use dsno_eval::PixelFeatures;
use dsno_eval::evaluation::{Candidate, Evaluator};
use dsno_model::{SampleError, Sampler};

/// Scales the noise; a scale of 0.3 makes the images of the data set below.
struct Scale(f64);

impl Sampler for Scale {
    fn name(&self) -> String {
        format!("scale-{}", self.0)
    }
    fn nfe(&self) -> usize {
        1
    }
    fn unet_passes(&self) -> f64 {
        1.0
    }
    fn times(&self) -> Vec<f64> {
        vec![0.0]
    }
    #[rustfmt::skip]
    fn trajectory(&self, z: Tensor<4>, _: Option<&[u32]>, _: &[f64]) -> Result<Tensor<5>, SampleError> {
        Ok((z * self.0).unsqueeze_dim(1))
    }
    fn images(&self, z: Tensor<4>, _: Option<&[u32]>) -> Result<Tensor<4>, SampleError> {
        Ok(z * self.0)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let (device, folder) = (Device::flex(), tempfile::tempdir()?);
    let real = noise::batch(7, 0..5000, [1, 4, 4], &device) * 0.3;
    let real = real.into_data().try_to_vec::<f32>()?;
    let real = Uint8Images::from_values(&real, [5000, 1, 4, 4])?;
    let (images, features) = (ImageSet::from_pictures(&real), PixelFeatures::new(4));
    let samplers = [0.3, 0.25, 0.2].map(Scale);
    let candidates = samplers.each_ref().map(|sampler| Candidate {
        sampler,
        key: sampler.name(),
    });
    let evaluator = Evaluator::new(&images, &features, &device, folder.path());
    let evaluation = evaluator.run(&candidates, &mut |_| ControlFlow::Continue(()))?;
    let frechet = &evaluation.columns[0];
    println!("{} in {}", frechet.title, evaluation.space);
    for sampler in &evaluation.samplers {
        println!("{:<10} {:.4?}", sampler.name, sampler.value(frechet));
    }
    Ok(())
}
