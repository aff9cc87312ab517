//! The `evaluate` stage: teacher and students against real images and against each other.

use std::path::PathBuf;
use std::rc::Rc;

use dsno_model::{Solve, StudentSampler, Teacher, TeacherSampler};
use dsno_train::Outcome;

use super::{Facts, Models, Run, Setup, Stage};
use crate::evaluation::{self, Candidate, Evaluator, Extractor};
use crate::experiment::{EvaluateSettings, Features};
use crate::failure::Failure;
use crate::home::Home;
use crate::json::write_json;
use crate::ledger::{Key, Ledger, digest};
use crate::preflight::Needs;
use crate::progress::Meter;

/// The stage.
pub(super) struct EvaluateStage<'a> {
    setup: &'a Setup<'a>,
    models: Rc<Models<'a>>,
    settings: &'a EvaluateSettings,
    features: Key,
    facts: Facts,
}

impl<'a> EvaluateStage<'a> {
    pub(super) fn new(
        setup: &'a Setup<'a>,
        models: &Rc<Models<'a>>,
    ) -> Result<Option<Self>, String> {
        let Some(settings) = &setup.experiment.evaluate else {
            return Ok(None);
        };
        settings.validate()?;
        let features = features(&settings.features, setup.home);
        let mut inputs = models.keys();
        inputs.extend([&setup.data.key, &features]);
        let names = setup.student_names();
        let facts = Facts {
            name: "evaluate".to_owned(),
            key: Key::of("evaluate", &(settings, &setup.device, &names), &inputs),
            // Its units keep their own keys, so the stage itself clears only their sum.
            outputs: vec![PathBuf::from(evaluation::FILE)],
            unit: "U-Net passes",
            trains: None,
        };
        Ok(Some(Self {
            setup,
            models: models.clone(),
            settings,
            features,
            facts,
        }))
    }

    /// What every unit of the evaluation depends on, whatever it measures.
    fn common(&self) -> Key {
        let EvaluateSettings {
            paired,
            batch_size,
            latency_repeats,
            ..
        } = self.settings;
        let sizes = (paired, batch_size, latency_repeats);
        Key::of("unit", &(sizes, &self.setup.device), &[&self.features])
    }

    fn candidate<'t>(&self, teacher: &'t Teacher, solve: Solve) -> Result<Candidate<'t>, Failure> {
        let key = Key::of("teacher-sampler", &solve, &[&self.models.teacher.facts.key]);
        Ok(Candidate {
            sampler: Box::new(TeacherSampler::new(teacher, solve)?),
            key,
        })
    }
}

impl Stage for EvaluateStage<'_> {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn needs(&self, ledger: &Ledger, needs: &mut Needs) -> Result<(), Failure> {
        self.setup.data.needs(needs);
        match &self.settings.features {
            Features::Pixels { .. } => {}
            Features::Classifier { path } => {
                let folder = self.setup.home.resolve(path);
                if !folder.is_dir() {
                    let problem = format!("{} is not there", folder.display());
                    let remedy =
                        "restore the folder, or set `evaluate.features={kind=\"pixels\",size=4}`";
                    needs.unmet("feature network", problem, remedy);
                }
            }
            Features::Inception { .. } => needs.unmet(
                "feature network",
                "this version computes no Inception features, whatever weights and reference statistics are there",
                "set `evaluate.features={kind=\"pixels\",size=4}` to measure in pixels",
            ),
        }
        let pixels: usize = self.setup.data.image_shape().iter().product();
        let kept = self.settings.paired * self.settings.seeds.len() * pixels;
        needs.disk(kept as u64 * 4);
        self.models.teacher.fits_data(ledger)
    }

    fn run(&self, run: &Run<'_>, meter: &mut Meter) -> Result<Outcome, Failure> {
        let settings = self.settings;
        let teacher = self.models.teacher.load(run)?;
        let students = self.models.load_students(run)?;
        let images = self.setup.data.open()?;
        let extractor = Extractor::open(&settings.features, self.setup.home, run.device)?;
        extractor.check(&images)?;
        let mut candidates = Vec::new();
        for solve in settings.solves() {
            candidates.push(self.candidate(&teacher, solve)?);
        }
        candidates.sort_by_key(|candidate| candidate.sampler.nfe());
        let endpoint = self.models.endpoint(settings.endpoint);
        let endpoint = endpoint.map(|solve| self.candidate(&teacher, solve));
        let trained = self.models.students.iter().zip(&students);
        candidates.extend(trained.map(|(stage, student)| Candidate {
            sampler: Box::new(StudentSampler::new(stage.student(), student)),
            key: stage.facts.key.clone(),
        }));
        let evaluator = Evaluator {
            settings,
            candidates,
            endpoint: endpoint.transpose()?,
            images: &images,
            images_key: &self.setup.data.key,
            classes: teacher.classes(),
            extractor: &extractor,
            device: run.device,
            workers: run.workers,
            folder: run.folder(),
            ledger: run.ledger,
            common: self.common(),
        };
        let Some(evaluation) = evaluator.run(meter)? else {
            return Ok(Outcome::Stopped);
        };
        write_json(&run.folder().join(evaluation::FILE), &evaluation)?;
        Ok(Outcome::Finished)
    }
}

/// The key of a feature space: its settings and the digests of its files.
fn features(features: &Features, home: &Home) -> Key {
    let files = match features {
        Features::Classifier { path } => {
            let is_part = |path: &PathBuf| {
                let extension = path.extension();
                extension.is_some_and(|e| e == "safetensors" || e == "toml")
            };
            let entries = std::fs::read_dir(home.resolve(path)).into_iter().flatten();
            let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
            let mut files: Vec<PathBuf> = paths.filter(is_part).collect();
            files.sort();
            files
        }
        Features::Pixels { .. } => Vec::new(),
        Features::Inception { weights, reference } => {
            vec![home.resolve(weights), home.resolve(reference)]
        }
    };
    let digests: Vec<String> = files.iter().map(|file| digest(file)).collect();
    Key::of("features", &(features, digests), &[])
}
