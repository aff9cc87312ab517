//! Finds the project's own folders (`experiments/`, `datasets/`, `models/`).

use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// The folder that holds `experiments/`; relative paths of experiment files start here.
#[derive(Debug, Clone)]
pub(crate) struct Home {
    folder: PathBuf,
    /// Whether the folder is a project, or only where the program was started.
    is_project: bool,
    /// The folder of the experiment file, beside which data sets are looked for first.
    beside: Option<PathBuf>,
}

/// The specification of a data set, and the folder that its data folder is relative to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) file: PathBuf,
    /// The folder whose `datasets/` holds the file.
    pub(crate) base: PathBuf,
}

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
            .map(Path::to_path_buf);
        let is_project = found.is_some();
        // Nothing before a path is the working directory, and reads better in messages.
        let folder = found.filter(|found| *found != working);
        Self {
            folder: folder.unwrap_or_default(),
            is_project,
            beside: None,
        }
    }

    /// The same place for what an experiment file says.
    ///
    /// Data sets are looked for in `datasets/` beside the file and beside its folder first. Where
    /// there is no project, relative paths start at the folder of the file.
    pub(crate) fn beside(&self, file: &Path) -> Self {
        let folder = file.parent().unwrap_or(Path::new("")).to_path_buf();
        let mut home = self.clone();
        if !home.is_project {
            home.folder.clone_from(&folder);
        }
        home.beside = Some(folder);
        home
    }

    /// The path itself if absolute, else the path below the project's folder.
    pub(crate) fn resolve(&self, path: impl AsRef<Path>) -> PathBuf {
        self.folder.join(path)
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        if self.folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            &self.folder
        }
    }

    /// The file of an experiment that was given by name (`fashion`, `mini/cifar10`), with or without
    /// the folder `experiments/`, or by path, each with or without `.toml`.
    ///
    /// # Errors
    ///
    /// A usage failure that lists the experiments there are.
    pub(crate) fn experiment(&self, name_or_file: &str) -> Result<PathBuf, Failure> {
        let as_file = PathBuf::from(name_or_file);
        let with_ending = PathBuf::from(format!("{name_or_file}.toml"));
        let is_toml = as_file
            .extension()
            .is_some_and(|extension| extension == "toml");
        let experiments = self.resolve("experiments");
        let candidates = [
            is_toml.then(|| as_file.clone()),
            Some(experiments.join(&with_ending)),
            is_toml.then(|| experiments.join(&as_file)),
            Some(with_ending.clone()),
            Some(self.resolve(&with_ending)),
            is_toml.then(|| self.resolve(&as_file)),
            Some(as_file),
        ];
        if let Some(file) = candidates.into_iter().flatten().find(|path| path.is_file()) {
            return Ok(file);
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

    /// The specification of a data set: beside the experiment file, or of the project.
    pub(crate) fn dataset(&self, name: &str) -> Option<Found> {
        self.bases().into_iter().find_map(|base| {
            let file = base.join("datasets").join(format!("{name}.toml"));
            file.is_file().then_some(Found { file, base })
        })
    }

    /// Folders whose `datasets/` may hold the specification of a data set, the nearest first.
    fn bases(&self) -> Vec<PathBuf> {
        let beside = self.beside.iter().flat_map(|folder| {
            let above = match folder.file_name() {
                Some(_) => folder.parent().unwrap_or(Path::new("")).to_path_buf(),
                None => folder.join(".."),
            };
            [folder.clone(), above]
        });
        beside.chain([self.folder.clone()]).collect()
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
        let bases = self.bases().into_iter();
        let mut names: Vec<String> = bases
            .flat_map(|base| toml_names(&base.join("datasets")))
            .collect();
        names.sort();
        names.dedup();
        names
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn data_sets_beside_an_experiment_come_first() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        for path in ["project/datasets", "mine/datasets", "mine/deep", "bare"] {
            fs::create_dir_all(at(path)).unwrap();
        }
        for file in [
            "project/datasets/a",
            "project/datasets/b",
            "mine/datasets/a",
        ] {
            fs::write(at(&format!("{file}.toml")), "").unwrap();
        }
        let project = Home {
            folder: at("project"),
            is_project: true,
            beside: None,
        };
        let base = |file: &str, name: &str| {
            let found = project.beside(&at(file)).dataset(name)?;
            assert_eq!(found.file, found.base.join(format!("datasets/{name}.toml")));
            Some(found.base)
        };
        assert_eq!(base("mine/x.toml", "a"), Some(at("mine")));
        assert_eq!(base("mine/deep/x.toml", "a"), Some(at("mine")));
        assert_eq!(base("mine/x.toml", "b"), Some(at("project")));
        assert_eq!(base("bare/x.toml", "a"), Some(at("project")));
        assert_eq!(base("bare/x.toml", "c"), None);
        assert_eq!(project.beside(&at("mine/x.toml")).datasets(), ["a", "b"]);
        assert_eq!(
            project.beside(&at("mine/x.toml")).resolve("models"),
            at("project/models")
        );
        let nowhere = Home {
            folder: PathBuf::new(),
            is_project: false,
            beside: None,
        };
        assert_eq!(
            nowhere.beside(&at("mine/x.toml")).resolve("models"),
            at("mine/models")
        );
    }
}
