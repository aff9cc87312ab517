//! `dsno evaluate`: compares two sets, whatever form they come in.

mod read;
mod side;

use std::path::Path;

use burn::tensor::Device;
use dsno_eval::metric::{self, Column, FeatureSet, Measure, Metric, PairMetric};
use dsno_eval::{Classifier, Features};
use dsno_model::batches;
use serde_json::{Map, Value, json};

use self::side::{BATCH, Side};
use super::list::print_json;
use crate::args::EvaluateArgs;
use crate::console::say;
use crate::evaluation;
use crate::failure::{Failure, While};
use crate::session::Session;

/// Carries out the verb.
pub(super) fn run(args: &EvaluateArgs) -> Result<(), Failure> {
    let metrics = metrics(&args.metrics)?;
    let session = Session::new(args.device.device.clone());
    let device = session.open_device()?;
    let features = args
        .features
        .as_ref()
        .map(|folder| evaluation::classifier(folder, &device))
        .transpose()?;
    let features = features.as_ref();
    let a = read::open(&args.a, features, &session.home)?;
    let b = read::open(&args.b, features, &session.home)?;
    if !args.json {
        say!("{}: {a}", args.a.display());
        say!("{}: {b}", args.b.display());
    }
    let computed = a.is_images() || b.is_images();
    let space = features.filter(|_| computed).map(Features::space);
    let space = space.unwrap_or("the features given");
    let mut sets: Option<[FeatureSet<'_>; 2]> = None;
    let mut json = Map::new();
    for metric in metrics {
        let mut figure = Map::new();
        let values = match metric.measure() {
            Measure::Sets(measure) => {
                let [a, b] = match &mut sets {
                    Some(sets) => sets,
                    none => none.insert(both(args, &a, &b, features, &device)?),
                };
                figure.insert("space".to_owned(), json!(space));
                figure.insert("samples".to_owned(), json!(count(a)?));
                json.insert("reference_samples".to_owned(), json!(count(b)?));
                measure.compare(a, b).while_doing("comparing")?
            }
            Measure::Pairs(measure) => {
                let (values, samples) = pairs(measure, &a, &b, &device)?;
                figure.insert("samples".to_owned(), json!(samples));
                values
            }
        };
        let is_of_sets = matches!(metric.measure(), Measure::Sets(_));
        for (column, value) in metric.columns().iter().zip(values) {
            figure.insert(column.key.to_string(), json!(value));
            if !args.json {
                let of = if is_of_sets {
                    format!(" in {space}")
                } else {
                    String::new()
                };
                let Column { title, unit, .. } = column;
                say!("{}", format!("{title}{of}: {value:.6} {unit}").trim_end());
            }
        }
        json.insert(metric.name().to_owned(), Value::Object(figure));
    }
    if args.json {
        return print_json(&Value::Object(json));
    }
    Ok(())
}

fn metrics(names: &[String]) -> Result<Vec<&'static dyn Metric>, Failure> {
    let find = |name: &String| {
        metric::by_name(name).ok_or_else(|| {
            let known = metric::ALL.map(Metric::name).join(", ");
            Failure::usage(format!(
                "this version does not compute `{name}`, expected --metrics with some of {known}"
            ))
        })
    };
    names.iter().map(find).collect()
}

/// The features of both sides, which must be of one length.
fn both<'a>(
    args: &EvaluateArgs,
    a: &'a Side,
    b: &'a Side,
    features: Option<&'a Classifier>,
    device: &'a Device,
) -> Result<[FeatureSet<'a>; 2], Failure> {
    let sets = [
        a.feature_set(&args.a, features, device)?,
        b.feature_set(&args.b, features, device)?,
    ];
    let dim = |set: &FeatureSet<'_>, path: &Path| {
        let statistics = set.statistics();
        let statistics = statistics.while_doing(format!("summing up {}", path.display()))?;
        Ok::<_, Failure>(statistics.dim())
    };
    let (left, right) = (dim(&sets[0], &args.a)?, dim(&sets[1], &args.b)?);
    if left != right {
        return Err(Failure::usage(format!(
            "{} has {left} features and {} has {right}, expected the same number",
            args.a.display(),
            args.b.display(),
        )));
    }
    Ok(sets)
}

/// How many samples a set was made of; unknown for statistics that do not say.
fn count(set: &FeatureSet<'_>) -> Result<Option<u64>, Failure> {
    Ok(set.statistics().while_doing("counting")?.count())
}

/// The mean of a metric over images of equal place, and their number.
fn pairs(
    metric: &dyn PairMetric,
    a: &Side,
    b: &Side,
    device: &Device,
) -> Result<(Vec<f64>, usize), Failure> {
    let (Side::Images(a), Side::Images(b)) = (a, b) else {
        return Err(Failure::usage(
            "pairs are compared image by image, expected images",
        ));
    };
    if a.len() != b.len() {
        return Err(Failure::usage(format!(
            "{} images cannot be paired with {}, expected as many",
            a.len(),
            b.len()
        )));
    }
    let mut sums: Vec<f64> = Vec::new();
    for range in batches::ranges(a.len(), BATCH) {
        let count = range.len();
        let values = metric
            .compare(a.batch(range.clone(), device), b.batch(range, device))
            .while_doing("comparing pairs")?;
        let width = values.len() / count;
        sums.resize(width, 0.0);
        for row in values.chunks_exact(width) {
            sums.iter_mut()
                .zip(row)
                .for_each(|(sum, value)| *sum += value);
        }
    }
    let means = sums.into_iter().map(|sum| sum / a.len() as f64);
    Ok((means.collect(), a.len()))
}
