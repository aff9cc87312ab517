//! The images of an experiment: which, whether they are there, and their key.

use std::cell::OnceCell;
use std::fs;
use std::path::{Path, PathBuf};

use dsno_data::{DatasetSpec, Format, ImageSet};

use crate::experiment::DataSettings;
use crate::failure::{Failure, While, sentence};
use crate::home::Home;
use crate::ledger::Key;
use crate::preflight::Needs;

/// Data files up to this size are read and digested before a run; larger ones are only looked for.
const DIGEST_LIMIT_BYTES: u64 = 256 << 20;

/// The `[data]` section with the specification that it names.
#[derive(Debug)]
pub(crate) struct Data {
    pub(crate) spec: DatasetSpec,
    /// Of the images themselves: of the specification, which has digests of the files.
    pub(crate) key: Key,
    root: PathBuf,
    size: usize,
    problem: OnceCell<Option<String>>,
}

impl Data {
    /// Reads the specification of a data set.
    ///
    /// # Errors
    ///
    /// A usage failure if there is none of this name, or if it cannot be read.
    pub(crate) fn find(settings: &DataSettings, home: &Home) -> Result<Self, Failure> {
        let file = home
            .resolve("datasets")
            .join(format!("{}.toml", settings.set));
        if !file.is_file() {
            return Err(Failure::usage(format!(
                "data.set is `{}`, expected one of {}",
                settings.set,
                home.datasets().join(", ")
            )));
        }
        let spec = DatasetSpec::load(&file)
            .or_usage("the data set")?
            .averaged_to(settings.image_size);
        let root = home.resolve(&settings.root);
        // Files whose digest is not known count by name and size.
        let listing = if spec.files.is_empty() {
            listing(&root, &spec)
        } else {
            Vec::new()
        };
        Ok(Self {
            key: Key::of("data", &(&spec, listing), &[]),
            spec,
            root,
            size: settings.image_size,
            problem: OnceCell::new(),
        })
    }

    /// Channels, height and width.
    pub(crate) fn image_shape(&self) -> [usize; 3] {
        [self.spec.channels, self.size, self.size]
    }

    /// Opens the images.
    pub(crate) fn open(&self) -> Result<ImageSet, Failure> {
        self.spec
            .open(&self.root)
            .while_doing("opening the data set")
    }

    /// Adds what is wrong with the files.
    pub(crate) fn needs(&self, needs: &mut Needs) {
        if let Some(problem) = self.problem.get_or_init(|| self.problem()) {
            let what = format!("images of `{}`", self.spec.name);
            let obtain = &self.spec.obtain;
            let remedy = format!("{obtain}; another folder is `--set data.root=DIR`");
            needs.unmet(what, problem, remedy);
        }
    }

    fn problem(&self) -> Option<String> {
        let missing = self.spec.missing_files(&self.root);
        if let Some(first) = missing.first() {
            let more = match missing.len() {
                1 => String::new(),
                n => format!(", nor {} more", n - 1),
            };
            return Some(format!("{} is not there{more}", first.display()));
        }
        let bytes: u64 = self.spec.files.iter().map(|file| file.bytes).sum();
        if bytes > DIGEST_LIMIT_BYTES {
            return None;
        }
        let verified = self.spec.verify(&self.root);
        verified.err().map(|error| sentence(&error))
    }
}

/// Entries of the folder that a set without digests is read from, down to one sub-folder.
fn listing(root: &Path, spec: &DatasetSpec) -> Vec<(String, u64)> {
    let Format::ImageFolder { path } = &spec.format else {
        return Vec::new();
    };
    let mut entries = Vec::new();
    let mut folders = vec![root.join(path)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(metadata) = entry.metadata() else {
                continue;
            };
            let path = entry.path();
            if metadata.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(root).map(|p| p.display().to_string());
                entries.push((name.unwrap_or_default(), metadata.len()));
            }
        }
    }
    entries.sort();
    entries
}
