//! Files made to do harm: each ends in the error that names what is wrong.

use dsno_checkpoint::{CheckpointError, ParseError};

use super::Tensors;

/// An error that says what is wrong with the file or a tensor of it.
#[track_caller]
fn fault(read: Result<Tensors, CheckpointError>) -> ParseError {
    match read {
        Err(CheckpointError::Format { source, .. } | CheckpointError::Tensor { source, .. }) => {
            source
        }
        other => panic!("{other:?}"),
    }
}

macro_rules! assert_fault {
    ($read:expr, $pattern:pat) => {
        let fault = fault($read);
        assert!(matches!(fault, $pattern), "{fault}");
    };
}

mod archive;
mod flax;
mod pickle;
mod safetensors;
