//! `dsno experiment`, and `teacher`, `distill` and `report`, which are parts of it.

use std::rc::Rc;
use std::time::Duration;

use serde_json::json;

use super::list::print_json;
use crate::args::RunArgs;
use crate::clock::human;
use crate::evaluation;
use crate::experiment::{Override, Resolved};
use crate::failure::Failure;
use crate::folder::RunFolder;
use crate::ledger::Ledger;
use crate::report::plain_table;
use crate::runner::{self, Step, Summary};
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
    let summary = runner::run(&session, &resolved, &stages, &args.out)?;
    finish(args, &summary)
}

/// Writes the report of a run again, from what its other stages left.
pub(super) fn report(args: &RunArgs) -> Result<(), Failure> {
    let (session, resolved) = load(args)?;
    let setup = Setup::new(&resolved, &session.home, &session.device.to_string())?;
    let stages = setup.stages()?;
    let ledger = ledger(args, &resolved, &session);
    let open: Vec<String> = runner::plan(&stages, &ledger)
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
    let summary = runner::run(&session, &resolved, &stages, &args.out)?;
    finish(args, &summary)
}

fn ledger(args: &RunArgs, resolved: &Resolved, session: &Session) -> Ledger {
    let folder = RunFolder::new(&args.out, &resolved.experiment.name);
    Ledger::new(folder, &session.device.to_string())
}

fn load(args: &RunArgs) -> Result<(Session, Resolved), Failure> {
    let session = Session::new(args.device.device.clone());
    let file = session.home.experiment(&args.experiment)?;
    let mut overrides = args.set.clone();
    if let Some(seed) = args.seed {
        let seed = i64::try_from(seed).map_err(|_too_large| {
            Failure::usage(format!("seed {seed} is larger than {}", i64::MAX))
        })?;
        overrides.push(Override::new("seed", seed));
    }
    let resolved = Resolved::load(&file, overrides).map_err(Failure::usage)?;
    Ok((session, resolved))
}

fn dry_run(
    args: &RunArgs,
    resolved: &Resolved,
    stages: &Stages<'_>,
    session: &Session,
) -> Result<(), Failure> {
    let ledger = ledger(args, resolved, session);
    let steps = runner::plan(stages, &ledger);
    if args.json {
        return print_json(&json!({ "experiment": resolved.tree(), "plan": steps }));
    }
    println!("{}", resolved.text().trim_end());
    println!("\n# Plan, into {}", ledger.folder().path().display());
    for Step { stage, key, done } in steps {
        println!(
            "#   {stage:<24} {key}  {}",
            if done { "done" } else { "to do" }
        );
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
        println!(
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
        println!("done in {}", human(Duration::from_secs_f64(seconds)));
        if let Some(evaluation) = evaluation::read(&summary.run) {
            print!("{}", plain_table(&evaluation));
        }
    }
    if report.is_file() {
        println!("report: {}", report.display());
    }
    Ok(())
}
