//! The `teacher` stage: a diffusion model of this project, trained here, or of another program.

use std::path::PathBuf;

use dsno_model::{Teacher, TeacherArchitecture, TeacherDescription};
use dsno_train::{Outcome, TeacherJob, train_teacher};

use super::{Facts, Run, Setup, Stage, folder_with};
use crate::experiment::{Import, Load, TeacherSource, Train};
use crate::failure::{Failure, While, sentence};
use crate::import::{self, Format, Source, WeightSet};
use crate::ledger::{Key, Ledger, digest};
use crate::model::{self, CARD, Description, WEIGHTS};
use crate::preflight::Needs;
use crate::progress::Meter;

/// Name of the stage and of its folder.
pub(crate) const NAME: &str = "teacher";
/// The model folder, below the run folder.
const MODEL: &str = "teacher/model";

/// The stage.
pub(super) struct TeacherStage<'a> {
    setup: &'a Setup<'a>,
    origin: Origin<'a>,
    pub(super) facts: Facts,
}

/// The `[teacher]` section, understood.
enum Origin<'a> {
    /// A model folder that is used where it lies.
    Load(PathBuf),
    Train(&'a Train),
    Import {
        source: Source,
        /// The network; of a diffusers model, the files beside the weights may say it.
        described: Option<Box<TeacherDescription>>,
    },
}

impl<'a> TeacherStage<'a> {
    pub(super) fn new(setup: &'a Setup<'a>) -> Result<Self, String> {
        let experiment = &setup.experiment;
        let source = &experiment.teacher;
        let (origin, key) = match source {
            TeacherSource::Load(Load { path }) => {
                let folder = setup.home.resolve(path);
                let digests = [CARD, WEIGHTS].map(|file| digest(&folder.join(file)));
                (Origin::Load(folder), Key::of("load", &digests, &[]))
            }
            TeacherSource::Train(train) => {
                let recipe = train.recipe.validate();
                recipe.map_err(|error| format!("teacher.recipe: {}", sentence(&error)))?;
                let inputs = (source, experiment.seed);
                let key = Key::of("train", &inputs, &[&setup.data.key]);
                (Origin::Train(train), key)
            }
            TeacherSource::Import(import) => {
                let (from, described) = understood(import, setup)?;
                let files = import::files(from.format, &from.path);
                let digests: Vec<String> = files.iter().map(|file| digest(file)).collect();
                let key = Key::of("import", &(source, digests), &[]);
                let source = from;
                (Origin::Import { source, described }, key)
            }
        };
        let outputs = match origin {
            Origin::Load(_) => Vec::new(),
            Origin::Train(_) | Origin::Import { .. } => folder_with(NAME, "model/model.toml"),
        };
        let facts = Facts {
            name: NAME.to_owned(),
            key,
            outputs,
            unit: "images",
            trains: Some(NAME.to_owned()),
        };
        let stage = Self {
            setup,
            origin,
            facts,
        };
        if let Some(architecture) = stage.described() {
            let valid = architecture.validate();
            valid.map_err(|error| format!("teacher.architecture: {}", sentence(&error)))?;
        }
        Ok(stage)
    }

    /// The architecture, if the experiment says it.
    pub(super) fn described(&self) -> Option<TeacherArchitecture> {
        match &self.origin {
            Origin::Load(_) => None,
            Origin::Train(train) => Some(TeacherArchitecture::Unet {
                architecture: train.architecture.clone(),
                prediction: train.recipe.prediction,
            }),
            Origin::Import { described, .. } => described.as_ref().map(|d| d.architecture.clone()),
        }
    }

    /// The architecture before the stage has run, as far as files say it.
    pub(super) fn architecture(&self, ledger: &Ledger) -> Option<TeacherArchitecture> {
        let read = |folder| {
            TeacherDescription::read(folder)
                .ok()
                .map(|d| d.architecture)
        };
        match &self.origin {
            Origin::Load(folder) => read(folder),
            _ if ledger.is_done(NAME, &self.facts.key) => read(&ledger.folder().join(MODEL)),
            Origin::Train(_) => self.described(),
            Origin::Import { source, described } => {
                let description = describe(source, described.as_deref());
                description.ok().map(|d| d.architecture)
            }
        }
    }

    /// Checks that the teacher is for images of the data set.
    ///
    /// # Errors
    ///
    /// A usage failure with both sizes.
    pub(super) fn fits_data(&self, ledger: &Ledger) -> Result<(), Failure> {
        let Some(architecture) = self.architecture(ledger) else {
            return Ok(());
        };
        let [channels, size, _] = architecture.image_shape();
        let [expected, asked, _] = self.setup.data.image_shape();
        if (size, channels) == (asked, expected) {
            return Ok(());
        }
        Err(Failure::usage(format!(
            "the teacher is for images of {size}×{size} with {channels} channels, but `data` gives {asked}×{asked} with {expected}"
        )))
    }

