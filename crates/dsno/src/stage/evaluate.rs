//! The `evaluate` stage: teacher and students against real images and against each other.

use std::path::PathBuf;
use std::rc::Rc;

use dsno_eval::evaluation::{Candidate, EvaluationConfig, EvaluationError, Evaluator, Progress};
use dsno_eval::{ClassifierConfig, Features as _, PixelFeatures, metric};
use dsno_model::{Sampler, Solve, StudentSampler, Teacher, TeacherSampler};
use dsno_train::Outcome;

use super::{Facts, Models, Run, Setup, Stage};
use crate::evaluation;
use crate::experiment::{EvaluateSettings, Features};
use crate::failure::{Failure, While, sentence};
use crate::home::Home;
use crate::json::write_json;
use crate::key::{Key, digest};
use crate::ledger::Ledger;
use crate::preflight::Needs;
use crate::progress::Meter;

/// Two for the reference and two that are compared with it: less has no covariance.
const LEAST_IMAGES: usize = 4;

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
        let key = Key::of("evaluate", &(settings, &setup.device, &names), &inputs);
        let facts = Facts {
            // Its folders of chunks keep their own keys, so the stage itself clears only their sum.
            outputs: vec![PathBuf::from(evaluation::FILE)],
            ..Facts::of("evaluate", key, "U-Net passes")
        };
        Ok(Some(Self {
            setup,
            models: models.clone(),
            settings,
            features,
            facts,
        }))
    }

    /// The teacher with a solver, and their key.
    fn solved<'t>(
        &self,
        teacher: &'t Teacher,
        solve: Solve,
    ) -> Result<(TeacherSampler<'t>, Key), Failure> {
        let key = Key::of("teacher-sampler", &solve, &[&self.models.teacher.facts.key]);
        Ok((TeacherSampler::new(teacher, solve)?, key))
    }
}

impl Stage for EvaluateStage<'_> {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn needs(&self, ledger: &Ledger, needs: &mut Needs) -> Result<(), Failure> {
        self.setup.data.needs(needs);
        let shape = self.setup.data.image_shape();
        match &self.settings.features {
            Features::Pixels { size } => PixelFeatures::new(*size)
                .check(shape)
                .or_usage("evaluate.features")?,
            Features::Classifier { path } => {
                let folder = self.setup.home.resolve(path);
                match ClassifierConfig::read(&folder) {
                    Ok(config) => config.check_images(shape).or_usage("evaluate.features")?,
                    Err(error) => needs.unmet(
                        "feature network",
                        sentence(&error),
                        "give the folder of a classifier with `--set evaluate.features.path=DIR`",
                    ),
                }
            }
            Features::Inception { .. } => needs.unmet(
                "feature network",
                "this version computes no Inception features, whatever weights and reference statistics are there",
                "set `evaluate.features={kind=\"pixels\",size=4}` to measure in pixels",
            ),
        }
        if let Some(images) = self.setup.data.count()
            && images < LEAST_IMAGES
        {
            needs.unmet(
                "real images",
                format!("there are {images}, an evaluation needs {LEAST_IMAGES}"),
                "give a larger data set with `--set data.set=NAME`",
            );
        }
        let pixels: usize = shape.iter().product();
        let kept = self.settings.paired * self.settings.seeds.len() * pixels;
        needs.disk(kept as u64 * 4, ledger.bytes_of(&self.facts));
        self.models.teacher.fits_data(ledger)
    }

    fn run(&self, run: &Run<'_>, meter: &mut Meter) -> Result<Outcome, Failure> {
        let settings = self.settings;
        let teacher = self.models.teacher.load(run)?;
        let students = self.models.load_students(run)?;
        let images = self.setup.data.open()?;
        let features = evaluation::open_features(&settings.features, self.setup.home, run.device)?;
        let mut solves = Vec::new();
        for solve in settings.solves() {
            solves.push(self.solved(&teacher, solve)?);
        }
        solves.sort_by_key(|(sampler, _)| sampler.nfe());
        let endpoint = self.models.endpoint(settings.endpoint);
        let endpoint = endpoint.map(|solve| self.solved(&teacher, solve));
        let endpoint = endpoint.transpose()?;
        let stages = self.models.students.iter();
        let trained: Vec<(StudentSampler<'_>, &Key)> = stages
            .zip(&students)
            .map(|(stage, s)| (StudentSampler::new(stage.student(), s), &stage.facts.key))
            .collect();
        let mut candidates = Vec::new();
        for (sampler, key) in &solves {
            candidates.push(candidate(sampler, key));
        }
        for (sampler, key) in &trained {
            candidates.push(candidate(sampler, key));
        }
        let inputs = [&self.features, &self.setup.data.key];
        let key = Key::of("evaluation", &self.setup.device, &inputs);
        let evaluator = Evaluator {
            config: EvaluationConfig {
                samples: settings.samples,
                seeds: settings.seeds.clone(),
                paired: settings.paired,
                batch_size: settings.batch_size,
                latency_repeats: settings.latency_repeats,
                workers: run.workers,
            },
            images: &images,
            classes: teacher.classes(),
            features: features.as_ref(),
            metrics: &metric::ALL,
            endpoint: endpoint.as_ref().map(|(s, key)| candidate(s, key)),
            device: run.device,
            folder: &run.folder().join(evaluation::FOLDER),
            key: key.as_str().to_owned(),
        };
        let observe =
            &mut |at: &Progress<'_>| meter.advance(at.done as u64, at.total as u64, at.name);
        let evaluation = match evaluator.run(&candidates, observe) {
            Err(EvaluationError::Stopped) => return Ok(Outcome::Stopped),
            other => other?,
        };
        write_json(&run.folder().join(evaluation::FILE), &evaluation)?;
        Ok(Outcome::Finished)
    }
}

fn candidate<'s>(sampler: &'s dyn Sampler, key: &Key) -> Candidate<'s> {
    let key = key.as_str().to_owned();
    Candidate { sampler, key }
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
