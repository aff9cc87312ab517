//! A machine for pickles that builds data and calls nothing.
//!
//! It knows the instructions that protocols 2 to 5 use for plain values, and how PyTorch describes
//! storages and tensors (the file beside this one, `rebuild.rs`). A call of anything else gives an
//! object that keeps its arguments; nothing is looked up, imported or run. Values are shared as
//! the pickle shares them, so memory grows with the pickle and never with what it refers to.

mod stack;

use std::collections::HashMap;
use std::io::Read;

use super::rebuild;
use super::value::{Global, Heap, Object, Value};
use crate::budget::Budget;
use crate::input::Input;
use crate::parse_error::ParseError;

/// Of a class or module.
const LONGEST_GLOBAL: usize = 1024;

/// Reads one pickle; its containers are added to `heap`.
pub(super) fn read<R: Read>(
    input: &mut Input<R>,
    heap: &mut Heap,
    budget: &mut Budget,
) -> Result<Value, ParseError> {
    let mut machine = Machine {
        input,
        heap,
        budget,
        stack: Vec::new(),
        marks: Vec::new(),
        highest: 0,
        memo: HashMap::new(),
        code: 0,
        code_at: 0,
    };
    loop {
        if let Some(value) = machine.step()? {
            return Ok(value);
        }
    }
}

pub(super) struct Machine<'a, R> {
    input: &'a mut Input<R>,
    pub(super) heap: &'a mut Heap,
    pub(super) budget: &'a mut Budget,
    stack: Vec<Value>,
    /// Heights of the stack at marks.
    marks: Vec<usize>,
    /// Largest height of stack and marks that was paid for.
    highest: usize,
    memo: HashMap<u32, Value>,
    /// The instruction that is carried out, and where it is.
    code: u8,
    code_at: u64,
}

