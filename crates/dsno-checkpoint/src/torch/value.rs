//! The values that a pickle describes, as data.

use crate::dtype::DType;
use crate::parse_error::ParseError;
use crate::storage::Storage;

/// A value; containers are places in the [`Heap`], so that values can share and contain each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value {
    /// Nothing, a real number, bytes: whatever no tensor depends on.
    Other,
    Int(i64),
    Bool(bool),
    /// The number that a stream of pickles begins with.
    Magic,
    Text(usize),
    Global(Global),
    Tuple(usize),
    List(usize),
    Object(usize),
    Storage(usize),
    Tensor(usize),
}

/// A class or function, by name; only these few mean something here.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Global {
    Unknown,
    OrderedDict,
    Size,
    Dtype(DType),
    TypedStorage(DType),
    UntypedStorage,
    RebuildTensor,
    RebuildTensorWithDtype,
    RebuildParameter,
    RebuildFromType,
}

impl Global {
    pub(super) fn named(module: &str, name: &str) -> Self {
        match (module, name) {
            ("collections", "OrderedDict") => Self::OrderedDict,
            ("torch", "Size") => Self::Size,
            ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Self::RebuildTensor,
            ("torch._utils", "_rebuild_tensor_v3") => Self::RebuildTensorWithDtype,
            ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => {
                Self::RebuildParameter
            }
            ("torch._tensor", "_rebuild_from_type_v2") => Self::RebuildFromType,
            ("torch.storage" | "torch", "UntypedStorage") => Self::UntypedStorage,
            ("torch" | "torch.cuda" | "torch.storage", name) => {
                let storage = DType::of_torch_storage(name).map(Self::TypedStorage);
                let dtype = DType::of_torch_dtype(name).map(Self::Dtype);
                storage.or(dtype).unwrap_or(Self::Unknown)
            }
            _ => Self::Unknown,
        }
    }
}

/// A dictionary or an instance of a class: what it was made with and what it holds.
#[derive(Debug, Default)]
pub(super) struct Object {
    /// Of a dictionary, key and value.
    pub(super) entries: Vec<(Value, Value)>,
    /// What was appended to an instance.
    pub(super) items: Vec<Value>,
    /// Arguments it was made with.
    pub(super) arguments: Option<Value>,
    /// Attributes.
    pub(super) state: Option<Value>,
}

/// A storage as the pickle describes it.
#[derive(Debug)]
pub(super) struct StorageOf {
    pub(super) key: String,
    /// `None` of a storage that counts bytes.
    pub(super) element: Option<DType>,
    pub(super) elements: u64,
    /// First element and number of elements of the part that is meant (streams of old).
    pub(super) view: Option<(u64, u64)>,
}

impl StorageOf {
    /// The part of the bytes that is meant.
    pub(super) fn narrow(
        &self,
        bytes: Storage,
        first: u64,
        elements: u64,
    ) -> Result<Storage, ParseError> {
        let each = self.element.map_or(1, DType::bytes);
        let scaled = |count: u64| count.checked_mul(each);
        let part = scaled(first).zip(scaled(elements));
        let inside = part.filter(|(skip, some)| match bytes {
            Storage::Plain { length, .. } => skip.checked_add(*some).is_some_and(|e| e <= length),
            _ => false,
        });
        match (bytes, inside) {
            (Storage::Plain { at, .. }, Some((skip, length))) => Ok(Storage::Plain {
                at: at + skip,
                length,
                checksum: None,
            }),
            _ => Err(ParseError::NoStorage {
                key: self.key.clone(),
            }),
        }
    }
}

/// A tensor as the pickle describes it.
#[derive(Debug)]
pub(super) struct TensorOf {
    pub(super) storage: usize,
    pub(super) element: DType,
    pub(super) first: u64,
    pub(super) shape: Vec<usize>,
    pub(super) strides: Vec<u64>,
}

/// All containers of a pickle, by kind.
#[derive(Debug, Default)]
pub(super) struct Heap {
    pub(super) texts: Vec<String>,
    pub(super) lists: Vec<Vec<Value>>,
    pub(super) objects: Vec<Object>,
    pub(super) storages: Vec<StorageOf>,
    pub(super) tensors: Vec<TensorOf>,
}

impl Heap {
    pub(super) fn text(&self, value: Value) -> Option<&str> {
        match value {
            Value::Text(place) => Some(&self.texts[place]),
            _ => None,
        }
    }

    /// What a dictionary has for a key.
    pub(super) fn entry(&self, value: Value, key: &str) -> Option<Value> {
        let Value::Object(place) = value else {
            return None;
        };
        let mut entries = self.objects[place].entries.iter();
        let entry = entries.find(|(found, _)| self.text(*found) == Some(key));
        entry.map(|(_, value)| *value)
    }

    /// The values of a list or tuple.
    pub(super) fn list(&self, value: Value) -> Option<&[Value]> {
        match value {
            Value::Tuple(place) | Value::List(place) => Some(&self.lists[place]),
            _ => None,
        }
    }
}
