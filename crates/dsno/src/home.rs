//! Finds the project's own folders (`experiments/`, `datasets/`, `models/`).

use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// The folder that holds `experiments/`; relative paths of experiment files start here.
#[derive(Debug, Clone)]
pub(crate) struct Home(PathBuf);

impl Home {
    /// Looks in the working directory and above it, then above the program itself.
    ///
    /// Falls back to the working directory, so that an experiment file given by path works anywhere.
    pub(crate) fn find() -> Self {
        let working = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
        let program = std::env::current_exe().unwrap_or_default();
        let found = working
            .ancestors()
            .chain(program.ancestors())
            .find(|folder| folder.join("experiments").is_dir() && folder.join("datasets").is_dir())
            .map(Path::to_path_buf)
            // Nothing before a path is the working directory, and reads better in messages.
            .filter(|found| *found != working);
        Self(found.unwrap_or_default())
    }

    /// The path itself if absolute, else the path below the project's folder.
    pub(crate) fn resolve(&self, path: impl AsRef<Path>) -> PathBuf {
        self.0.join(path)
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        if self.0.as_os_str().is_empty() {
            Path::new(".")
        } else {
            &self.0
        }
    }

    /// The file of an experiment that was given by name (`fashion`, `mini/cifar10`) or by path.
    pub(crate) fn experiment(&self, name_or_file: &str) -> Result<PathBuf, Failure> {
        let as_file = PathBuf::from(name_or_file);
        let is_toml = as_file
            .extension()
            .is_some_and(|extension| extension == "toml");
        if is_toml && as_file.is_file() {
            return Ok(as_file);
        }
        let suffix = if is_toml { "" } else { ".toml" };
        let by_name = self
            .resolve("experiments")
            .join(format!("{name_or_file}{suffix}"));
        if by_name.is_file() {
            return Ok(by_name);
        }
        let known = self.experiments();
        Err(Failure::usage(if known.is_empty() {
            format!(
                "no experiment file {name_or_file}, and no folder `experiments` here or above; run in a checkout or give a path"
            )
        } else {
            format!(
                "no experiment `{name_or_file}`; there are: {}",
                known.join(", ")
            )
        }))
    }

    /// Names of all experiments, sorted.
    pub(crate) fn experiments(&self) -> Vec<String> {
        let root = self.resolve("experiments");
        let mut names: Vec<String> = toml_names(&root);
        names.extend(
            toml_names(&root.join("mini"))
                .into_iter()
                .map(|name| format!("mini/{name}")),
        );
        names
    }

    /// Names of all data sets, sorted.
    pub(crate) fn datasets(&self) -> Vec<String> {
        toml_names(&self.resolve("datasets"))
    }
}

fn toml_names(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_file() && path.extension().is_some_and(|ext| ext == "toml"))
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    names
}
