//! The `sample` stage: what teacher and students make of the same held-out noise.

use std::path::PathBuf;
use std::rc::Rc;

use dsno_model::{Solve, StudentSampler, TeacherSampler};
use dsno_train::Outcome;

use super::{Facts, Models, Run, Setup, Stage};
use crate::experiment::SampleSettings;
use crate::failure::Failure;
use crate::gallery::{self, Gallery};
use crate::key::Key;
use crate::ledger::Ledger;
use crate::preflight::Needs;
use crate::progress::Meter;

/// The stage.
pub(super) struct SampleStage<'a> {
    setup: &'a Setup<'a>,
    models: Rc<Models<'a>>,
    settings: &'a SampleSettings,
    solve: Solve,
    facts: Facts,
}

impl<'a> SampleStage<'a> {
    pub(super) fn new(
        setup: &'a Setup<'a>,
        models: &Rc<Models<'a>>,
    ) -> Result<Option<Self>, String> {
        let experiment = &setup.experiment;
        let Some(settings) = &experiment.sample else {
            return Ok(None);
        };
        settings.validate()?;
        let evaluate = experiment.evaluate.as_ref();
        // Without trajectories, the best that is evaluated: the solve with the most steps.
        let longest = || evaluate?.solves().into_iter().max_by_key(|s| s.steps);
        let endpoint = models.endpoint(evaluate.and_then(|settings| settings.endpoint));
        let solve = endpoint.or_else(longest).ok_or(
            "section `sample` without `collect` needs evaluate.endpoint or evaluate.teacher",
        )?;
        let measured = evaluate.map(|e| (&e.teacher, &e.endpoint));
        let names = setup.student_names();
        let inputs = (settings, experiment.seed, measured, &names);
        Ok(Some(Self {
            setup,
            models: models.clone(),
            settings,
            solve,
            facts: Facts {
                outputs: vec![PathBuf::from(gallery::FOLDER)],
                ..Facts::of(
                    "sample",
                    Key::of("sample", &inputs, &models.keys()),
                    "images",
                )
            },
        }))
    }

    /// Whether real images are shown too: where they are needed anyway.
    fn shows_data(&self) -> bool {
        self.setup.experiment.evaluate.is_some()
    }
}

impl Stage for SampleStage<'_> {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn needs(&self, ledger: &Ledger, needs: &mut Needs) -> Result<(), Failure> {
        if self.shows_data() {
            self.setup.data.needs(needs);
        }
        self.models.teacher.fits_data(ledger)
    }

    fn run(&self, run: &Run<'_>, meter: &mut Meter) -> Result<Outcome, Failure> {
        let teacher = self.models.teacher.load(run)?;
        let students = self.models.load_students(run)?;
        let samplers: Vec<StudentSampler<'_>> = self
            .models
            .students
            .iter()
            .zip(&students)
            .map(|(stage, student)| StudentSampler::new(stage.student(), student))
            .collect();
        let images = self.shows_data().then(|| self.setup.data.open());
        let images = images.transpose()?;
        let gallery = Gallery {
            settings: self.settings,
            seed: self.setup.experiment.seed,
            teacher: &TeacherSampler::new(&teacher, self.solve)?,
            students: &samplers,
            shape: teacher.image_shape(),
            classes: teacher.classes(),
            images: images.as_ref(),
            device: run.device,
            workers: run.workers,
            folder: run.folder(),
        };
        Ok(if gallery.make(meter)? {
            Outcome::Finished
        } else {
            Outcome::Stopped
        })
    }
}
