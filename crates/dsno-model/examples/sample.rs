//! Sixteen pictures from the student that ships, one network call for all of them.
//!
//! `cargo run --release -p dsno-model --example sample`

use std::error::Error;
use std::path::Path;

use burn::tensor::{Device, Distribution, Tensor};
use dsno_model::Student;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/fashion-dsno");
    let device = Device::flex();
    let student = Student::load(&folder, &device)?;
    let [c, h, w] = student.image_shape();
    let noise = Tensor::random([16, c, h, w], Distribution::Normal(0.0, 1.0), &device);
    let images = student.sample(noise, None);
    // The first of them as characters, dark to light.
    let first: Tensor<2> = images.narrow(0, 0, 1).reshape([h, w]);
    for row in first.into_data().try_to_vec::<f32>()?.chunks(w) {
        let shade = |v: &f32| b" .:-=+*#%@"[((v + 1.0) * 4.999).clamp(0.0, 9.0) as usize] as char;
        println!("{}", row.iter().map(shade).collect::<String>());
    }
    Ok(())
}
