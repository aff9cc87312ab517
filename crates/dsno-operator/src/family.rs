//! Families of networks, each with a configuration of its own whose keys are those of the original.
//!
//! A configuration is laid out as one list of layers; everything after that is common. To add a family,
//! write a module with a type that implements [`FamilyConfig`], and list it in [`Family::ALL`].
//!
//! | family                                                          | module               |
//! |-----------------------------------------------------------------|----------------------|
//! | this project's own, which is progressive distillation's          | [`unet`]             |
//! | Hugging Face diffusers, `UNet2DModel`                            | [`diffusers`]        |
//! | OpenAI improved-diffusion, guided-diffusion, consistency models  | [`guided_diffusion`] |
//! | EDM: DDPM++, NCSN++ and ADM, preconditioned                      | [`edm`]              |

pub mod diffusers;
pub mod edm;
pub mod guided_diffusion;
pub mod unet;

use std::any::Any;
use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use toml::Table;

use crate::config_error::ConfigError;
use crate::plan::Plan;

/// The configuration of a network of one family.
///
/// It can be implemented in this crate only, since a layout is built of its layers.
pub trait FamilyConfig: Any + fmt::Debug + Send + Sync {
    /// Its family.
    fn family(&self) -> Family;

    /// The table that its family reads: `architecture`, and what else a description of it says.
    fn table(&self) -> Table;

    /// Number of classes; 0 for an unconditional network.
    fn classes(&self) -> usize;

    /// The same network for images of another size.
    fn with_image_size(&self, size: usize) -> Box<dyn FamilyConfig>;

    /// Lays the network out.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the first key or layer that cannot work.
    #[doc(hidden)]
    fn plan(&self) -> Result<Plan, ConfigError>;
}

/// A kind of networks, by the program that it comes from.
#[derive(Clone, Copy)]
pub struct Family {
    /// Its name in files.
    pub name: &'static str,
    pub(crate) read: fn(Table) -> Result<Box<dyn FamilyConfig>, ConfigError>,
}

impl Family {
    /// All of them.
    pub const ALL: &[Self] = &[
        unet::FAMILY,
        diffusers::FAMILY,
        guided_diffusion::FAMILY,
        edm::FAMILY,
    ];

    /// This project's own network.
    pub const OWN: Self = unet::FAMILY;

    /// The family with this name.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Keys`] with the names that there are.
    pub fn named(name: &str) -> Result<Self, ConfigError> {
        let named = Self::ALL.iter().find(|family| family.name == name);
        named.copied().ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|family| family.name).collect();
            let names = names.join("`, `");
            let reason = format!("family is `{name}`, expected one of `{names}`");
            ConfigError::Keys { reason }
        })
    }
}

impl PartialEq for Family {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Family {}

impl fmt::Debug for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name)
    }
}

/// A table that holds an `architecture` and nothing else.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Architecture<A> {
    architecture: A,
}

/// Reads the table of a family whose configuration says everything.
fn read<A: DeserializeOwned>(table: Table) -> Result<A, ConfigError> {
    let found: Architecture<A> = keys(table)?;
    Ok(found.architecture)
}

/// Reads a table; errors are one line that names the key.
fn keys<T: DeserializeOwned>(table: Table) -> Result<T, ConfigError> {
    table.try_into().map_err(|error: toml::de::Error| {
        let reason = error.to_string().trim().replace('\n', " ");
        ConfigError::Keys { reason }
    })
}

/// The table of a family whose configuration says everything.
fn table(architecture: &impl Serialize) -> Table {
    let value = toml::Value::try_from(architecture).expect("invariant: configurations are tables");
    Table::from_iter([("architecture".to_owned(), value)])
}

/// The first TOML file in the documentation of a source text.
#[cfg(test)]
fn documented_toml(source: &str) -> String {
    let lines = source.lines().map(|line| line.trim_start_matches("///"));
    let mut lines = lines.skip_while(|line| line.trim() != "```toml");
    lines.next();
    let file = lines.take_while(|line| line.trim() != "```");
    file.map(|line| format!("{line}\n")).collect()
}
