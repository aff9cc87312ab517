//! Checkpoints that PyTorch opens, written without PyTorch.

use std::io::{self, Write};

mod archive;

use crate::StateDict;
use archive::Archive;

/// Writes weights, under the names they have, as a checkpoint for `torch.load`.
///
/// It is a dictionary whose entries `model` and `ema` both are the network, in one copy: what the
/// authors' generation and training look up. Nothing but tensors is in it, so that
/// `weights_only=True` takes it.
///
/// # Errors
///
/// Those of `to`, and [`io::ErrorKind::InvalidInput`] for a tensor or a file of 4 GiB or more.
///
/// # Examples
///
/// ```
/// use dsno_checkpoint::to_torch;
/// use dsno_checkpoint::{HostTensor, StateDict};
///
/// let bias = HostTensor { shape: vec![2], values: vec![0.5, -1.0] };
/// let weights = StateDict::from([("all_modules.0.bias".to_owned(), bias)]);
/// let mut file = Vec::new();
/// to_torch(&weights, &mut file)?;
/// assert!(file.starts_with(b"PK"));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn to_torch(weights: &StateDict, to: impl Write) -> io::Result<()> {
    let mut archive = Archive::new(to);
    archive.file("archive/data.pkl", &pickle(weights)?)?;
    archive.file("archive/byteorder", b"little")?;
    for (number, tensor) in weights.values().enumerate() {
        let bytes: Vec<u8> = tensor.values.iter().flat_map(|v| v.to_le_bytes()).collect();
        archive.file(&format!("archive/data/{number}"), &bytes)?;
    }
    archive.file("archive/version", b"3\n")?;
    archive.finish()
}

/// The dictionary as a pickle of protocol 2; values lie in numbered files of their own.
fn pickle(weights: &StateDict) -> io::Result<Vec<u8>> {
    let mut out = Pickle(b"\x80\x02}(".to_vec());
    out.text("model")?;
    out.0.extend(b"}(");
    for (number, (name, tensor)) in weights.iter().enumerate() {
        out.text(name)?;
        // _rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, hooks)
        out.0.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
        out.text("storage")?;
        out.0.extend(b"ctorch\nFloatStorage\n");
        out.text(&number.to_string())?;
        out.text("cpu")?;
        out.integer(tensor.values.len())?;
        out.0.extend(b"tQK\x00");
        out.tuple(&tensor.shape)?;
        out.tuple(&strides(&tensor.shape))?;
        out.0.extend(b"\x89ccollections\nOrderedDict\n)RtR");
    }
    // The finished network is remembered and used twice.
    out.0.extend(b"uq\x00");
    out.text("ema")?;
    out.0.extend(b"h\x00u.");
    Ok(out.0)
}

fn strides(shape: &[usize]) -> Vec<usize> {
    let after = |axis: usize| shape[axis + 1..].iter().product();
    (0..shape.len()).map(after).collect()
}

struct Pickle(Vec<u8>);

impl Pickle {
    fn text(&mut self, text: &str) -> io::Result<()> {
        let length = u32::try_from(text.len()).map_err(io::Error::other)?;
        self.0.push(b'X');
        self.0.extend(length.to_le_bytes());
        self.0.extend(text.as_bytes());
        Ok(())
    }

    fn integer(&mut self, value: usize) -> io::Result<()> {
        let invalid = |error| io::Error::new(io::ErrorKind::InvalidInput, error);
        let value = i32::try_from(value).map_err(invalid)?;
        self.0.push(b'J');
        self.0.extend(value.to_le_bytes());
        Ok(())
    }

    fn tuple(&mut self, values: &[usize]) -> io::Result<()> {
        self.0.push(b'(');
        for &value in values {
            self.integer(value)?;
        }
        self.0.push(b't');
        Ok(())
    }
}
