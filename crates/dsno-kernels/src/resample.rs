//! Change of a map's size, as operations and kernels share it.

/// Change of a map's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resample {
    /// The size stays.
    Keep,
    /// Each 2×2 pixels become their mean; an odd last row or column is dropped.
    Halve,
    /// Each pixel becomes 2×2 pixels.
    Double,
}
