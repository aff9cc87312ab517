//! A part of a unit, on disk.

use std::path::Path;

use dsno_checkpoint::npy::{Array, Values, read_npz, write_npz};

use crate::failure::{Failure, While};

/// What is stored of the images of one pass.
pub(super) struct Chunk {
    /// `[len, dim]`
    pub(super) features: Vec<f32>,
    pub(super) dim: usize,
    /// Those of the first images that are kept themselves.
    pub(super) images: Vec<f32>,
    /// Errors of those that are compared one by one.
    pub(super) l1: Vec<f64>,
    pub(super) psnr: Vec<f64>,
    /// Time to make all of them.
    pub(super) seconds: f64,
}

impl Chunk {
    pub(super) fn write(self, path: &Path) -> Result<(), Failure> {
        let reals = |values: Vec<f64>| Array {
            shape: vec![values.len()],
            values: Values::F64(values),
        };
        let features = Array {
            shape: vec![self.features.len() / self.dim.max(1), self.dim],
            values: Values::F32(self.features),
        };
        let images = Array {
            shape: vec![self.images.len()],
            values: Values::F32(self.images),
        };
        let (l1, psnr, seconds) = (reals(self.l1), reals(self.psnr), reals(vec![self.seconds]));
        let arrays = [
            ("features", &features),
            ("images", &images),
            ("l1", &l1),
            ("psnr", &psnr),
            ("seconds", &seconds),
        ];
        write_npz(path, &arrays).while_doing("storing a chunk of the evaluation")
    }

    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let arrays = read_npz(path).while_doing("reading a chunk of the evaluation")?;
        let lost = || Failure::run(format!("{} lacks an array", path.display()));
        let find = |name: &str| arrays.get(name).ok_or_else(lost);
        let reals = |name: &str| match &find(name)?.values {
            Values::F64(values) => Ok(values.clone()),
            _ => Err(lost()),
        };
        let singles = |name: &str| match &find(name)?.values {
            Values::F32(values) => Ok(values.clone()),
            _ => Err(lost()),
        };
        let dim = find("features")?.shape.get(1).copied().ok_or_else(lost)?;
        Ok(Self {
            features: singles("features")?,
            dim,
            images: singles("images")?,
            l1: reals("l1")?,
            psnr: reals("psnr")?,
            seconds: reals("seconds")?.first().copied().ok_or_else(lost)?,
        })
    }
}
