//! The `[teacher]` section.

use dsno_model::TeacherDescription;
use dsno_ode::NoiseSchedule;
use dsno_operator::UNetConfig;
use dsno_train::TeacherRecipe;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use toml::Table;

use super::file::one_line;
use crate::failure::Failure;
use crate::home::Home;
use crate::import::{self, Format, Source, WeightSet};
use crate::model::Description;

/// Where the diffusion model comes from.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(crate) enum TeacherSource {
    /// A model folder of this project.
    Load(Load),
    /// Trained here, on the images of `[data]`.
    Train(Train),
    /// A checkpoint of another program.
    Import(Import),
}

/// `kind = "load"`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Load {
    /// The model folder.
    pub(crate) path: String,
}

/// `kind = "train"`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Train {
    pub(crate) architecture: UNetConfig,
    pub(crate) schedule: NoiseSchedule,
    pub(crate) recipe: TeacherRecipe,
}

/// `kind = "import"`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Import {
    /// The file, or the folder of a diffusers model.
    pub(crate) path: String,
    /// Its format, as for `dsno import`.
    pub(crate) format: Format,
    /// Which weights of a training, as for `dsno import`.
    pub(crate) weights: Option<WeightSet>,
    /// What else is said, as in the file of `dsno import --arch`.
    described: Table,
    /// The network; of a diffusers model, the files beside the weights may say it.
    #[serde(skip)]
    pub(crate) teacher: Option<TeacherDescription>,
}

impl Import {
    fn read(mut table: Table) -> Result<Self, String> {
        /// The keys that every format has.
        #[derive(Deserialize)]
        struct File {
            path: String,
            format: String,
            weights: Option<WeightSet>,
        }

        let keys = ["path", "format", "weights"];
        let own: Table = keys
            .iter()
            .filter_map(|key| table.remove_entry(*key))
            .collect();
        let file: File = own.try_into().map_err(|error| one_line(&error))?;
        let format: Format = file.format.parse()?;
        let described = table.clone();
        let is_beside = format == Format::Diffusers && table.is_empty();
        let teacher = (!is_beside).then(|| TeacherDescription::from_table(format.family(), table));
        Ok(Self {
            path: file.path,
            format,
            weights: file.weights,
            described,
            teacher: teacher.transpose().map_err(|error| error.to_string())?,
        })
    }

    /// What `dsno import` would be given.
    pub(crate) fn source(&self, home: &Home) -> Source {
        Source {
            path: home.resolve(&self.path),
            format: self.format,
            weights: self.weights,
        }
    }

    /// The network, read from beside the weights where nothing else describes it.
    ///
    /// # Errors
    ///
    /// A preflight failure if there is nothing to read; a usage failure if it describes no teacher.
    pub(crate) fn describe(&self, home: &Home) -> Result<TeacherDescription, Failure> {
        if let Some(teacher) = &self.teacher {
            return Ok(teacher.clone());
        }
        let path = home.resolve(&self.path);
        match import::describe(self.format, None, &path, None)? {
            Description::Teacher(teacher) => Ok(teacher),
            Description::Student(_) => Err(Failure::usage(format!(
                "{} is a student, expected a teacher",
                path.display()
            ))),
        }
    }
}

impl<'de> Deserialize<'de> for TeacherSource {
    /// By hand, because serde forgets inside tagged enums which key an error belongs to.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut table = Table::deserialize(deserializer)?;
        let kind = table
            .remove("kind")
            .ok_or_else(|| D::Error::missing_field("kind"))?;
        let source = match kind.as_str() {
            Some("load") => table.try_into().map(Self::Load),
            Some("train") => table.try_into().map(Self::Train),
            Some("import") => {
                let read = Import::read(table).map(Self::Import);
                return read.map_err(D::Error::custom);
            }
            _ => {
                let expected = "expected one of `load`, `train`, `import`";
                return Err(D::Error::custom(format!("kind is {kind}, {expected}")));
            }
        };
        source.map_err(|error| D::Error::custom(one_line(&error)))
    }
}
