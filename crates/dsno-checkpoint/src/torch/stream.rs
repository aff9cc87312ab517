//! The stream of pickles that `torch.save` wrote before version 1.6.

use std::collections::HashMap;

use super::pickle;
use super::value::{Heap, Value};
use super::{Index, resolve};
use crate::budget::Budget;
use crate::dtype::DType;
use crate::input::Input;
use crate::parse_error::ParseError;
use crate::source::Source;
use crate::storage::Storage;

/// The version of the stream; there is no other.
const VERSION: i64 = 1001;

pub(super) fn index(source: &Source, budget: &mut Budget) -> Result<Index, ParseError> {
    let mut input = Input::of_file(source, 0, source.length());
    let mut heap = Heap::default();
    let magic = pickle::read(&mut input, &mut heap, budget)?;
    let version = pickle::read(&mut input, &mut heap, budget)?;
    if magic != Value::Magic || version != Value::Int(VERSION) {
        let found = Input::of_file(source, 0, 16).bytes(source.length().min(16), budget)?;
        return Err(ParseError::NotTorch { found });
    }
    let system = pickle::read(&mut input, &mut heap, budget)?;
    if heap.entry(system, "little_endian") == Some(Value::Bool(false)) {
        return Err(ParseError::BigEndian);
    }
    let root = pickle::read(&mut input, &mut heap, budget)?;
    let keys = pickle::read(&mut input, &mut heap, budget)?;

    // The stream gives elements, the pickle how many bytes each has.
    let mut sizes = HashMap::new();
    for storage in &heap.storages {
        budget.spend_values::<(&str, u64)>(2)?;
        sizes.insert(&*storage.key, storage.element.map_or(1, DType::bytes));
    }
    let mut storages = HashMap::new();
    for key in heap.list(keys).unwrap_or_default() {
        let expected = "the text that is a storage's key";
        let at = input.at();
        let key = heap.text(*key).ok_or(ParseError::PickleOperand {
            code: b'.',
            at,
            expected,
        })?;
        let missing = || ParseError::NoStorage {
            key: key.to_owned(),
        };
        let each = sizes.get(key).ok_or_else(missing)?;
        let elements = u64::from_le_bytes(input.array()?);
        let length = elements.saturating_mul(*each);
        budget.spend_values::<(&str, (u64, u64))>(2)?;
        storages.insert(key, (input.at(), length));
        input.jump(length, source)?;
    }
    let (at, found) = (input.at(), source.length() - input.at());
    if found > 0 {
        return Err(ParseError::Trailing { at, found });
    }
    let find = |key: &str, expected: u64| match storages.get(key) {
        None => Err(ParseError::NoStorage {
            key: key.to_owned(),
        }),
        Some((_, found)) if *found != expected => Err(ParseError::StorageSize {
            key: key.to_owned(),
            found: *found,
            expected,
        }),
        Some(&(at, length)) => Ok(Storage::Plain {
            at,
            length,
            checksum: None,
        }),
    };
    resolve(&heap, root, &find, budget)
}
