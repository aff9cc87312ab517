//! The `distill` stages: a student learns the trajectories; one stage for each student.

use std::rc::Rc;

use dsno_model::{Student, student_config};
use dsno_operator::{NetworkConfig, OperatorConfig};
use dsno_train::{DistillJob, DistillRecipe, Outcome, distill};
use serde::Serialize;

use super::collect::{CollectStage, STORE};
use super::{Facts, Run, Setup, Stage, TeacherStage};
use crate::experiment::{Distance, DistillSettings, Perceptual, StudentPlan};
use crate::failure::{Failure, While, sentence};
use crate::key::{Key, Lineage, digest};
use crate::ledger::Ledger;
use crate::model;
use crate::preflight::Needs;
use crate::progress::Meter;

/// Name of the main student's stage and of its folder; those of ablations begin with it.
pub(crate) const NAME: &str = "distill";

/// A distance of features is refused, in this one sentence.
const NO_FEATURES: &str = "this version has no VGG-16 features";

/// The stage of one student.
pub(super) struct DistillStage<'a> {
    setup: &'a Setup<'a>,
    teacher: Rc<TeacherStage<'a>>,
    student: &'a StudentPlan,
    /// Times of the trajectories, the noise left out.
    times: usize,
    /// Nothing if this version has no such distance.
    recipe: Option<DistillRecipe>,
    pub(super) facts: Facts,
}

/// What a student learns by, as its key holds it.
#[derive(Serialize)]
struct Learning<'a> {
    recipe: &'a DistillSettings,
    /// Digest of the network whose features a perceptual distance compares.
    perceptual: Option<String>,
}

impl<'a> DistillStage<'a> {
    /// The stages of all students.
    pub(super) fn all(
        setup: &'a Setup<'a>,
        teacher: &Rc<TeacherStage<'a>>,
        collect: Option<&CollectStage<'a>>,
    ) -> Result<Vec<Rc<Self>>, String> {
        let Some(collect) = collect else {
            return Ok(Vec::new());
        };
        let students = setup.resolved.students.iter();
        let stage = |student: &'a StudentPlan| {
            let made = Self::new(setup, teacher, collect, student);
            made.map(Rc::new).map_err(|error| {
                if student.is_main() {
                    error
                } else {
                    format!("ablation `{}`: {error}", student.name)
                }
            })
        };
        students.map(stage).collect()
    }

    fn new(
        setup: &'a Setup<'a>,
        teacher: &Rc<TeacherStage<'a>>,
        collect: &CollectStage<'a>,
        student: &'a StudentPlan,
    ) -> Result<Self, String> {
        let recipe = student.distill.recipe();
        if let Some(recipe) = &recipe {
            let valid = recipe.validate();
            valid.map_err(|error| format!("distill: {}", sentence(&error)))?;
        }
        let perceptual = match &student.distill.distance {
            Distance::Pixels(_) => None,
            Distance::Perceptual(Perceptual::Vgg16Features { weights }) => {
                Some(digest(&setup.home.resolve(weights)))
            }
        };
        let learning = Learning {
            recipe: &student.distill,
            perceptual,
        };
        let inputs = (&student.settings, &learning, setup.experiment.seed);
        let name = if student.is_main() {
            NAME.to_owned()
        } else {
            format!("{NAME}-{}", student.name)
        };
        let read = [&teacher.facts.key, &collect.facts.key];
        let training = recipe.as_ref().map(|recipe| &recipe.training);
        let extendable = training.filter(|t| !t.learning_rate.depends_on_length());
        let key = Key::of("distill", &inputs, &read);
        let stage = Self {
            setup,
            teacher: teacher.clone(),
            student,
            times: collect.recipe().record.len() - 1,
            facts: Facts {
                lineage: extendable.map(|t| Lineage::of("distill", &inputs, &read, t.total_images)),
                trains: Some(student.name.clone()),
                ..Facts::of(&name, key, "trajectories")
            },
            recipe,
        };
        if let Some(network) = teacher.described() {
            stage.network(&network)?;
        }
        Ok(stage)
    }

    /// The student's network, for this teacher.
    fn network(&self, teacher: &NetworkConfig) -> Result<OperatorConfig, String> {
        let settings = &self.student.settings;
        let architecture = settings.architecture.as_ref();
        let times = Some(self.times);
        let network = student_config(teacher, architecture, settings.temporal(), times);
        network.map_err(|error| format!("student: {}", sentence(&error)))
    }

    /// Name of its sampler.
    pub(super) fn student(&self) -> &str {
        &self.student.name
    }

    /// Loads what the stage made.
    pub(super) fn load(&self, run: &Run<'_>) -> Result<Student, Failure> {
        let folder = run.folder().join(&self.facts.name).join("model");
        model::load_student(&folder, run.device)
    }
}

impl Stage for DistillStage<'_> {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn needs(&self, ledger: &Ledger, needs: &mut Needs) -> Result<(), Failure> {
        if self.recipe.is_none() {
            let remedy = "train with `--set distill.distance=l1`, the paper's other choice";
            needs.unmet("perceptual loss", NO_FEATURES, remedy);
        }
        if let Some(teacher) = self.teacher.network(ledger) {
            let network = self.network(&teacher).map_err(Failure::usage)?;
            let parameters = network.parameter_count().unwrap_or_default();
            needs.training(parameters, ledger.bytes_of(&self.facts));
        }
        Ok(())
    }

    fn run(&self, run: &Run<'_>, meter: &mut Meter) -> Result<Outcome, Failure> {
        let Some(recipe) = &self.recipe else {
            return Err(Failure::preflight(NO_FEATURES));
        };
        let teacher = self.teacher.load(run)?;
        let store = run.folder().join(STORE);
        let folder = run.folder().join(&self.facts.name);
        let job = DistillJob {
            teacher: &teacher,
            architecture: self.student.settings.architecture.as_ref(),
            temporal: self.student.settings.temporal(),
            recipe,
            loss: None,
            seed: self.setup.experiment.seed,
            store: &store,
            folder: &folder,
        };
        distill(&job, run.device, meter).while_doing("distillation failed")
    }
}
