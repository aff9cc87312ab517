//! The model folder that an import makes: nothing that is there is lost, and all of it is put in place or
//! nothing.

use std::fs::{self, File};
use std::path::{Component, Path, PathBuf};

use dsno_model::ModelError;

use crate::console::note;
use crate::failure::{Failure, While};
use crate::model::{CARD, WEIGHTS};
use crate::output::is_same_file;

/// Where the model is written before its files are put in place.
const STAGING: &str = ".import.tmp";

/// Refuses a folder in which an import would replace what it must not; nothing is written.
///
/// `inputs` are the files that are read, `folder` the one that is imported as a whole. With `force`, a model
/// that is there may be replaced.
///
/// # Errors
///
/// A usage failure that says what is there.
pub(crate) fn check(
    out: &Path,
    inputs: &[PathBuf],
    folder: Option<&Path>,
    force: bool,
) -> Result<(), Failure> {
    let place = out.display();
    if out.exists() && !out.is_dir() {
        return Err(Failure::usage(format!(
            "--out {place} is a file, expected a folder"
        )));
    }
    if let Some(folder) = folder {
        let inside = inputs.iter().filter_map(|input| input.parent());
        let found = absolute(out);
        if std::iter::once(folder)
            .chain(inside)
            .any(|own| absolute(own) == found)
        {
            return Err(Failure::usage(format!(
                "--out {place} is a folder of the model that is imported; give another"
            )));
        }
    }
    let targets = [CARD, WEIGHTS].map(|name| out.join(name));
    for target in targets
        .iter()
        .filter(|target| target.symlink_metadata().is_ok())
    {
        if let Some(input) = inputs.iter().find(|input| is_same_file(input, target)) {
            return Err(Failure::usage(format!(
                "--out {place} holds {}, which is imported and never replaced; give another folder",
                input.display()
            )));
        }
        if target.is_dir() {
            return Err(Failure::usage(format!("{} is a folder", target.display())));
        }
        if !force && !is_unfinished(out) {
            return Err(Failure::usage(format!(
                "--out {place} holds a model ({}); --force replaces it",
                target.file_name().unwrap_or_default().display()
            )));
        }
    }
    Ok(())
}

/// Whether an import was killed between putting its weights and its card in place.
fn is_unfinished(out: &Path) -> bool {
    let staging = out.join(STAGING);
    staging.join(CARD).is_file() && !staging.join(WEIGHTS).exists() && !out.join(CARD).exists()
}

/// A model folder that can be written.
pub(super) struct Output {
    folder: PathBuf,
    /// Folders that were made for it, outermost first.
    made: Vec<PathBuf>,
}

impl Output {
    /// Makes the folder if need be and tries it.
    ///
    /// # Errors
    ///
    /// A preflight failure if the folder cannot be made, or files not be written in it.
    pub(super) fn open(folder: &Path) -> Result<Self, Failure> {
        let ancestors = folder.ancestors().filter(|f| !f.as_os_str().is_empty());
        let mut made: Vec<PathBuf> = ancestors
            .take_while(|ancestor| !ancestor.exists())
            .map(Path::to_path_buf)
            .collect();
        made.reverse();
        let output = Self {
            folder: folder.to_owned(),
            made,
        };
        let doing = format!("cannot write in {}", folder.display());
        fs::create_dir_all(folder).or_preflight(&doing)?;
        let staging = output.staging();
        if staging.exists() {
            fs::remove_dir_all(&staging).or_preflight(&doing)?;
        }
        fs::create_dir(&staging).or_preflight(&doing)?;
        File::create(staging.join(WEIGHTS)).or_preflight(&doing)?;
        Ok(output)
    }

    fn staging(&self) -> PathBuf {
        self.folder.join(STAGING)
    }

    /// Has a model saved and puts it in place.
    ///
    /// # Errors
    ///
    /// A failure at run time; what was in the folder is still there.
    pub(super) fn put(
        mut self,
        save: impl FnOnce(&Path) -> Result<(), ModelError>,
    ) -> Result<(), Failure> {
        let doing = format!("writing {}", self.folder.display());
        let staging = self.staging();
        save(&staging).while_doing(&doing)?;
        let had_model = self.folder.join(CARD).exists();
        for name in [WEIGHTS, CARD] {
            fs::rename(staging.join(name), self.folder.join(name)).while_doing(&doing)?;
        }
        if cfg!(unix) {
            let folder = File::open(&self.folder).and_then(|folder| folder.sync_all());
            folder.while_doing(&doing)?;
        }
        self.made.clear();
        let older = self.folder.join("CARD.md");
        if had_model && older.exists() {
            note!("{} describes the model that was replaced", older.display());
        }
        Ok(())
    }
}

impl Drop for Output {
    /// Leaves nothing of an import that failed.
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(self.staging());
        for folder in self.made.iter().rev() {
            let _kept_if_not_empty = fs::remove_dir(folder);
        }
    }
}

/// The path from the root without links, as far as it is there.
fn absolute(path: &Path) -> PathBuf {
    if let Ok(found) = path.canonicalize() {
        return found;
    }
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => absolute(parent),
        _ => Path::new(".").canonicalize().unwrap_or_default(),
    };
    match path.components().next_back() {
        Some(Component::ParentDir) => parent.parent().unwrap_or(&parent).to_owned(),
        Some(Component::Normal(name)) => parent.join(name),
        _ => parent,
    }
}
