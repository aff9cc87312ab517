//! The stages that make models and trajectories.

use std::path::PathBuf;

use dsno_data::ImageSet;
use dsno_model::Teacher;
use dsno_train::{
    CollectJob, DistillJob, Observer, Outcome, Progress, TeacherJob, collect, distill,
    train_teacher,
};

use super::Runner;
use crate::experiment::{Load, StudentPlan, TeacherSource, Train};
use crate::failure::{Failure, While};
use crate::model::{self, Description};
use crate::progress::Meter;

/// The trajectory store, below the run folder.
pub(crate) const STORE: &str = "trajectories";

/// What a finished training has in its folder.
pub(crate) const MODEL: &str = "model/model.toml";

/// Passes the progress of a library on to a meter.
pub(crate) struct Watch<'a>(pub(crate) &'a mut Meter);

impl Observer for Watch<'_> {
    fn progress(&mut self, progress: &Progress) {
        let note = progress
            .loss
            .map_or(String::new(), |loss| format!("loss {loss:.4}"));
        self.0.update(progress.images, progress.total_images, &note);
    }

    fn stop_requested(&self) -> bool {
        self.0.stop_requested()
    }
}

impl Runner<'_> {
    /// Files that the teacher stage makes; none if a model is used where it lies.
    pub(super) fn teacher_outputs(&self) -> Vec<PathBuf> {
        match self.resolved.experiment.teacher {
            TeacherSource::Load(_) => Vec::new(),
            TeacherSource::Train(_) | TeacherSource::Import(_) => {
                super::folder_with("teacher", MODEL).to_vec()
            }
        }
    }

    fn teacher_folder(&self) -> PathBuf {
        match &self.resolved.experiment.teacher {
            TeacherSource::Load(Load { path }) => self.session.home.resolve(path),
            TeacherSource::Train(_) | TeacherSource::Import(_) => {
                self.folder.join(model::TEACHER_FOLDER)
            }
        }
    }

    pub(super) fn load_teacher(&self) -> Result<Teacher, Failure> {
        model::load_teacher(&self.teacher_folder(), &self.device)
    }

    pub(super) fn images(&self) -> Result<ImageSet, Failure> {
        let root = self
            .session
            .home
            .resolve(&self.resolved.experiment.data.root);
        self.plan
            .spec
            .open(root)
            .while_doing("opening the data set")
    }

    /// Adds the way out to errors of files that a run made itself.
    fn again(&self, stage: &str, folder: &str) -> String {
        format!(
            "{stage} failed (if a file is damaged, delete {} to make it again)",
            self.folder.join(folder).display()
        )
    }

    pub(super) fn teacher(&self, meter: &mut Meter) -> Result<Outcome, Failure> {
        match &self.resolved.experiment.teacher {
            TeacherSource::Load(_) => {
                self.load_teacher()?;
            }
            TeacherSource::Train(Train {
                architecture,
                schedule,
                recipe,
            }) => {
                let images = self.images()?;
                let folder = self.folder.join("teacher");
                let job = TeacherJob {
                    architecture,
                    schedule: schedule.clone(),
                    recipe,
                    seed: self.resolved.experiment.seed,
                    images: &images,
                    flip: self.plan.spec.flip,
                    folder: &folder,
                };
                return train_teacher(&job, &self.device, &mut Watch(meter))
                    .while_doing(self.again("teacher training", "teacher"));
            }
            TeacherSource::Import(import) => {
                let home = &self.session.home;
                let teacher = Description::Teacher(import.describe(home)?);
                import
                    .source(home)
                    .import(&teacher, &self.teacher_folder(), &self.device)?;
            }
        }
        Ok(Outcome::Finished)
    }

    pub(super) fn collect(&self, meter: &mut Meter) -> Result<Outcome, Failure> {
        let Some(recipe) = &self.resolved.experiment.collect else {
            return Ok(Outcome::Finished);
        };
        let teacher = self.load_teacher()?;
        let store = self.folder.join(STORE);
        let seed = self.resolved.experiment.seed;
        let job = CollectJob {
            teacher: &teacher,
            recipe,
            seed,
            store: &store,
            workers: self.session.device.workers(),
        };
        collect(&job, &self.device, &mut Watch(meter)).while_doing(self.again("collection", STORE))
    }

    pub(super) fn distill(
        &self,
        student: &StudentPlan,
        meter: &mut Meter,
    ) -> Result<Outcome, Failure> {
        let hint = format!(
            "distillation failed (if a file is damaged, delete {} or {} to make it again)",
            self.folder.join(STORE).display(),
            self.folder.join(student.stage()).display()
        );
        let store = self.folder.join(STORE);
        let teacher = self.load_teacher()?;
        let stage = student.stage();
        let job = DistillJob {
            teacher: &teacher,
            architecture: student.settings.architecture.as_ref(),
            temporal: student.settings.temporal(),
            recipe: &student.distill.recipe,
            loss: None,
            seed: self.resolved.experiment.seed,
            store: &store,
            folder: &self.folder.join(&stage),
        };
        distill(&job, &self.device, &mut Watch(meter)).while_doing(hint)
    }
}
