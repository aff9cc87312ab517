//! `report.json` and `report.html`: what a run found, in one file for programs and one for people.

mod chart;
mod curve;
mod page;
mod style;
mod tensorboard;

use std::fmt::Write;
use std::path::PathBuf;

use dsno_checkpoint::atomic::write_atomic;
use dsno_eval::evaluation::{Evaluation, Measured};
use dsno_eval::metric::Column;
use serde::Serialize;

use crate::clock;
use crate::evaluation;
use crate::experiment::Resolved;
use crate::failure::{Failure, While};
use crate::folder::RunFolder;
use crate::gallery;
use crate::json::write_json;
use crate::ledger::StageReport;
use crate::provenance::{Provenance, VERSION};

/// Folder of event files, below the run folder.
pub(crate) const TENSORBOARD: &str = "tensorboard";

/// What a report is made of.
pub(crate) struct Source<'a> {
    pub(crate) resolved: &'a Resolved,
    pub(crate) folder: &'a RunFolder,
    pub(crate) device: &'a str,
    pub(crate) stages: &'a [StageReport],
    pub(crate) provenance: &'a Provenance,
    /// Name and folder of everything that was trained; those without metrics are left out.
    pub(crate) curves: Vec<(String, PathBuf)>,
}

/// The report for programs.
#[derive(Debug, Serialize)]
struct Json<'a> {
    experiment: &'a str,
    about: &'a str,
    seed: u64,
    device: &'a str,
    version: &'a str,
    written: String,
    overrides: Vec<String>,
    stages: &'a [StageReport],
    columns: &'a [Column],
    samplers: &'a [Measured],
}

impl Source<'_> {
    /// Writes both files; the one for programs last.
    pub(crate) fn write(&self) -> Result<(), Failure> {
        let experiment = &self.resolved.experiment;
        let evaluation = evaluation::read(self.folder.path());
        let spectra = std::fs::read(self.folder.join(gallery::FOLDER).join("spectrum.json"))
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let curves: Vec<curve::Curve> = self
            .curves
            .iter()
            .filter_map(|(name, folder)| curve::Curve::read(name, folder))
            .collect();
        self.write_events(&curves)?;
        let page = page::Page {
            source: self,
            evaluation: evaluation.as_ref(),
            spectra,
            curves: &curves,
        };
        write_atomic(self.folder.join("report.html"), page.html().as_bytes())
            .while_doing("writing report.html")?;
        let overrides = self.resolved.overrides.iter();
        let json = Json {
            experiment: &experiment.name,
            about: &experiment.about,
            seed: experiment.seed,
            device: self.device,
            version: VERSION,
            written: clock::now(),
            overrides: overrides.map(ToString::to_string).collect(),
            stages: self.stages,
            columns: evaluation.as_ref().map_or(&[], |e| &e.columns),
            samplers: evaluation.as_ref().map_or(&[], |e| &e.samplers),
        };
        write_json(&self.folder.join("report.json"), &json)
    }

    fn write_events(&self, curves: &[curve::Curve]) -> Result<(), Failure> {
        let root = self.folder.join(TENSORBOARD);
        std::fs::create_dir_all(&root).while_doing(format!("cannot create {}", root.display()))?;
        for curve in curves {
            let folder = root.join(&curve.name);
            std::fs::create_dir_all(&folder)
                .while_doing(format!("cannot create {}", folder.display()))?;
            write_atomic(folder.join("events.out.tfevents.0.dsno"), &curve.events())
                .while_doing("writing events for TensorBoard")?;
        }
        Ok(())
    }
}

/// The table of samplers for a terminal.
pub(crate) fn plain_table(evaluation: &Evaluation) -> String {
    let mut text = format!(
        "\n{:<18} {:>5} {:>8} {:>10} {:>11}",
        "sampler", "calls", "passes", "images/s", "latency ms"
    );
    for column in &evaluation.columns {
        let _ = write!(
            text,
            " {:>10}",
            format!("{} {}", column.label, column.unit).trim()
        );
    }
    text.push('\n');
    for sampler in &evaluation.samplers {
        let _ = write!(
            text,
            "{:<18} {:>5} {:>8.2} {:>10.1} {:>11.2}",
            sampler.name,
            sampler.nfe,
            sampler.unet_passes,
            sampler.images_per_second,
            sampler.latency_seconds * 1e3,
        );
        for column in &evaluation.columns {
            let _ = write!(text, " {:>10}", shown(sampler.value(column), column));
        }
        text.push('\n');
    }
    let _ = writeln!(
        text,
        "Distances between sets in: {}; no Fréchet distance in it is FID.\n",
        evaluation.space
    );
    text
}

/// A value with the digits of its column, or a dash.
fn shown(value: Option<f64>, column: &Column) -> String {
    value.map_or_else(
        || "–".to_owned(),
        |value| format!("{value:.*}", column.decimals),
    )
}