impl<R: Read> Machine<'_, R> {
    /// Carries out one instruction; the last gives the value.
    fn step(&mut self) -> Result<Option<Value>, ParseError> {
        self.code_at = self.input.at();
        self.code = self.input.byte()?;
        match self.code {
            b'.' => return self.pop("a value").map(Some),
            // Protocol, frame: nothing to do.
            0x80 => self.input.skip(1)?,
            0x95 => self.input.skip(8)?,

            b'N' => self.push(Value::Other)?,
            0x88 => self.push(Value::Bool(true))?,
            0x89 => self.push(Value::Bool(false))?,
            b'K' => {
                let int = self.input.byte()?;
                self.push(Value::Int(int.into()))?;
            }
            b'M' => {
                let int = u16::from_le_bytes(self.input.array()?);
                self.push(Value::Int(int.into()))?;
            }
            b'J' => {
                let int = i32::from_le_bytes(self.input.array()?);
                self.push(Value::Int(int.into()))?;
            }
            0x8a => {
                let length = self.input.byte()?;
                self.long(length.into())?;
            }
            0x8b => {
                let length = u32::from_le_bytes(self.input.array()?);
                self.long(length.into())?;
            }
            b'G' => {
                self.input.skip(8)?;
                self.push(Value::Other)?;
            }

            // Text, of Python 2 also as bytes.
            0x8c | b'U' => {
                let length = self.input.byte()?;
                self.text(length.into())?;
            }
            b'X' | b'T' => {
                let length = u32::from_le_bytes(self.input.array()?);
                self.text(length.into())?;
            }
            0x8d => {
                let length = u64::from_le_bytes(self.input.array()?);
                self.text(length)?;
            }
            b'C' => {
                let length = self.input.byte()?;
                self.bytes(length.into())?;
            }
            b'B' => {
                let length = u32::from_le_bytes(self.input.array()?);
                self.bytes(length.into())?;
            }
            0x8e | 0x96 => {
                let length = u64::from_le_bytes(self.input.array()?);
                self.bytes(length)?;
            }

            b'(' => {
                self.marks.push(self.stack.len());
                self.pay_for_height()?;
            }
            b'0' => {
                // Of a mark alone, the mark.
                if self.marks.last() == Some(&self.stack.len()) {
                    self.marks.pop();
                } else {
                    self.pop("a value")?;
                }
            }
            b'1' => {
                let height = self.mark()?;
                self.stack.truncate(height);
            }
            b'2' => {
                let value = self.pop("a value")?;
                self.push(value)?;
                self.push(value)?;
            }

            b')' => self.push_tuple(Vec::new())?,
            0x85 => self.tuple(1)?,
            0x86 => self.tuple(2)?,
            0x87 => self.tuple(3)?,
            b't' => {
                let height = self.mark()?;
                self.tuple(self.stack.len() - height)?;
            }
            b']' | 0x8f => self.push_list(Vec::new())?,
            b'l' | 0x91 => {
                let values = self.values_to_mark()?;
                self.push_list(values)?;
            }
            b'}' => self.push_object(Object::default())?,
            b'd' => {
                let values = self.values_to_mark()?;
                self.push_object(Object::default())?;
                self.set_items(&values)?;
            }
            b'a' => {
                let value = self.pop("a value")?;
                self.append(vec![value])?;
            }
            b'e' | 0x90 => {
                let values = self.values_to_mark()?;
                self.append(values)?;
            }
            b's' => {
                let value = self.pop("a value")?;
                let key = self.pop("a key")?;
                self.set_items(&[key, value])?;
            }
            b'u' => {
                let values = self.values_to_mark()?;
                self.set_items(&values)?;
            }

            b'q' => {
                let index = self.input.byte()?;
                self.put(index.into())?;
            }
            b'r' => {
                let index = u32::from_le_bytes(self.input.array()?);
                self.put(index)?;
            }
            0x94 => self.put(self.memo.len() as u32)?,
            b'h' => {
                let index = self.input.byte()?;
                self.get(index.into())?;
            }
            b'j' => {
                let index = u32::from_le_bytes(self.input.array()?);
                self.get(index)?;
            }

            b'c' => {
                let module = self.input.line(LONGEST_GLOBAL)?;
                let name = self.input.line(LONGEST_GLOBAL)?;
                self.push(Value::Global(Global::named(&module, &name)))?;
            }
            0x93 => {
                let name = self.pop("a name")?;
                let module = self.pop("a module")?;
                let (module, name) = (self.heap.text(module), self.heap.text(name));
                let global = module.zip(name).map(|(m, n)| Global::named(m, n));
                let global = global.ok_or(self.lacks("two texts"))?;
                self.push(Value::Global(global))?;
            }
            b'Q' => {
                let id = self.pop("a value")?;
                let value = rebuild::persistent(self, id)?;
                self.push(value)?;
            }
            b'R' | 0x81 => {
                let arguments = self.pop("arguments")?;
                let callable = self.pop("something to call")?;
                let made = rebuild::call(self, callable, arguments)?;
                self.push(made)?;
            }
            0x92 => {
                let named = self.pop("named arguments")?;
                let arguments = self.pop("arguments")?;
                let callable = self.pop("something to call")?;
                let made = rebuild::call(self, callable, arguments)?;
                self.push(made)?;
                self.set_state(named);
            }
            b'b' => {
                let state = self.pop("attributes")?;
                self.set_state(state);
            }
            code => {
                let at = self.code_at;
                return Err(ParseError::PickleCode { code, at });
            }
        }
        Ok(None)
    }

    /// The error of an instruction that does not find what it works on.
    pub(super) fn lacks(&self, expected: &'static str) -> ParseError {
        ParseError::PickleOperand {
            code: self.code,
            at: self.code_at,
            expected,
        }
    }

    /// The error of a tensor or storage that is described in an unknown way.
    pub(super) fn undescribed(&self, what: &'static str) -> ParseError {
        let at = self.code_at;
        ParseError::Description { what, at }
    }
}
