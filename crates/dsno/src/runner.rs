//! Runs the stages of an experiment, and skips those that are done.

mod make;
mod show;

pub(crate) use make::Watch;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use burn::tensor::Device;
use dsno_checkpoint::atomic::write_atomic;
use dsno_train::Outcome;
use serde::Serialize;

use crate::clock::human;
use crate::experiment::Resolved;
use crate::failure::{Failure, While};
use crate::folder::RunFolder;
use crate::ledger::{Key, Ledger, StageReport};
use crate::plan::{Plan, Step, name};
use crate::preflight;
use crate::progress::Meter;
use crate::provenance::Provenance;
use crate::session::{Session, stopped};

/// What a run did.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Summary {
    pub(crate) experiment: String,
    pub(crate) run: PathBuf,
    pub(crate) stages: Vec<StageReport>,
    /// True if there was nothing to do.
    pub(crate) unchanged: bool,
}

/// One run of one experiment.
pub(crate) struct Runner<'a> {
    session: &'a Session,
    resolved: &'a Resolved,
    plan: &'a Plan,
    folder: RunFolder,
    ledger: Ledger,
    device: Device,
    stages: Vec<StageReport>,
    provenance: Provenance,
}

/// Runs an experiment to its end.
///
/// # Errors
///
/// A preflight failure before anything is written; a failure at run time if a stage fails or the
/// user stops it.
pub(crate) fn run(
    session: &Session,
    resolved: &Resolved,
    plan: &Plan,
    out: &Path,
) -> Result<Summary, Failure> {
    let device_name = session.device.to_string();
    let folder = RunFolder::new(out, &resolved.experiment.name);
    let ledger = Ledger::new(folder.path(), &device_name);
    let steps = plan.steps(&ledger);
    if steps.iter().all(|step| step.done) {
        return Ok(unchanged(resolved, &folder, &ledger, &steps));
    }
    preflight::check(resolved, plan, &ledger, &folder, &session.home)?;
    let device = session.open_device()?;
    let _lock = folder.lock()?;
    write_atomic(folder.join("experiment.toml"), resolved.text().as_bytes())
        .while_doing("writing experiment.toml")?;
    let mut provenance = Provenance::begin(resolved, &device_name, &session.home);
    provenance.write(&folder, false)?;
    let mut runner = Runner {
        session,
        resolved,
        plan,
        folder,
        ledger,
        device,
        stages: Vec::new(),
        provenance,
    };
    runner.run_all()?;
    runner.provenance.write(&runner.folder, true)?;
    Ok(Summary {
        experiment: resolved.experiment.name.clone(),
        run: runner.folder.path().to_path_buf(),
        stages: runner.stages,
        unchanged: false,
    })
}

fn unchanged(resolved: &Resolved, folder: &RunFolder, ledger: &Ledger, steps: &[Step]) -> Summary {
    let stage = |step: &Step| StageReport {
        name: step.stage.clone(),
        seconds: ledger.read(&step.stage).map_or(0.0, |file| file.seconds),
        skipped: true,
    };
    Summary {
        experiment: resolved.experiment.name.clone(),
        run: folder.path().to_path_buf(),
        stages: steps.iter().map(stage).collect(),
        unchanged: true,
    }
}

/// A folder that a stage owns, and the file in it without which the stage is not done.
fn folder_with(folder: &str, proof: &str) -> [PathBuf; 2] {
    [PathBuf::from(folder), Path::new(folder).join(proof)]
}

impl Runner<'_> {
    fn run_all(&mut self) -> Result<(), Failure> {
        for (stage, key) in self.plan.stages() {
            match stage.as_str() {
                name::TEACHER => {
                    let outputs = self.teacher_outputs();
                    self.stage(stage, key, &outputs, "images", Self::teacher)?;
                }
                name::COLLECT => {
                    let outputs = folder_with(make::STORE, "zarr.json");
                    self.stage(stage, key, &outputs, "trajectories", Self::collect)?;
                }
                name::SAMPLE => {
                    let outputs = folder_with(crate::gallery::FOLDER, "noise.npy");
                    self.stage(stage, key, &outputs, "images", Self::sample)?;
                }
                name::EVALUATE => {
                    // Its units keep their own keys, so the stage itself clears only their sum.
                    let outputs = [PathBuf::from(crate::evaluation::FILE)];
                    self.stage(stage, key, &outputs, "U-Net passes", Self::evaluate)?;
                }
                name::REPORT => {
                    let names = ["report.json", "report.html", crate::report::TENSORBOARD];
                    let outputs = names.map(PathBuf::from);
                    self.stage(stage, key, &outputs, "pages", Self::report)?;
                }
                _ => {
                    let students = &self.resolved.students;
                    let student = students.iter().find(|student| student.stage() == *stage);
                    let student = student.expect("invariant: every other stage is a student's");
                    let outputs = folder_with(stage, make::MODEL);
                    self.stage(stage, key, &outputs, "trajectories", |runner, meter| {
                        runner.distill(student, meter)
                    })?;
                }
            }
        }
        Ok(())
    }

    /// Runs one stage unless it is done.
    fn stage(
        &mut self,
        stage: &str,
        key: &Key,
        outputs: &[PathBuf],
        unit: &'static str,
        work: impl FnOnce(&Self, &mut Meter) -> Result<Outcome, Failure>,
    ) -> Result<(), Failure> {
        if self.ledger.is_done(stage, key) {
            let seconds = self.ledger.read(stage).map_or(0.0, |file| file.seconds);
            eprintln!("{stage:>18}: done before ({})", key.short());
            self.stages.push(StageReport {
                name: stage.to_owned(),
                seconds,
                skipped: true,
            });
            return Ok(());
        }
        let before = self.ledger.begin(stage, key, outputs)?;
        let resuming = if before > 0.0 { ", continuing" } else { "" };
        eprintln!("{stage:>18}: at work{resuming}");
        let started = Instant::now();
        let mut meter = self.session.meter(stage, unit);
        let outcome = work(self, &mut meter);
        drop(meter);
        let seconds = before + started.elapsed().as_secs_f64();
        match outcome? {
            Outcome::Finished => {
                self.ledger.finish(stage, key, seconds, outputs)?;
                eprintln!(
                    "{stage:>18}: done in {}",
                    human(Duration::from_secs_f64(seconds))
                );
                self.stages.push(StageReport {
                    name: stage.to_owned(),
                    seconds,
                    skipped: false,
                });
                Ok(())
            }
            Outcome::Stopped => {
                self.ledger.pause(stage, key, seconds, outputs)?;
                Err(stopped(stage))
            }
        }
    }
}
