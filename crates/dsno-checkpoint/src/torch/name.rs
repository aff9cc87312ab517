//! Names of the tensors that lie below a value.

use super::value::{Heap, TensorOf, Value};
use crate::budget::Budget;
use crate::parse_error::ParseError;
use crate::stored::LONGEST_NAME;

const DEEPEST: usize = 64;

/// What is done with each tensor and its name.
type Visit<'a> = dyn FnMut(&str, &TensorOf, &mut Budget) -> Result<(), ParseError> + 'a;

/// Visits every tensor below `root`, once for each way to it.
pub(super) fn tensors(
    heap: &Heap,
    root: Value,
    budget: &mut Budget,
    visit: &mut Visit<'_>,
) -> Result<(), ParseError> {
    let mut walk = Walk {
        heap,
        budget,
        visit,
        path: String::new(),
    };
    walk.value(root, 0)
}

struct Walk<'a, 'b> {
    heap: &'a Heap,
    budget: &'a mut Budget,
    visit: &'a mut Visit<'b>,
    path: String,
}

impl Walk<'_, '_> {
    fn value(&mut self, value: Value, depth: usize) -> Result<(), ParseError> {
        if depth > DEEPEST {
            return Err(ParseError::TooDeep { allowed: DEEPEST });
        }
        // Values can be shared, so ways are more than values: each is paid for.
        self.budget.spend(8)?;
        match value {
            Value::Tensor(place) => {
                (self.visit)(&self.path, &self.heap.tensors[place], self.budget)
            }
            Value::Tuple(place) | Value::List(place) => self.items(&self.heap.lists[place], depth),
            Value::Object(place) => {
                let object = &self.heap.objects[place];
                for (key, value) in &object.entries {
                    self.entry(*key, *value, depth)?;
                }
                self.items(&object.items, depth)?;
                for below in [object.arguments, object.state].into_iter().flatten() {
                    // As if they were the object's own entries.
                    self.value(below, depth + 1)?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn items(&mut self, values: &[Value], depth: usize) -> Result<(), ParseError> {
        for (place, value) in values.iter().enumerate().filter(|(_, v)| is_container(**v)) {
            self.below(&place.to_string(), *value, depth)?;
        }
        Ok(())
    }

    fn entry(&mut self, key: Value, value: Value, depth: usize) -> Result<(), ParseError> {
        if !is_container(value) {
            return Ok(());
        }
        match (key, self.heap.text(key)) {
            (_, Some(key)) => self.below(key, value, depth),
            (Value::Int(key), _) => self.below(&key.to_string(), value, depth),
            (Value::Bool(true), _) => self.below("True", value, depth),
            (Value::Bool(false), _) => self.below("False", value, depth),
            // Such a key is no part of a name, which matters only if there is something to name.
            _ => {
                let below = self.path.clone();
                let mut nameless = |_: &str, _: &TensorOf, _: &mut Budget| {
                    Err(ParseError::Nameless {
                        below: below.clone(),
                    })
                };
                let mut walk = Walk {
                    heap: self.heap,
                    budget: self.budget,
                    visit: &mut nameless,
                    path: String::new(),
                };
                walk.value(value, depth + 1)
            }
        }
    }

    fn below(&mut self, key: &str, value: Value, depth: usize) -> Result<(), ParseError> {
        let length = self.path.len();
        if !self.path.is_empty() {
            self.path.push('.');
        }
        self.path.push_str(key);
        if self.path.len() > LONGEST_NAME {
            return Err(ParseError::NameTooLong {
                allowed: LONGEST_NAME,
            });
        }
        self.value(value, depth + 1)?;
        self.path.truncate(length);
        Ok(())
    }
}

/// Whether there can be tensors.
fn is_container(value: Value) -> bool {
    matches!(
        value,
        Value::Tensor(_) | Value::Tuple(_) | Value::List(_) | Value::Object(_)
    )
}
