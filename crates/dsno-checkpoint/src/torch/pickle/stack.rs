//! Stack, memo and containers of the machine; whatever grows is paid for first.

use std::io::Read;

use super::Machine;
use crate::parse_error::ParseError;
use crate::torch::value::{Object, Value};

/// 0x1950a86a20f9469cfc6c, little-endian: the number that a stream of pickles begins with.
const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

impl<R: Read> Machine<'_, R> {
    pub(super) fn pay_for_height(&mut self) -> Result<(), ParseError> {
        let height = self.stack.len() + self.marks.len();
        if height > self.highest {
            self.highest = height;
            self.budget.spend_values::<Value>(1)?;
        }
        Ok(())
    }

    pub(super) fn push(&mut self, value: Value) -> Result<(), ParseError> {
        self.stack.push(value);
        self.pay_for_height()
    }

    pub(super) fn pop(&mut self, expected: &'static str) -> Result<Value, ParseError> {
        let bottom = self.marks.last().copied().unwrap_or(0);
        let value = (self.stack.len() > bottom).then(|| self.stack.pop());
        value.flatten().ok_or(self.lacks(expected))
    }

    /// Takes the last mark; the height of the stack at it.
    pub(super) fn mark(&mut self) -> Result<usize, ParseError> {
        let mark = self.marks.pop();
        mark.ok_or(self.lacks("a mark"))
    }

    /// Takes the values from the last mark on, paid for as a list.
    pub(super) fn values_to_mark(&mut self) -> Result<Vec<Value>, ParseError> {
        let height = self.mark()?;
        let count = self.stack.len() - height;
        self.budget.spend_values::<Value>(count)?;
        // Not `split_off`, which can hand over the whole capacity.
        Ok(self.stack.drain(height..).collect())
    }

    pub(super) fn long(&mut self, length: u64) -> Result<(), ParseError> {
        let value = if length <= 8 {
            let mut bytes = [0; 8];
            self.input.fill(&mut bytes[..length as usize])?;
            // The sign is that of the last byte.
            let unused = 8 * (8 - length as u32) % 64;
            Value::Int(i64::from_le_bytes(bytes) << unused >> unused)
        } else if length == MAGIC.len() as u64 {
            match self.input.array()? {
                MAGIC => Value::Magic,
                _ => Value::Other,
            }
        } else {
            self.input.skip(length)?;
            Value::Other
        };
        self.push(value)
    }

    pub(super) fn text(&mut self, length: u64) -> Result<(), ParseError> {
        let is_python_2 = matches!(self.code, b'U' | b'T');
        self.budget.spend_values::<String>(1)?;
        let text = match self.input.text(length, self.budget) {
            // Python 2 does not tell bytes from text.
            Err(ParseError::NotText { .. }) if is_python_2 => return self.push(Value::Other),
            text => text?,
        };
        self.heap.texts.push(text);
        self.push(Value::Text(self.heap.texts.len() - 1))
    }

    pub(super) fn bytes(&mut self, length: u64) -> Result<(), ParseError> {
        self.input.skip(length)?;
        self.push(Value::Other)
    }

    pub(super) fn push_list(&mut self, values: Vec<Value>) -> Result<(), ParseError> {
        self.budget.spend_values::<Vec<Value>>(1)?;
        self.heap.lists.push(values);
        self.push(Value::List(self.heap.lists.len() - 1))
    }

    pub(super) fn push_tuple(&mut self, values: Vec<Value>) -> Result<(), ParseError> {
        self.budget.spend_values::<Vec<Value>>(1)?;
        self.heap.lists.push(values);
        self.push(Value::Tuple(self.heap.lists.len() - 1))
    }

    /// Makes a tuple of the last values.
    pub(super) fn tuple(&mut self, count: usize) -> Result<(), ParseError> {
        let bottom = self.marks.last().copied().unwrap_or(0);
        let height = self.stack.len().checked_sub(count);
        let height = height.filter(|height| *height >= bottom);
        let height = height.ok_or(self.lacks("enough values"))?;
        self.budget.spend_values::<Value>(count)?;
        let values = self.stack.drain(height..).collect();
        self.push_tuple(values)
    }

    pub(super) fn push_object(&mut self, object: Object) -> Result<(), ParseError> {
        let object = self.object(object)?;
        self.push(object)
    }

    pub(in crate::torch) fn object(&mut self, object: Object) -> Result<Value, ParseError> {
        self.budget.spend_values::<Object>(1)?;
        self.heap.objects.push(object);
        Ok(Value::Object(self.heap.objects.len() - 1))
    }

    pub(super) fn append(&mut self, values: Vec<Value>) -> Result<(), ParseError> {
        self.budget.spend_values::<Value>(values.len())?;
        match self.stack.last() {
            Some(Value::List(place)) => self.heap.lists[*place].extend(values),
            Some(Value::Object(place)) => self.heap.objects[*place].items.extend(values),
            // Of a value that is no container here, whatever it is in Python.
            Some(Value::Other) => {}
            _ => return Err(self.lacks("a list")),
        }
        Ok(())
    }

    pub(super) fn set_items(&mut self, values: &[Value]) -> Result<(), ParseError> {
        self.budget.spend_values::<Value>(values.len())?;
        let (pairs, rest) = values.as_chunks::<2>();
        match self.stack.last() {
            Some(Value::Object(place)) if rest.is_empty() => {
                let pairs = pairs.iter().map(|[key, value]| (*key, *value));
                self.heap.objects[*place].entries.extend(pairs);
                Ok(())
            }
            _ => Err(self.lacks("a dictionary and pairs for it")),
        }
    }

    /// Gives the last value attributes; those of tensors and plain values are nothing to us.
    pub(super) fn set_state(&mut self, state: Value) {
        if let Some(Value::Object(place)) = self.stack.last() {
            self.heap.objects[*place].state = Some(state);
        }
    }

    pub(super) fn put(&mut self, index: u32) -> Result<(), ParseError> {
        let value = self.stack.last().copied();
        let value = value.ok_or(self.lacks("a value"))?;
        if self.memo.insert(index, value).is_none() {
            // A table is at least 7/16 full, and has the old one beside it when it grows.
            self.budget.spend(4 * size_of::<(u32, Value)>() as u64)?;
        }
        Ok(())
    }

    pub(super) fn get(&mut self, index: u32) -> Result<(), ParseError> {
        let at = self.code_at;
        let value = self.memo.get(&index).copied();
        self.push(value.ok_or(ParseError::PickleMemo { at, index })?)
    }
}
