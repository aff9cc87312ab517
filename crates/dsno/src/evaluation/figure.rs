//! The figures of an evaluation, and how they are made from units.

use std::fs;
use std::path::Path;

use dsno_eval::{FeatureStatistics, frechet_distance};
use serde::{Deserialize, Serialize};

use super::unit::Unit;
use crate::failure::{Failure, While};

/// Where the evaluation is stored, below the run folder.
pub(crate) const FILE: &str = "evaluate/evaluation.json";

/// All figures of one evaluation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Evaluation {
    /// What distances were measured in.
    pub(crate) space: String,
    pub(crate) samplers: Vec<Measured>,
}

impl Evaluation {
    /// Reads the evaluation of a run, if it has one.
    pub(crate) fn read(run: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(run.join(FILE)).ok()?).ok()
    }
}

/// The figures of one sampler.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Measured {
    pub(crate) name: String,
    /// Model evaluations per image.
    pub(crate) nfe: usize,
    /// Their cost in passes of the teacher's U-Net, by multiply-adds.
    pub(crate) unet_passes: f64,
    pub(crate) images_per_second: f64,
    /// Median time of one image at batch 1.
    pub(crate) latency_seconds: f64,
    pub(crate) frechet: FrechetFigure,
    pub(crate) paired: Option<PairedFigure>,
}

/// A Fréchet distance; the mean over seeds, and each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct FrechetFigure {
    pub(crate) space: String,
    pub(crate) value: f64,
    /// Samples per seed.
    pub(crate) samples: u64,
    /// Real images per seed that the samples were compared with.
    pub(crate) reference_samples: u64,
    pub(crate) seeds: Vec<SeedValue>,
}

/// The distance under one seed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct SeedValue {
    pub(crate) seed: u64,
    pub(crate) value: f64,
}

/// Error against the teacher's endpoint from the same held-out noise.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct PairedFigure {
    /// Mean absolute difference, pixel units of `[-1, 1]`.
    pub(crate) l1: f64,
    /// Mean over images of the peak signal-to-noise ratio, in decibels.
    pub(crate) psnr: f64,
    /// Pairs, all seeds together.
    pub(crate) samples: usize,
}

/// The distance of each seed's samples to that seed's reference.
pub(super) fn frechet(
    space: &str,
    seeds: &[u64],
    units: &[Unit],
    references: &[FeatureStatistics],
) -> Result<FrechetFigure, Failure> {
    let mut values = Vec::new();
    let (mut samples, mut reference_samples) = (0, 0);
    for ((unit, reference), &seed) in units.iter().zip(references).zip(seeds) {
        let moments = unit.moments()?;
        samples = moments.count().unwrap_or_default();
        reference_samples = reference.count().unwrap_or_default();
        let value = frechet_distance(&moments, reference)
            .while_doing(format!("measuring {} under seed {seed}", unit.name()))?;
        values.push(SeedValue { seed, value });
    }
    let value = values.iter().map(|v| v.value).sum::<f64>() / values.len().max(1) as f64;
    let space = space.to_owned();
    Ok(FrechetFigure {
        space,
        value,
        samples,
        reference_samples,
        seeds: values,
    })
}

/// The mean paired errors over all seeds, if there are pairs.
pub(super) fn paired(units: &[Unit]) -> Result<Option<PairedFigure>, Failure> {
    let (mut l1, mut psnr) = (Vec::new(), Vec::new());
    for unit in units {
        let (more_l1, more_psnr) = unit.paired()?;
        l1.extend(more_l1);
        psnr.extend(more_psnr);
    }
    let samples = l1.len();
    let mean = |values: &[f64]| values.iter().sum::<f64>() / samples as f64;
    Ok((samples > 0).then(|| PairedFigure {
        l1: mean(&l1),
        psnr: mean(&psnr),
        samples,
    }))
}

/// The middle value; the upper one of two.
pub(super) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
