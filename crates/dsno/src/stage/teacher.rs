//! The `teacher` stage: a diffusion model of this project, trained here, or of another program.

use std::path::PathBuf;

use dsno_model::{Teacher, TeacherDescription};
use dsno_operator::{ConfigError, NetworkConfig};
use dsno_train::{Outcome, TeacherJob, train_teacher};

use super::{Facts, Run, Setup, Stage};
use crate::experiment::{Import, Load, TeacherSource, Train};
use crate::failure::{Failure, While, sentence};
use crate::import::{self, Format, Source};
use crate::key::{Key, Lineage, digest};
use crate::ledger::Ledger;
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
    Train(&'a Train, NetworkConfig),
    Import {
        source: Source,
        /// The network; of a diffusers model, the files beside the weights may say it.
        described: Option<TeacherDescription>,
    },
}

impl<'a> TeacherStage<'a> {
    pub(super) fn new(setup: &'a Setup<'a>) -> Result<Self, String> {
        let experiment = &setup.experiment;
        let source = &experiment.teacher;
        let mut lineage = None;
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
                let read = [&setup.data.key];
                let key = Key::of("train", &inputs, &read);
                let training = &train.recipe.training;
                if !training.learning_rate.depends_on_length() {
                    lineage = Some(Lineage::of("train", &inputs, &read, training.total_images));
                }
                let network = network(train);
                let network =
                    network.map_err(|e| format!("teacher.architecture: {}", sentence(&e)))?;
                (Origin::Train(train, network), key)
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
        let mut facts = Facts {
            lineage,
            trains: Some(NAME.to_owned()),
            ..Facts::of(NAME, key, "images")
        };
        if let Origin::Load(_) = origin {
            facts.outputs.clear();
        }
        Ok(Self {
            setup,
            origin,
            facts,
        })
    }

    /// The network, if the experiment says it.
    pub(super) fn described(&self) -> Option<NetworkConfig> {
        match &self.origin {
            Origin::Load(_) => None,
            Origin::Train(_, network) => Some(network.clone()),
            Origin::Import { described, .. } => described.as_ref().map(|d| d.network.clone()),
        }
    }

    /// The network before the stage has run, as far as files say it.
    pub(super) fn network(&self, ledger: &Ledger) -> Option<NetworkConfig> {
        let description = match &self.origin {
            Origin::Load(folder) => TeacherDescription::read(folder).ok(),
            _ if ledger.is_done(&self.facts) => {
                TeacherDescription::read(&ledger.folder().join(MODEL)).ok()
            }
            Origin::Train(_, network) => return Some(network.clone()),
            Origin::Import { source, described } => describe(source, described.as_ref()).ok(),
        };
        Some(description?.network)
    }

    /// Checks that the teacher is for images of the data set.
    ///
    /// # Errors
    ///
    /// A usage failure with both sizes.
    pub(super) fn fits_data(&self, ledger: &Ledger) -> Result<(), Failure> {
        let Some(network) = self.network(ledger) else {
            return Ok(());
        };
        let [channels, size, _] = network.image_shape();
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
            Origin::Train(..) | Origin::Import { .. } => ledger.folder().join(MODEL),
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
            Origin::Train(_, network) => {
                self.setup.data.needs(needs);
                needs.training(network.parameter_count(), ledger.bytes_of(&self.facts));
            }
            Origin::Import { source, described } => {
                let found = source.check();
                let found = found.and_then(|()| describe(source, described.as_ref()));
                match found {
                    Ok(teacher) => needs.model(teacher.network.parameter_count(), ledger.bytes_of(&self.facts)),
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
            Origin::Train(train, _) => {
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
                return train_teacher(&job, run.device, meter)
                    .while_doing("teacher training failed");
            }
            Origin::Import { source, described } => {
                let teacher = Description::Teacher(describe(source, described.as_ref())?);
                source.import(&teacher, &self.folder(run.ledger))?;
            }
        }
        Ok(Outcome::Finished)
    }
}

/// The network of a teacher that is trained here.
fn network(train: &Train) -> Result<NetworkConfig, ConfigError> {
    let network = NetworkConfig::unet(train.architecture.clone(), train.recipe.prediction)?;
    network.check_teacher()?;
    Ok(network)
}

/// What `dsno import` would be given, and the network if the section describes it.
fn understood(
    import: &Import,
    setup: &Setup<'_>,
) -> Result<(Source, Option<TeacherDescription>), String> {
    let format: Format = import.format.parse().map_err(|e| format!("teacher: {e}"))?;
    let source = Source {
        path: setup.home.resolve(&import.path),
        format,
        weights: import.weights,
    };
    if format == Format::Diffusers && import.described.is_empty() {
        return Ok((source, None));
    }
    let described = TeacherDescription::from_table(format.family().name, import.described.clone());
    let described = described.map_err(|error| {
        let error = sentence(&error);
        match error.rsplit_once(" in `") {
            Some((wrong, key)) => format!("{wrong} in `teacher.{key}"),
            None => format!("teacher: {error}"),
        }
    })?;
    Ok((source, Some(described)))
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
