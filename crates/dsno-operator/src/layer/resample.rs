//! Changes of resolution, as the kernels call them.

use crate::plan::Resample;

impl From<Resample> for dsno_kernels::Resample {
    fn from(change: Resample) -> Self {
        match change {
            Resample::Keep => Self::Keep,
            Resample::Halve => Self::Halve,
            Resample::Double => Self::Double,
        }
    }
}