    fn folder(&self, ledger: &Ledger) -> PathBuf {
        match &self.origin {
            Origin::Load(folder) => folder.clone(),
            Origin::Train(_) | Origin::Import { .. } => ledger.folder().join(MODEL),
        }
    }

    /// Loads what the stage made.
    pub(super) fn load(&self, run: &Run<'_>) -> Result<Teacher, Failure> {
        model::load_teacher(&self.folder(run.ledger), run.device)
    }
}

impl Stage for TeacherStage<'_> {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn needs(&self, ledger: &Ledger, needs: &mut Needs) -> Result<(), Failure> {
        match &self.origin {
            Origin::Load(folder) => {
                let missing: Vec<_> = [CARD, WEIGHTS]
                    .into_iter()
                    .filter(|file| !folder.join(file).is_file())
                    .collect();
                if !missing.is_empty() {
                    needs.unmet(
                        "teacher",
                        format!("{} lacks {}", folder.display(), missing.join(" and ")),
                        "train one, for example with `dsno experiment fashion-teacher`, or give a \
                         model folder with `--set teacher.path=DIR`",
                    );
                } else if let Err(error) = TeacherDescription::read(folder) {
                    let remedy = "restore the folder or give another with `--set teacher.path=DIR`";
                    needs.unmet("teacher", sentence(&error), remedy);
                }
            }
            Origin::Train(train) => {
                self.setup.data.needs(needs);
                needs.training(train.architecture.parameter_count().unwrap_or_default());
            }
            Origin::Import { source, described } => {
                let found = source.check();
                let found = found.and_then(|()| describe(source, described.as_deref()));
                match found {
                    Ok(teacher) => needs.model(teacher.architecture.parameter_count().unwrap_or_default()),
                    Err(failure) => needs.unmet(
                        "teacher",
                        failure.to_string(),
                        format!(
                            "place the published checkpoint ({}) there, or give its path with `--set teacher.path=FILE`",
                            source.format
                        ),
                    ),
                }
            }
        }
        self.fits_data(ledger)
    }

    fn run(&self, run: &Run<'_>, meter: &mut Meter) -> Result<Outcome, Failure> {
        match &self.origin {
            Origin::Load(_) => {
                self.load(run)?;
            }
            Origin::Train(train) => {
                let images = self.setup.data.open()?;
                let folder = run.folder().join(NAME);
                let job = TeacherJob {
                    architecture: &train.architecture,
                    schedule: train.schedule.clone(),
                    recipe: &train.recipe,
                    seed: self.setup.experiment.seed,
                    images: &images,
                    flip: self.setup.data.spec.flip,
                    folder: &folder,
                };
                return train_teacher(&job, run.device, meter).while_doing(format!(
                    "teacher training failed (if a file is damaged, delete {} to make it again)",
                    folder.display()
                ));
            }
            Origin::Import { source, described } => {
                let teacher = Description::Teacher(describe(source, described.as_deref())?);
                source.import(&teacher, &self.folder(run.ledger), run.device)?;
            }
        }
        Ok(Outcome::Finished)
    }
}

/// What `dsno import` would be given, and the network if the section describes it.
fn understood(
    import: &Import,
    setup: &Setup<'_>,
) -> Result<(Source, Option<Box<TeacherDescription>>), String> {
    let format: Format = import.format.parse().map_err(|e| format!("teacher: {e}"))?;
    let weights = import.weights.as_deref().map(|name| {
        let set = WeightSet::ALL.iter().find(|set| set.name() == name);
        set.copied().ok_or_else(|| {
            let known: Vec<&str> = WeightSet::ALL.iter().map(|set| set.name()).collect();
            format!(
                "teacher.weights is `{name}`, expected {}",
                known.join(" or ")
            )
        })
    });
    let source = Source {
        path: setup.home.resolve(&import.path),
        format,
        weights: weights.transpose()?,
    };
    if format == Format::Diffusers && import.described.is_empty() {
        return Ok((source, None));
    }
    let described = TeacherDescription::from_table(format.family(), import.described.clone());
    let described = described.map_err(|error| format!("teacher: {}", sentence(&error)))?;
    Ok((source, Some(Box::new(described))))
}

/// The network of an import, read from beside the weights where nothing else describes it.
fn describe(
    source: &Source,
    described: Option<&TeacherDescription>,
) -> Result<TeacherDescription, Failure> {
    if let Some(teacher) = described {
        return Ok(teacher.clone());
    }
    match import::describe(source.format, None, &source.path, None)? {
        Description::Teacher(teacher) => Ok(teacher),
        Description::Student(_) => Err(Failure::usage(format!(
            "{} is a student, expected a teacher",
            source.path.display()
        ))),
    }
}
