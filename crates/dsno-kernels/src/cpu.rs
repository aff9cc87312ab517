//! The kernels: functions of plain slices, maps channels-last.

pub(crate) mod activation;
pub(crate) mod adam;
pub(crate) mod attention;
pub(crate) mod concat;
pub(crate) mod conv;
pub(crate) mod conv1x1;
pub(crate) mod gemm;
pub(crate) mod norm;
pub(crate) mod resample;
pub(crate) mod scratch;
#[cfg(test)]
mod smallest;
pub(crate) mod temporal;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod threads;
pub(crate) mod transpose;
