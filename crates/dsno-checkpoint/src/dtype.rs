//! Types of elements and what the formats call them.

use half::{bf16, f16};

/// What the elements of a tensor are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DType {
    /// 64-bit float.
    F64,
    /// 32-bit float.
    F32,
    /// 16-bit float of IEEE 754.
    F16,
    /// The upper half of a 32-bit float.
    Bf16,
    /// 8-bit float with 4 bits of exponent.
    F8E4M3,
    /// 8-bit float with 5 bits of exponent.
    F8E5M2,
    /// Signed, 64 bits.
    I64,
    /// Signed, 32 bits.
    I32,
    /// Signed, 16 bits.
    I16,
    /// Signed, 8 bits.
    I8,
    /// Unsigned, 64 bits.
    U64,
    /// Unsigned, 32 bits.
    U32,
    /// Unsigned, 16 bits.
    U16,
    /// Unsigned, 8 bits.
    U8,
    /// One byte.
    Bool,
    /// Two 32-bit floats.
    Complex64,
    /// Two 64-bit floats.
    Complex128,
}

/// DType, bytes, name in safetensors, in NumPy, of PyTorch's `dtype`, of PyTorch's storage.
type Row = (
    DType,
    u64,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
);

/// An empty name is no name.
const TABLE: [Row; 17] = {
    use DType as E;
    [
        (E::F64, 8, "F64", "float64", "float64", "DoubleStorage"),
        (E::F32, 4, "F32", "float32", "float32", "FloatStorage"),
        (E::F16, 2, "F16", "float16", "float16", "HalfStorage"),
        (
            E::Bf16,
            2,
            "BF16",
            "bfloat16",
            "bfloat16",
            "BFloat16Storage",
        ),
        (
            E::F8E4M3,
            1,
            "F8_E4M3",
            "float8_e4m3fn",
            "float8_e4m3fn",
            "",
        ),
        (E::F8E5M2, 1, "F8_E5M2", "float8_e5m2", "float8_e5m2", ""),
        (E::I64, 8, "I64", "int64", "int64", "LongStorage"),
        (E::I32, 4, "I32", "int32", "int32", "IntStorage"),
        (E::I16, 2, "I16", "int16", "int16", "ShortStorage"),
        (E::I8, 1, "I8", "int8", "int8", "CharStorage"),
        (E::U64, 8, "U64", "uint64", "uint64", ""),
        (E::U32, 4, "U32", "uint32", "uint32", ""),
        (E::U16, 2, "U16", "uint16", "uint16", ""),
        (E::U8, 1, "U8", "uint8", "uint8", "ByteStorage"),
        (E::Bool, 1, "BOOL", "bool", "bool", "BoolStorage"),
        (
            E::Complex64,
            8,
            "C64",
            "complex64",
            "complex64",
            "ComplexFloatStorage",
        ),
        (
            E::Complex128,
            16,
            "",
            "complex128",
            "complex128",
            "ComplexDoubleStorage",
        ),
    ]
};

impl DType {
    /// Bytes of one element.
    pub fn bytes(self) -> u64 {
        TABLE
            .iter()
            .find(|row| row.0 == self)
            .map_or(0, |row| row.1)
    }

    /// Whether it is a real number that can be read as f32.
    pub fn is_real(self) -> bool {
        matches!(self, Self::F64 | Self::F32 | Self::F16 | Self::Bf16)
    }

    pub(super) fn of_safetensors(name: &str) -> Option<Self> {
        find(name, |row| row.2)
    }

    pub(super) fn of_numpy(name: &str) -> Option<Self> {
        find(name, |row| row.3)
    }

    pub(super) fn of_torch_dtype(name: &str) -> Option<Self> {
        find(name, |row| row.4)
    }

    pub(super) fn of_torch_storage(name: &str) -> Option<Self> {
        find(name, |row| row.5)
    }

    /// Appends whole little-endian elements of a real type as f32.
    pub(super) fn decode(self, bytes: &[u8], values: &mut Vec<f32>) {
        match self {
            Self::F64 => extend(bytes, values, |b| f64::from_le_bytes(b) as f32),
            Self::F32 => extend(bytes, values, f32::from_le_bytes),
            Self::F16 => extend(bytes, values, |b| f16::from_le_bytes(b).to_f32()),
            Self::Bf16 => extend(bytes, values, |b| bf16::from_le_bytes(b).to_f32()),
            _ => {}
        }
    }
}

fn find(name: &str, column: impl Fn(&Row) -> &'static str) -> Option<DType> {
    let row = TABLE.iter().find(|row| column(row) == name)?;
    (!name.is_empty()).then_some(row.0)
}

fn extend<const N: usize>(bytes: &[u8], values: &mut Vec<f32>, decode: impl Fn([u8; N]) -> f32) {
    values.extend(bytes.as_chunks::<N>().0.iter().map(|chunk| decode(*chunk)));
}
