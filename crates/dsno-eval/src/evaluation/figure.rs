//! The figures of an evaluation, and how they are made from chunks.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use super::{EvaluationError, Evaluator, Unit};
use crate::metric::{self, Column, FeatureSet, Measure, Metric, MetricError};

/// All figures of one evaluation: a table of samplers and columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// The feature space in which sets were compared.
    pub space: String,
    /// The columns that metrics give; a sampler may lack some.
    #[serde(default = "all_columns")]
    pub columns: Vec<Column>,
    /// The samplers in their order, then the row `data`.
    pub samplers: Vec<Measured>,
}

/// The figures of one sampler.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The sampler.
    pub name: String,
    /// Model evaluations per image.
    pub nfe: usize,
    /// Their cost in passes of the teacher's U-Net, by multiply-adds.
    pub unet_passes: f64,
    /// Speed at the evaluation's batch size, from the median chunk.
    pub images_per_second: f64,
    /// Median time of one image at batch size 1.
    pub latency_seconds: f64,
    /// What each metric found, by its name; those of pairs only where there is an endpoint.
    #[serde(flatten, deserialize_with = "figures")]
    pub figures: BTreeMap<String, Figure>,
}

impl Measured {
    /// The value of a column, if this sampler has it.
    pub fn value(&self, column: &Column) -> Option<f64> {
        let figure = self.figures.get(column.metric.as_ref())?;
        figure.values.get(column.key.as_ref()).copied()
    }

    /// The values of a column under each seed.
    pub fn seed_values(&self, column: &Column) -> Vec<f64> {
        let seeds = self.figures.get(column.metric.as_ref());
        let seeds = seeds.into_iter().flat_map(|figure| &figure.seeds);
        let value = |seed: &SeedValues| seed.values.get(column.key.as_ref()).copied();
        seeds.filter_map(value).collect()
    }
}

/// What one metric found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// The feature space, of a comparison of sets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub space: Option<String>,
    /// The values by the keys of their columns: the mean over seeds, or over all pairs.
    #[serde(flatten, deserialize_with = "values")]
    pub values: BTreeMap<String, f64>,
    /// Samples per seed, or pairs of all seeds together.
    pub samples: usize,
    /// Real images per seed that the samples were compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference_samples: Option<usize>,
    /// The values under each seed.
    #[serde(default)]
    pub seeds: Vec<SeedValues>,
}

/// The values of a metric under one seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeedValues {
    /// The seed.
    pub seed: u64,
    /// The values by the keys of their columns.
    #[serde(flatten, deserialize_with = "values")]
    pub values: BTreeMap<String, f64>,
}

/// JSON has no infinity, which is the ratio of equal images; it writes `null` instead.
fn values<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, f64>, D::Error> {
    let values = BTreeMap::<String, Option<f64>>::deserialize(from)?;
    let value = |(key, value): (_, Option<f64>)| (key, value.unwrap_or(f64::INFINITY));
    Ok(values.into_iter().map(value).collect())
}

/// Files of the first version name no columns and write `null` where there are no pairs.
fn all_columns() -> Vec<Column> {
    metric::ALL.iter().flat_map(|m| m.columns()).collect()
}

fn figures<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, Figure>, D::Error> {
    let figures = BTreeMap::<String, Option<Figure>>::deserialize(from)?;
    let present = |(name, figure): (_, Option<Figure>)| Some((name, figure?));
    Ok(figures.into_iter().filter_map(present).collect())
}

impl Evaluator<'_> {
    /// All figures of the samples of one sampler, one unit for each seed.
    pub(super) fn figures(
        &self,
        units: &[Unit],
        references: &[FeatureSet<'_>],
    ) -> Result<BTreeMap<String, Figure>, EvaluationError> {
        let sets: Vec<FeatureSet<'_>> = units.iter().map(Unit::feature_set).collect();
        let mut figures = BTreeMap::new();
        for metric in self.metrics {
            let figure = match metric.measure() {
                Measure::Sets(measure) => {
                    let mut rows = Vec::new();
                    for ((set, reference), unit) in sets.iter().zip(references).zip(units) {
                        let row = measure.compare(set, reference);
                        rows.push(row.map_err(|source| failed(*metric, &unit.name, source))?);
                    }
                    let counts = |set: &FeatureSet<'_>| {
                        let statistics = set.statistics().ok()?;
                        statistics.count().map(|count| count as usize)
                    };
                    Figure {
                        space: Some(self.features.space().to_owned()),
                        values: means(*metric, &rows.iter().map(Vec::as_slice)),
                        samples: sets.last().and_then(counts).unwrap_or_default(),
                        reference_samples: references.last().and_then(counts),
                        seeds: self.seeds(rows.iter().map(|row| named(*metric, row))),
                    }
                }
                Measure::Pairs(_) => {
                    let mut pairs = Vec::new();
                    for unit in units {
                        pairs.push(unit.pairs(metric.name())?);
                    }
                    let width = metric.columns().len();
                    let each = || pairs.iter().flat_map(|values| values.chunks_exact(width));
                    let samples = each().count();
                    if samples == 0 {
                        continue;
                    }
                    let seed = |values: &Vec<f64>| means(*metric, &values.chunks_exact(width));
                    Figure {
                        space: None,
                        values: means(*metric, &each()),
                        samples,
                        reference_samples: None,
                        seeds: self.seeds(pairs.iter().map(seed)),
                    }
                }
            };
            figures.insert(metric.name().to_owned(), figure);
        }
        Ok(figures)
    }

    fn seeds(&self, values: impl Iterator<Item = BTreeMap<String, f64>>) -> Vec<SeedValues> {
        let seeds = self.config.seeds.iter().zip(values);
        seeds
            .map(|(&seed, values)| SeedValues { seed, values })
            .collect()
    }
}

pub(super) fn failed(metric: &dyn Metric, name: &str, source: MetricError) -> EvaluationError {
    EvaluationError::Metric {
        metric: metric.name(),
        name: name.to_owned(),
        source: Box::new(source),
    }
}

/// Values by the keys of their columns.
fn named(metric: &dyn Metric, row: &[f64]) -> BTreeMap<String, f64> {
    let keys = metric.columns().into_iter().map(|c| c.key.into_owned());
    keys.zip(row.iter().copied()).collect()
}

/// The mean of each column.
fn means<'r>(
    metric: &dyn Metric,
    rows: &(impl Iterator<Item = &'r [f64]> + Clone),
) -> BTreeMap<String, f64> {
    let count = rows.clone().count().max(1) as f64;
    let mean = |column| rows.clone().map(|row: &[f64]| row[column]).sum::<f64>() / count;
    let means: Vec<f64> = (0..metric.columns().len()).map(mean).collect();
    named(metric, &means)
}
