//! The stages of an experiment, a file each.
//!
//! A file says all that there is to say of its stage: what its outputs are a function of, what it
//! needs, how it is known to be done, what it does and what it shows. [`Setup::stages`] lists them; the
//! runner knows only the trait. A new stage is a new file and a line in that list, and a section of the
//! experiment if it has settings.

mod collect;
pub(crate) mod distill;
mod evaluate;
pub(crate) mod report;
mod sample;
pub(crate) mod teacher;

use std::path::PathBuf;
use std::rc::Rc;

use burn::tensor::Device;
use dsno_model::{Solve, Student};
use dsno_train::Outcome;

use self::collect::CollectStage;
use self::distill::DistillStage;
use self::evaluate::EvaluateStage;
use self::report::ReportStage;
use self::sample::SampleStage;
use self::teacher::TeacherStage;
use crate::data::Data;
use crate::experiment::{Experiment, Resolved};
use crate::failure::Failure;
use crate::folder::RunFolder;
use crate::home::Home;
use crate::key::{Key, Lineage};
use crate::ledger::{Ledger, StageReport};
use crate::preflight::Needs;
use crate::progress::Meter;
use crate::provenance::Provenance;

/// One stage of one experiment.
pub(crate) trait Stage {
    /// What is known of it before it runs.
    fn facts(&self) -> &Facts;

    /// Adds what it needs that is not there; asked of stages that are not done, before any starts.
    ///
    /// # Errors
    ///
    /// A usage failure for settings that turn out not to go together.
    fn needs(&self, ledger: &Ledger, needs: &mut Needs) -> Result<(), Failure>;

    /// Does the work. What an attempt that was stopped has left is continued.
    ///
    /// # Errors
    ///
    /// A failure at run time, with the way out where there is one.
    fn run(&self, run: &Run<'_>, meter: &mut Meter) -> Result<Outcome, Failure>;
}

/// What is known of a stage before it runs.
#[derive(Debug)]
pub(crate) struct Facts {
    /// Its name, which is also that of its stage file.
    pub(crate) name: String,
    /// The digest of all that its outputs are a function of.
    pub(crate) key: Key,
    /// Of a training that could be made longer: what it has in common with shorter ones.
    pub(crate) lineage: Option<Lineage>,
    /// The files and folders that it leaves below the run folder. It is done as long as every file in
    /// them is whole; those that another key left are removed before it starts.
    pub(crate) outputs: Vec<PathBuf>,
    /// Whether its files carry checksums of their own, which the stage compares when it runs.
    pub(crate) checksummed: bool,
    /// Whether its outputs only show what other stages left, so that they are replaced without asking.
    pub(crate) derived: bool,
    /// What its progress is counted in.
    pub(crate) unit: &'static str,
    /// What the report calls the model that it trains, if it does. Its metrics are in a folder of the
    /// stage's name.
    pub(crate) trains: Option<String>,
}

impl Facts {
    /// Of a stage that leaves one folder of its name.
    fn of(name: &str, key: Key, unit: &'static str) -> Self {
        Self {
            name: name.to_owned(),
            key,
            lineage: None,
            outputs: vec![PathBuf::from(name)],
            checksummed: false,
            derived: false,
            unit,
            trains: None,
        }
    }
}

/// The stages of an experiment, in the order in which they run.
pub(crate) type Stages<'a> = Vec<Rc<dyn Stage + 'a>>;

/// What a stage works with.
pub(crate) struct Run<'a> {
    pub(crate) device: &'a Device,
    /// Batches to work on together.
    pub(crate) workers: usize,
    pub(crate) ledger: &'a Ledger,
    /// The stages before this one.
    pub(crate) reports: &'a [StageReport],
    pub(crate) provenance: &'a Provenance,
}

impl Run<'_> {
    fn folder(&self) -> &RunFolder {
        self.ledger.folder()
    }
}

/// What the stages of an experiment are made from.
#[derive(Debug)]
pub(crate) struct Setup<'a> {
    resolved: &'a Resolved,
    experiment: &'a Experiment,
    home: &'a Home,
    device: String,
    data: Data,
}

impl<'a> Setup<'a> {
    /// Finds the data set and digests what is known of its files.
    ///
    /// # Errors
    ///
    /// A usage failure if there is no such data set.
    pub(crate) fn new(
        resolved: &'a Resolved,
        home: &'a Home,
        device: &str,
    ) -> Result<Self, Failure> {
        let experiment = &resolved.experiment;
        let data = Data::find(&experiment.data, home)?;
        Ok(Self {
            resolved,
            experiment,
            home,
            device: device.to_owned(),
            data,
        })
    }

    /// All stages. Files that a key depends on are digested; where they are missing the key says so,
    /// so that a plan can be shown before they are there.
    ///
    /// # Errors
    ///
    /// A usage failure that names the section whose settings cannot work.
    pub(crate) fn stages(&'a self) -> Result<Stages<'a>, Failure> {
        let place = self.resolved.file().display();
        self.list()
            .map_err(|error| Failure::usage(format!("{place}: {error}")))
    }

    fn list(&'a self) -> Result<Stages<'a>, String> {
        let teacher = Rc::new(TeacherStage::new(self)?);
        let collect = CollectStage::new(self, &teacher)?.map(Rc::new);
        let students = DistillStage::all(self, &teacher, collect.as_deref())?;
        let models = Rc::new(Models {
            teacher,
            collect,
            students,
        });
        let mut stages: Stages<'a> = vec![models.teacher.clone()];
        stages.extend(models.collect.iter().map(|stage| stage.clone() as Rc<_>));
        stages.extend(models.students.iter().map(|stage| stage.clone() as Rc<_>));
        stages.extend(SampleStage::new(self, &models)?.map(|stage| Rc::new(stage) as Rc<_>));
        stages.extend(EvaluateStage::new(self, &models)?.map(|stage| Rc::new(stage) as Rc<_>));
        stages.push(Rc::new(ReportStage::new(self, &stages)));
        Ok(stages)
    }

    /// Names of the students, the main one first.
    fn student_names(&self) -> Vec<&str> {
        let students = &self.resolved.students;
        students.iter().map(|s| s.name.as_str()).collect()
    }
}

/// The stages that make models and trajectories, for those that look at what they made.
struct Models<'a> {
    teacher: Rc<TeacherStage<'a>>,
    collect: Option<Rc<CollectStage<'a>>>,
    students: Vec<Rc<DistillStage<'a>>>,
}

impl Models<'_> {
    fn keys(&self) -> Vec<&Key> {
        let collect = self.collect.iter().map(|stage| &stage.facts.key);
        let students = self.students.iter().map(|stage| &stage.facts.key);
        std::iter::once(&self.teacher.facts.key)
            .chain(collect)
            .chain(students)
            .collect()
    }

    /// What students are compared with, unless `named`: the solve that trajectories are collected with.
    fn endpoint(&self, named: Option<Solve>) -> Option<Solve> {
        named.or_else(|| Some(self.collect.as_ref()?.recipe().solve()))
    }

    fn load_students(&self, run: &Run<'_>) -> Result<Vec<Student>, Failure> {
        self.students.iter().map(|stage| stage.load(run)).collect()
    }
}
