//! The stages that look at models: samples, evaluation, report.

use std::path::PathBuf;

use dsno_model::{Student, Teacher};
use dsno_train::{CollectRecipe, Outcome};

use super::Runner;
use crate::evaluation::{self, Candidate, Evaluator, Extractor};
use crate::experiment::{EvaluateSettings, StudentPlan};
use crate::failure::Failure;
use crate::gallery::Gallery;
use crate::json::write_json;
use crate::ledger::Key;
use crate::model;
use crate::progress::Meter;
use crate::report;
use dsno_model::{Solve, StudentSampler, TeacherSampler};

impl Runner<'_> {
    /// What students are compared with: the solve named by `evaluate.endpoint`, or the one that
    /// trajectories are collected with, or else the one with the most steps evaluated.
    fn endpoint(&self) -> Result<Solve, Failure> {
        let experiment = &self.resolved.experiment;
        let settings = experiment.evaluate.as_ref();
        let named = settings.and_then(|settings| settings.endpoint);
        let collected = || experiment.collect.as_ref().map(CollectRecipe::solve);
        let longest = || {
            settings?
                .solves()
                .into_iter()
                .max_by_key(|solve| solve.steps)
        };
        named.or_else(collected).or_else(longest).ok_or_else(|| {
            Failure::usage("`sample` without `collect` needs evaluate.endpoint or evaluate.teacher")
        })
    }

    fn students(&self) -> Result<Vec<Student>, Failure> {
        let load = |student: &StudentPlan| {
            let folder = self.folder.join(model::student_folder(&student.stage()));
            model::load_student(&folder, &self.device)
        };
        self.resolved.students.iter().map(load).collect()
    }

    pub(super) fn sample(&self, meter: &mut Meter) -> Result<Outcome, Failure> {
        let experiment = &self.resolved.experiment;
        let Some(settings) = &experiment.sample else {
            return Ok(Outcome::Finished);
        };
        let teacher = self.load_teacher()?;
        let students = self.students()?;
        let samplers: Vec<StudentSampler<'_>> = self
            .resolved
            .students
            .iter()
            .zip(&students)
            .map(|(plan, student)| StudentSampler::new(&plan.name, student))
            .collect();
        let images = experiment
            .evaluate
            .as_ref()
            .map(|_| self.images())
            .transpose()?;
        let gallery = Gallery {
            settings,
            seed: experiment.seed,
            teacher: &TeacherSampler::new(&teacher, self.endpoint()?)?,
            students: &samplers,
            shape: teacher.image_shape(),
            classes: teacher.classes(),
            images: images.as_ref(),
            device: &self.device,
            workers: self.session.device.workers(),
            folder: &self.folder,
        };
        Ok(outcome(gallery.make(meter)?))
    }

    pub(super) fn evaluate(&self, meter: &mut Meter) -> Result<Outcome, Failure> {
        let experiment = &self.resolved.experiment;
        let (Some(settings), Some(features)) = (&experiment.evaluate, &self.plan.features) else {
            return Ok(Outcome::Finished);
        };
        let teacher = self.load_teacher()?;
        let students = self.students()?;
        let images = self.images()?;
        let extractor = Extractor::open(&settings.features, &self.session.home, &self.device)?;
        extractor.check(&images)?;
        let mut candidates = Vec::new();
        for solve in settings.solves() {
            candidates.push(self.candidate(&teacher, solve)?);
        }
        candidates.sort_by_key(|candidate| candidate.sampler.nfe());
        let is_paired = settings.endpoint.is_some() || experiment.collect.is_some();
        let endpoint = is_paired.then(|| self.candidate(&teacher, self.endpoint()?));
        let endpoint = endpoint.transpose()?;
        let trained = self
            .resolved
            .students
            .iter()
            .zip(&students)
            .zip(&self.plan.students);
        candidates.extend(trained.map(|((plan, student), key)| Candidate {
            sampler: Box::new(StudentSampler::new(&plan.name, student)),
            key: key.clone(),
        }));
        let evaluator = Evaluator {
            settings,
            candidates,
            endpoint,
            images: &images,
            images_key: &self.plan.data,
            classes: teacher.classes(),
            extractor: &extractor,
            device: &self.device,
            workers: self.session.device.workers(),
            folder: &self.folder,
            ledger: &self.ledger,
            common: self.common(settings, features),
        };
        let Some(evaluation) = evaluator.run(meter)? else {
            return Ok(Outcome::Stopped);
        };
        write_json(&self.folder.join(evaluation::FILE), &evaluation)?;
        Ok(Outcome::Finished)
    }

    /// What every unit of the evaluation depends on, whatever it measures.
    fn common(&self, settings: &EvaluateSettings, features: &Key) -> Key {
        let sizes = (
            settings.paired,
            settings.batch_size,
            settings.latency_repeats,
        );
        Key::of(
            "unit",
            &(sizes, self.session.device.to_string()),
            &[features],
        )
    }

    fn candidate<'a>(&self, teacher: &'a Teacher, solve: Solve) -> Result<Candidate<'a>, Failure> {
        let key = Key::of("teacher-sampler", &solve, &[&self.plan.teacher]);
        Ok(Candidate {
            sampler: Box::new(TeacherSampler::new(teacher, solve)?),
            key,
        })
    }

    pub(super) fn report(&self, _meter: &mut Meter) -> Result<Outcome, Failure> {
        let students: Vec<(String, PathBuf)> = self
            .resolved
            .students
            .iter()
            .map(|student| (student.name.clone(), self.folder.join(student.stage())))
            .collect();
        let teacher = self.folder.join("teacher");
        let source = report::Source {
            resolved: self.resolved,
            folder: &self.folder,
            device: &self.session.device.to_string(),
            stages: &self.stages,
            provenance: &self.provenance,
            curves: std::iter::once(("teacher".to_owned(), teacher))
                .chain(students)
                .collect(),
        };
        source.write()?;
        Ok(Outcome::Finished)
    }
}

/// Finished, or stopped at the user's request.
fn outcome(finished: bool) -> Outcome {
    if finished {
        Outcome::Finished
    } else {
        Outcome::Stopped
    }
}
