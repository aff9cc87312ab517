//! Lists the tensors of a weight file, and reads them all one at a time.
//!
//! ```text
//! cargo run --release -p dsno-checkpoint --example list_tensors -- [FILE [safetensors|torch|flax]]
//! ```

use std::path::PathBuf;

use dsno_checkpoint::{Checkpoint, CheckpointFormat};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let shipped = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../models/fashion-dsno/model.safetensors"
    );
    let path = arguments.next().map_or(shipped.into(), PathBuf::from);
    let format = match arguments.next().as_deref() {
        None | Some("safetensors") => CheckpointFormat::Safetensors,
        Some("torch") => CheckpointFormat::Torch,
        Some("flax") => CheckpointFormat::Flax,
        Some(other) => return Err(format!("unknown format `{other}`").into()),
    };
    let file = Checkpoint::open(&path, format)?;
    for name in file.names() {
        let tensor = file.read(name)?;
        let largest = tensor.values.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
        println!("{name}  {:?}  largest {largest}", tensor.shape);
    }
    Ok(())
}
