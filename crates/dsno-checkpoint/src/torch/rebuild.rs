//! How PyTorch describes storages, tensors and what wraps them.
//!
//! ```text
//! storage     ('storage', class, key, device, elements[, None | (key, first, elements)])
//! class       ('module', class, file, source)                        in streams
//! tensor      _rebuild_tensor(storage, first, shape, strides)
//!             _rebuild_tensor_v2(storage, first, shape, strides, …)
//!             _rebuild_tensor_v3(storage, first, shape, strides, _, _, dtype, …)
//! parameter   _rebuild_parameter(tensor, …)
//! subclass    _rebuild_from_type_v2(rebuild, class, arguments of rebuild, attributes)
//! ```
//!
//! A tensor whose values are the negatives of the stored ones (the last argument says so, of the
//! imaginary part of a conjugate) is refused.

use std::io::Read;

use super::pickle::Machine;
use super::value::{Global, Object, StorageOf, TensorOf, Value};
use crate::parse_error::ParseError;
use crate::stored::{LONGEST_NAME, MOST_AXES};

/// What a persistent id stands for: a storage, or a class whose source is written beside it.
pub(super) fn persistent<R: Read>(
    machine: &mut Machine<'_, R>,
    id: Value,
) -> Result<Value, ParseError> {
    let heap = &*machine.heap;
    if let Some(&[tag, class @ Value::Global(_), _, _]) = heap.list(id)
        && heap.text(tag) == Some("module")
    {
        return Ok(class);
    }
    let described = || {
        let ([tag, class, key, _, elements] | [tag, class, key, _, elements, _]) =
            *heap.list(id)?
        else {
            return None;
        };
        let element = match class {
            Value::Global(Global::TypedStorage(element)) => Some(element),
            Value::Global(Global::UntypedStorage) => None,
            _ => return None,
        };
        let view = match heap.list(id)?.get(5) {
            None | Some(Value::Other) => None,
            Some(view) => match *heap.list(*view)? {
                [_, Value::Int(first), Value::Int(count)] => {
                    Some((u64::try_from(first).ok()?, u64::try_from(count).ok()?))
                }
                _ => return None,
            },
        };
        let (tag, key) = (heap.text(tag)?, heap.text(key)?);
        (tag == "storage" && key.len() <= LONGEST_NAME).then_some(StorageOf {
            key: key.to_owned(),
            element,
            elements: natural(elements)?,
            view,
        })
    };
    let storage = described().ok_or(machine.undescribed("storage"))?;
    machine.budget.spend(storage.key.len() as u64)?;
    machine.budget.spend_values::<StorageOf>(1)?;
    machine.heap.storages.push(storage);
    Ok(Value::Storage(machine.heap.storages.len() - 1))
}

/// What a call gives: a tensor where PyTorch rebuilds one, otherwise an object that was not made.
pub(super) fn call<R: Read>(
    machine: &mut Machine<'_, R>,
    callable: Value,
    arguments: Value,
) -> Result<Value, ParseError> {
    let values = machine.heap.list(arguments);
    match (callable, values) {
        (Value::Global(Global::OrderedDict), Some(&[])) => machine.object(Object::default()),
        (Value::Global(Global::OrderedDict), Some(&[pairs])) => dictionary(machine, pairs),
        (Value::Global(Global::Size), Some(&[shape @ Value::Tuple(_)])) => Ok(shape),
        (Value::Global(Global::RebuildParameter), Some(&[tensor @ Value::Tensor(_), ..])) => {
            Ok(tensor)
        }
        (Value::Global(Global::RebuildFromType), Some(&[inner, _, inner_arguments, ..]))
            if is_tensor(inner) =>
        {
            tensor(machine, inner, inner_arguments)
        }
        (callable, _) if is_tensor(callable) => tensor(machine, callable, arguments),
        _ => machine.object(Object {
            arguments: Some(arguments),
            ..Object::default()
        }),
    }
}

fn is_tensor(callable: Value) -> bool {
    matches!(
        callable,
        Value::Global(Global::RebuildTensor | Global::RebuildTensorWithDtype)
    )
}

/// A dictionary of a list of pairs.
fn dictionary<R: Read>(machine: &mut Machine<'_, R>, pairs: Value) -> Result<Value, ParseError> {
    let heap = &*machine.heap;
    let count = heap.list(pairs).map_or(0, <[Value]>::len);
    machine.budget.spend_values::<(Value, Value)>(count)?;
    let pair = |pair: &Value| match *heap.list(*pair)? {
        [key, value] => Some((key, value)),
        _ => None,
    };
    let entries = heap
        .list(pairs)
        .and_then(|pairs| pairs.iter().map(pair).collect::<Option<Vec<_>>>());
    let entries = entries.ok_or(machine.lacks("a list of pairs"))?;
    machine.object(Object {
        entries,
        ..Object::default()
    })
}

fn tensor<R: Read>(
    machine: &mut Machine<'_, R>,
    callable: Value,
    arguments: Value,
) -> Result<Value, ParseError> {
    let heap = &*machine.heap;
    let described = || {
        let arguments = heap.list(arguments)?;
        let &[Value::Storage(storage), first, shape, strides, ..] = arguments else {
            return None;
        };
        let (element, metadata) = match callable {
            Value::Global(Global::RebuildTensorWithDtype) => match arguments.get(6)? {
                Value::Global(Global::Dtype(element)) => (*element, arguments.get(7)),
                _ => return None,
            },
            _ => (heap.storages[storage].element?, arguments.get(6)),
        };
        if metadata.is_some_and(|metadata| heap.entry(*metadata, "neg") == Some(Value::Bool(true)))
        {
            return None;
        }
        let (shape, strides) = (heap.list(shape)?, heap.list(strides)?);
        if shape.len() != strides.len() || shape.len() > MOST_AXES {
            return None;
        }
        let lengths = shape.iter().map(|n| usize::try_from(natural(*n)?).ok());
        Some(TensorOf {
            storage,
            element,
            first: natural(first)?,
            shape: lengths.collect::<Option<_>>()?,
            strides: strides.iter().map(|n| natural(*n)).collect::<Option<_>>()?,
        })
    };
    let tensor = described().ok_or(machine.undescribed("tensor"))?;
    machine.budget.spend(16 * tensor.shape.len() as u64)?;
    machine.budget.spend_values::<TensorOf>(1)?;
    machine.heap.tensors.push(tensor);
    Ok(Value::Tensor(machine.heap.tensors.len() - 1))
}

fn natural(value: Value) -> Option<u64> {
    match value {
        Value::Int(int) => u64::try_from(int).ok(),
        _ => None,
    }
}
