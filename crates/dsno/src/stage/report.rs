//! The `report` stage: one page for people and one file for programs, of all that was done.

use std::path::PathBuf;

use dsno_train::Outcome;

use super::{Facts, Run, Setup, Stage, Stages};
use crate::failure::Failure;
use crate::key::Key;
use crate::ledger::Ledger;
use crate::preflight::Needs;
use crate::progress::Meter;
use crate::report::{self, Source};

/// Name of the stage.
pub(crate) const NAME: &str = "report";

/// The stage.
pub(super) struct ReportStage<'a> {
    setup: &'a Setup<'a>,
    /// What the stages before trained, and where their metrics are.
    trained: Vec<(String, String)>,
    facts: Facts,
}

impl<'a> ReportStage<'a> {
    /// The report of the stages so far.
    pub(super) fn new(setup: &'a Setup<'a>, stages: &Stages<'a>) -> Self {
        let experiment = &setup.experiment;
        let names = setup.student_names();
        let about = (&experiment.name, &experiment.about, &names);
        let before = || stages.iter().map(|stage| stage.facts());
        let shown: Vec<&Key> = before().map(|facts| &facts.key).collect();
        let trained = before().filter_map(|f| Some((f.trains.clone()?, f.name.clone())));
        let outputs = ["report.json", "report.html", report::TENSORBOARD];
        Self {
            setup,
            trained: trained.collect(),
            facts: Facts {
                outputs: outputs.map(PathBuf::from).to_vec(),
                derived: true,
                ..Facts::of(NAME, Key::of("report", &about, &shown), "pages")
            },
        }
    }
}

impl Stage for ReportStage<'_> {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn needs(&self, _ledger: &Ledger, _needs: &mut Needs) -> Result<(), Failure> {
        Ok(())
    }

    fn run(&self, run: &Run<'_>, _meter: &mut Meter) -> Result<Outcome, Failure> {
        let trained = self.trained.iter();
        let source = Source {
            resolved: self.setup.resolved,
            folder: run.folder(),
            device: &self.setup.device,
            stages: run.reports,
            provenance: run.provenance,
            curves: trained
                .map(|(name, folder)| (name.clone(), run.folder().join(folder)))
                .collect(),
        };
        source.write()?;
        Ok(Outcome::Finished)
    }
}
