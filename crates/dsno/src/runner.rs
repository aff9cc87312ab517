//! Runs the stages of an experiment, and skips those that are done.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use dsno_checkpoint::atomic::write_atomic;
use dsno_train::Outcome;
use serde::Serialize;

use crate::clock::human;
use crate::console::note;
use crate::experiment::Resolved;
use crate::failure::{Failure, While};
use crate::ledger::{Ledger, StageReport, State};
use crate::plan::{plan, refuse_to_delete};
use crate::preflight::Needs;
use crate::provenance::Provenance;
use crate::session::{Session, stopped};
use crate::stage::{Facts, Run, Stage, Stages};

/// What a run did.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Summary {
    pub(crate) experiment: String,
    pub(crate) run: PathBuf,
    pub(crate) stages: Vec<StageReport>,
    /// True if there was nothing to do.
    pub(crate) unchanged: bool,
}

/// Runs the stages of an experiment to their end.
///
/// # Errors
///
/// A usage failure if something would be deleted and `replace` does not say that it may be; a
/// preflight failure before anything is written; a failure at run time if a stage fails or the user
/// stops it.
pub(crate) fn run(
    session: &Session,
    resolved: &Resolved,
    stages: &Stages<'_>,
    ledger: &Ledger,
    replace: bool,
) -> Result<Summary, Failure> {
    let experiment = &resolved.experiment;
    let device_name = session.device.to_string();
    let folder = ledger.folder();
    let summary = |stages, unchanged| Summary {
        experiment: experiment.name.clone(),
        run: folder.path().to_path_buf(),
        stages,
        unchanged,
    };
    let steps = plan(stages, ledger);
    if steps.iter().all(|step| step.done) {
        let reports = steps.iter().map(|step| ledger.skipped(&step.stage));
        return Ok(summary(reports.collect(), true));
    }
    if !replace {
        refuse_to_delete(&steps, folder, resolved)?;
    }
    let mut needs = Needs::default();
    for (stage, _) in stages.iter().zip(&steps).filter(|(_, step)| !step.done) {
        stage.needs(ledger, &mut needs)?;
    }
    needs.check(experiment, folder)?;
    let device = session.open_device()?;
    let _lock = folder.lock()?;
    write_atomic(folder.join("experiment.toml"), resolved.text().as_bytes())
        .while_doing("writing experiment.toml")?;
    let mut provenance = Provenance::begin(resolved, &device_name, &session.home);
    provenance.write(folder, false)?;
    let mut reports = Vec::new();
    for stage in stages {
        let run = Run {
            device: &device,
            workers: session.device.workers(),
            ledger,
            reports: &reports,
            provenance: &provenance,
        };
        let report = run_stage(stage.as_ref(), &run, session)?;
        reports.push(report);
    }
    provenance.write(folder, true)?;
    Ok(summary(reports, false))
}

/// Runs one stage unless it is done.
fn run_stage(stage: &dyn Stage, run: &Run<'_>, session: &Session) -> Result<StageReport, Failure> {
    let facts = stage.facts();
    let Facts {
        name, key, unit, ..
    } = facts;
    let ledger = run.ledger;
    match ledger.state(facts) {
        State::Done => {
            note!("{name:>18}: done before ({})", key.short());
            return Ok(ledger.skipped(name));
        }
        State::Open(Some(flaw)) if !facts.derived => note!("{name:>18}: {flaw}"),
        _ => {}
    }
    let before = ledger.begin(facts)?;
    let resuming = if before > 0.0 { ", continuing" } else { "" };
    note!("{name:>18}: at work{resuming}");
    let started = Instant::now();
    let mut meter = session.meter(name, unit);
    let outcome = stage.run(run, &mut meter);
    drop(meter);
    let seconds = before + started.elapsed().as_secs_f64();
    match outcome? {
        Outcome::Finished => {
            ledger.finish(facts, seconds)?;
            let time = human(Duration::from_secs_f64(seconds));
            note!("{name:>18}: done in {time}");
            Ok(StageReport {
                name: name.clone(),
                seconds,
                skipped: false,
            })
        }
        Outcome::Stopped => {
            ledger.pause(facts, seconds)?;
            Err(stopped(name))
        }
    }
}
