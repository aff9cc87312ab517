//! What `torch.save` writes.
//!
//! Either file consists of one pickle that describes the saved value, in which each tensor is a
//! view (offset, shape, strides) of a storage, and of the storages' bytes:
//!
//! ```text
//! zip       NAME/data.pkl · NAME/data/0 · NAME/data/1 · … · NAME/byteorder         (since 1.6)
//! stream    magic · 1001 · system · value · keys · (u64 elements · bytes) per key  (before)
//! ```
//!
//! Names are the keys on the way to a tensor: of dictionaries as they are, of lists and tuples
//! their places, of objects their attributes and arguments (`PyTorch` 2.x, `serialization.py`).

mod archive;
mod name;
mod pickle;
mod rebuild;
mod stream;
mod value;
mod writer;

use super::Index;
use super::budget::Budget;
use super::dtype::DType;
use super::input::Input;
use super::parse_error::ParseError;
use super::source::Source;
use super::storage::Storage;
use super::stored::Stored;
pub use writer::to_torch;

use value::{Heap, Value};

/// Where storages are: (key, bytes that the pickle gives it) to its bytes.
type Find<'a> = dyn Fn(&str, u64) -> Result<Storage, ParseError> + 'a;

pub(super) fn index(source: &Source, budget: &mut Budget) -> Result<Index, ParseError> {
    let length = source.length().min(2);
    let found = Input::of_file(source, 0, length).bytes(length, budget)?;
    match *found {
        [b'P', b'K'] => archive::index(source, budget),
        // Every pickle of protocol 2 and later begins with this byte.
        [0x80, _] => stream::index(source, budget),
        _ => Err(ParseError::NotTorch { found }),
    }
}

/// Names all tensors below `root` and finds their bytes.
fn resolve(
    heap: &Heap,
    root: Value,
    find: &Find<'_>,
    budget: &mut Budget,
) -> Result<Index, ParseError> {
    let mut index = Index::new();
    name::tensors(heap, root, budget, &mut |name, tensor, budget| {
        Stored::spend(name, tensor.shape.len(), budget)?;
        let storage = &heap.storages[tensor.storage];
        let key = &storage.key;
        let each = storage.element.map_or(1, DType::bytes);
        let expected = storage.elements.saturating_mul(each);
        let mut bytes = find(key, expected)?;
        if let Some((first, elements)) = storage.view {
            bytes = storage.narrow(bytes, first, elements)?;
        }
        let stored = Stored::strided(
            name,
            tensor.element,
            tensor.shape.clone(),
            bytes,
            tensor.first,
            tensor.strides.clone(),
        )?;
        match index.insert(name.to_owned(), stored) {
            None => Ok(()),
            Some(_) => Err(ParseError::Duplicate {
                name: name.to_owned(),
            }),
        }
    })?;
    Ok(index)
}
