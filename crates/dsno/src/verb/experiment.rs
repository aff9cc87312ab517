//! `dsno experiment`, and `teacher`, `distill` and `report`, which are parts of it.

use std::time::Duration;

use serde_json::json;

use super::list::print_json;
use crate::args::RunArgs;
use crate::clock::human;
use crate::evaluation::Evaluation;
use crate::experiment::{Override, Resolved};
use crate::failure::Failure;
use crate::folder::RunFolder;
use crate::ledger::Ledger;
use crate::plan::{Plan, Step, name};
use crate::report;
use crate::runner::{self, Summary};
use crate::session::Session;

/// Runs an experiment, up to the stage `until` if there is one.
pub(super) fn run(args: &RunArgs, until: Option<&str>) -> Result<(), Failure> {
    let (session, resolved) = load(args)?;
    let plan = Plan::new(&resolved, &session.home, &session.device.to_string())?.until(until);
    if args.dry_run {
        return dry_run(args, &session, &resolved, &plan);
    }
    let summary = runner::run(&session, &resolved, &plan, &args.out)?;
    finish(args, &summary)
}

/// Writes the report of a run again, from what its other stages left.
pub(super) fn report(args: &RunArgs) -> Result<(), Failure> {
    let (session, resolved) = load(args)?;
    let plan = Plan::new(&resolved, &session.home, &session.device.to_string())?;
    let folder = RunFolder::new(&args.out, &resolved.experiment.name);
    let ledger = Ledger::new(folder.path(), &session.device.to_string());
    let open: Vec<String> = plan
        .steps(&ledger)
        .into_iter()
        .filter(|step| !step.done && step.stage != name::REPORT)
        .map(|step| step.stage)
        .collect();
    if !open.is_empty() {
        return Err(Failure::preflight(format!(
            "{} has no finished {}; run `dsno experiment {}` first",
            folder.path().display(),
            open.join(", "),
            args.experiment
        )));
    }
    let _ = std::fs::remove_file(folder.join("report.html"));
    let summary = runner::run(&session, &resolved, &plan, &args.out)?;
    finish(args, &summary)
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
    let resolved = Resolved::load(&file, overrides)?;
    Ok((session, resolved))
}

fn dry_run(
    args: &RunArgs,
    session: &Session,
    resolved: &Resolved,
    plan: &Plan,
) -> Result<(), Failure> {
    let folder = RunFolder::new(&args.out, &resolved.experiment.name);
    let ledger = Ledger::new(folder.path(), &session.device.to_string());
    let steps = plan.steps(&ledger);
    if args.json {
        return print_json(&json!({ "experiment": resolved.tree(), "plan": steps }));
    }
    println!("{}", resolved.text().trim_end());
    println!("\n# Plan, into {}", folder.path().display());
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
        if let Some(evaluation) = Evaluation::read(&summary.run) {
            print!("{}", report::plain_table(&evaluation));
        }
    }
    if report.is_file() {
        println!("report: {}", report.display());
    }
    Ok(())
}
