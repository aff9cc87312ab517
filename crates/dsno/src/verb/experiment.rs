//! `dsno experiment`, and `teacher`, `distill` and `report`, which are parts of it.

use std::rc::Rc;
use std::time::Duration;

use serde_json::json;

use super::list::print_json;
use crate::args::RunArgs;
use crate::clock::human;
use crate::console::{note, say};
use crate::evaluation;
use crate::experiment::{Override, Resolved};
use crate::failure::Failure;
use crate::folder::RunFolder;
use crate::ledger::Ledger;
use crate::plan::plan;
use crate::report::plain_table;
use crate::runner::{self, Summary};
use crate::session::Session;
use crate::stage::{Setup, Stage, Stages, report};

/// Runs an experiment, up to the last stage whose name begins with `until` if there is one.
pub(super) fn run(args: &RunArgs, until: Option<&str>) -> Result<(), Failure> {
    let (session, resolved) = load(args)?;
    let setup = Setup::new(&resolved, &session.home, &session.device.to_string())?;
    let mut stages = setup.stages()?;
    let is_last =
        |stage: &Rc<dyn Stage + '_>| until.is_some_and(|n| stage.facts().name.starts_with(n));
    if let Some(last) = stages.iter().rposition(is_last) {
        stages.truncate(last + 1);
    }
    if args.dry_run {
        return dry_run(args, &resolved, &stages, &session);
    }
    let ledger = ledger(args, &resolved, &session);
    let summary = runner::run(&session, &resolved, &stages, &ledger, args.replace)?;
    finish(args, &summary)
}

/// Writes the report of a run again, from what its other stages left.
pub(super) fn report(args: &RunArgs) -> Result<(), Failure> {
    let (session, resolved) = load(args)?;
    let setup = Setup::new(&resolved, &session.home, &session.device.to_string())?;
    let stages = setup.stages()?;
    let ledger = ledger(args, &resolved, &session);
    let open: Vec<String> = plan(&stages, &ledger)
        .into_iter()
        .filter(|step| !step.done && step.stage != report::NAME)
        .map(|step| step.stage)
        .collect();
    if !open.is_empty() {
        return Err(Failure::preflight(format!(
            "{} has no finished {}; run `dsno experiment {}` first",
            ledger.folder().path().display(),
            open.join(", "),
            args.experiment
        )));
    }
    let _ = std::fs::remove_file(ledger.folder().join("report.html"));
    let summary = runner::run(&session, &resolved, &stages, &ledger, false)?;
    finish(args, &summary)
}

fn ledger(args: &RunArgs, resolved: &Resolved, session: &Session) -> Ledger {
    let folder = RunFolder::new(&args.out, &resolved.experiment.name);
    Ledger::new(folder, &session.device.to_string())
}

fn load(args: &RunArgs) -> Result<(Session, Resolved), Failure> {
    let mut session = Session::new(args.device.device.clone());
    let file = session.home.experiment(&args.experiment)?;
    session.home = session.home.beside(&file);
    let mut overrides = args.set.clone();
    if let Some(seed) = args.seed {
        let seed = i64::try_from(seed).map_err(|_too_large| {
            Failure::usage(format!("seed {seed} is larger than {}", i64::MAX))
        })?;
        overrides.push(Override::new("seed", seed));
    }
    let resolved = Resolved::load(&file, overrides).map_err(Failure::usage)?;
    for notice in &resolved.notices {
        note!("{notice}");
    }
    Ok((session, resolved))
}

fn dry_run(
    args: &RunArgs,
    resolved: &Resolved,
    stages: &Stages<'_>,
    session: &Session,
) -> Result<(), Failure> {
    let ledger = ledger(args, resolved, session);
    let steps = plan(stages, &ledger);
    if args.json {
        return print_json(&json!({ "experiment": resolved.tree(), "plan": steps }));
    }
    say!("{}", resolved.text().trim_end());
    say!("\n# Plan, into {}", ledger.folder().path().display());
    for step in steps {
        say!("#   {:<24} {}  {}", step.stage, step.key, step.fate());
    }
    Ok(())
}

fn finish(args: &RunArgs, summary: &Summary) -> Result<(), Failure> {
    let report = summary.run.join("report.html");
    if args.json {
        return print_json(&json!({
            "experiment": summary.experiment,
            "run": summary.run,
            "unchanged": summary.unchanged,
            "stages": summary.stages,
            "report": report.is_file().then_some(&report),
        }));
    }
    if summary.unchanged {
        say!(
            "nothing to do: every stage of `{}` is done; remove {} to start over",
            summary.experiment,
            summary.run.display()
        );
    } else {
        let seconds = summary
            .stages
            .iter()
            .filter(|s| !s.skipped)
            .map(|s| s.seconds)
            .sum();
        say!("done in {}", human(Duration::from_secs_f64(seconds)));
        if let Some(evaluation) = evaluation::read(&summary.run) {
            say!("{}", plain_table(&evaluation).trim_end());
        }
    }
    if report.is_file() {
        say!("report: {}", report.display());
    }
    Ok(())
}
