//! The `[teacher]` section.

use dsno_ode::NoiseSchedule;
use dsno_operator::UNetConfig;
use dsno_operator::interop::WeightSet;
use dsno_train::TeacherRecipe;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use toml::Table;

use super::file::one_line;

/// Where the diffusion model comes from.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(crate) enum TeacherSource {
    /// A model folder of this project.
    Load(Load),
    /// Trained here, on the images of `[data]`.
    Train(Box<Train>),
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
    pub(crate) format: String,
    /// Which weights of a training, as for `dsno import`.
    pub(crate) weights: Option<WeightSet>,
    /// The network, as in the file of `dsno import --arch`; empty if the files beside the weights say it.
    pub(crate) described: Table,
}

impl Import {
    fn read(mut table: Table) -> Result<Self, toml::de::Error> {
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
        let file: File = own.try_into()?;
        Ok(Self {
            path: file.path,
            format: file.format,
            weights: file.weights,
            described: table,
        })
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
            Some("train") => table.try_into().map(Box::new).map(Self::Train),
            Some("import") => Import::read(table).map(Self::Import),
            _ => {
                let expected = "expected one of `load`, `train`, `import`";
                return Err(D::Error::custom(format!("kind is {kind}, {expected}")));
            }
        };
        source.map_err(|error| D::Error::custom(one_line(&error)))
    }
}
