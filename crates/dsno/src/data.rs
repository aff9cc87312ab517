//! The images of an experiment: which, whether they are there and whole, and their key.

mod cache;

use std::cell::{Cell, OnceCell};
use std::path::{Path, PathBuf};

use dsno_data::{DataError, DatasetSpec, ImageSet, Survey};

use self::cache::Cache;
use crate::console::note;
use crate::experiment::DataSettings;
use crate::failure::{Failure, While, sentence};
use crate::home::Home;
use crate::key::Key;
use crate::preflight::Needs;

/// Problems that are shown of each kind; the others are counted.
const SHOWN: usize = 5;
/// Reading more than this takes a while, so it is announced.
const ANNOUNCED_BYTES: u64 = 1 << 30;
/// What the key has in place of the content of files that are not there or cannot be read.
const MISSING: &str = "missing";

/// The `[data]` section with the specification that it names.
#[derive(Debug)]
pub(crate) struct Data {
    pub(crate) spec: DatasetSpec,
    /// Of the images themselves: of the specification and the content of the files.
    pub(crate) key: Key,
    /// The specification.
    file: PathBuf,
    root: PathBuf,
    size: usize,
    cache: Cache,
    checked: OnceCell<Result<(), Vec<Problem>>>,
    survey: OnceCell<Option<Survey>>,
    told: Cell<bool>,
}

/// What is wrong, and what to do about it.
#[derive(Debug)]
struct Problem {
    text: String,
    remedy: String,
}

impl Data {
    /// Reads the specification of a data set, and digests files whose content it does not say.
    ///
    /// # Errors
    ///
    /// A usage failure if there is none of this name, or if it cannot be read.
    pub(crate) fn find(settings: &DataSettings, home: &Home) -> Result<Self, Failure> {
        let Some(found) = home.dataset(&settings.set) else {
            return Err(Failure::usage(format!(
                "data.set is `{}`, expected one of {}",
                settings.set,
                home.datasets().join(", ")
            )));
        };
        let spec = DatasetSpec::load(&found.file)
            .or_usage("the data set")?
            .averaged_to(settings.image_size);
        let root = found.base.join(&settings.root);
        let cache = Cache::of(&spec, &root);
        let key = if spec.content_is_known() {
            Key::of("data", &(&spec, [(); 0]), &[])
        } else {
            Key::of("data", &(&spec, content(&spec, &root, &cache)), &[])
        };
        Ok(Self {
            key,
            spec,
            file: found.file,
            root,
            size: settings.image_size,
            cache,
            checked: OnceCell::new(),
            survey: OnceCell::new(),
            told: Cell::new(false),
        })
    }

    /// Channels, height and width.
    pub(crate) fn image_shape(&self) -> [usize; 3] {
        [self.spec.channels, self.size, self.size]
    }

    /// Number of images, without opening them; `None` if the files do not say it.
    pub(crate) fn count(&self) -> Option<usize> {
        self.survey().map(|survey| survey.images)
    }

    /// Opens the images, and says which unless that has been said.
    ///
    /// # Errors
    ///
    /// A failure at run time if a file is not what it should be.
    pub(crate) fn open(&self) -> Result<ImageSet, Failure> {
        self.tell();
        self.spec
            .open(&self.root)
            .while_doing("opening the data set")
    }

    /// Adds what is wrong with the files, or says how many images of which classes there are.
    pub(crate) fn needs(&self, needs: &mut Needs) {
        match self.checked.get_or_init(|| self.check()) {
            Ok(()) => self.tell(),
            Err(problems) => {
                let what = format!("images of `{}`", self.spec.name);
                for Problem { text, remedy } in problems {
                    needs.unmet(&what, text, remedy);
                }
            }
        }
    }

    fn survey(&self) -> Option<&Survey> {
        let survey = || self.spec.survey(&self.root).ok();
        self.survey.get_or_init(survey).as_ref()
    }

    /// Prints one line on the images, and one on pictures that are not read, once.
    fn tell(&self) {
        if self.told.replace(true) {
            return;
        }
        if let Some(survey) = self.survey() {
            let name = &self.spec.name;
            note!("{name:>18}: {survey}");
            if let Some(notice) = survey.notice() {
                note!("{name:>18}: {notice}");
            }
        }
    }

    /// Everything that can be found before the images are opened; a set that was found whole is not
    /// looked at again until its files change.
    fn check(&self) -> Result<(), Vec<Problem>> {
        if self.cache.is_whole() {
            return Ok(());
        }
        match self.spec.check(&self.root) {
            Ok(survey) => {
                self.cache.store_whole();
                let _known = self.survey.set(Some(survey));
                Ok(())
            }
            Err(errors) => Err(self.problems(&errors)),
        }
    }

    /// One problem for each remedy, with the first errors that it is for.
    fn problems(&self, errors: &[DataError]) -> Vec<Problem> {
        let mut problems: Vec<(String, Vec<String>)> = Vec::new();
        for error in errors {
            let text = match error {
                DataError::MissingFile { path, .. } => format!("{} is not there", path.display()),
                other => sentence(other),
            };
            let remedy = self.remedy(error);
            match problems.iter_mut().find(|(known, _)| *known == remedy) {
                Some((_, texts)) => texts.push(text),
                None => problems.push((remedy, vec![text])),
            }
        }
        let problems = problems.into_iter().map(|(remedy, texts)| {
            let more = match texts.len().saturating_sub(SHOWN) {
                0 => String::new(),
                n => format!("; and {n} more"),
            };
            let text = texts[..texts.len().min(SHOWN)].join("; ") + &more;
            Problem { text, remedy }
        });
        problems.collect()
    }

    fn remedy(&self, error: &DataError) -> String {
        let file = self.file.display();
        match error {
            DataError::MissingFile { .. } => {
                let obtain = &self.spec.obtain;
                format!("{obtain}; another folder is `--set data.root=DIR`")
            }
            DataError::Size { .. }
            | DataError::Digest { .. }
            | DataError::Empty { .. }
            | DataError::Unread { .. } => self.spec.obtain.clone(),
            DataError::Decode { .. } => "replace these files, or take them out".to_owned(),
            DataError::ImageSize { .. } => "make all pictures of one size".to_owned(),
            DataError::Average { .. } | DataError::Pad { .. } => {
                format!(
                    "give the set another `pad_to` in {file}, or `--set data.image_size=PIXELS`"
                )
            }
            DataError::Mixed { .. } | DataError::EmptyClass { .. } => {
                "sort the pictures into one folder, or into one folder for each class".to_owned()
            }
            DataError::NoClassFolders { .. } => {
                format!(
                    "sort the pictures into one sub-folder for each class, or set `classes = 0` in {file}"
                )
            }
            _ => format!("correct {file}, or the files"),
        }
    }
}

/// The digest of all that is read, from the cache if the files have not changed.
fn content(spec: &DatasetSpec, root: &Path, cache: &Cache) -> String {
    if let Some(known) = cache.content() {
        return known;
    }
    let files = spec.data_files(root).unwrap_or_default().into_iter();
    let bytes: u64 = files
        .filter_map(|file| Some(file.metadata().ok()?.len()))
        .sum();
    if bytes > ANNOUNCED_BYTES {
        let name = &spec.name;
        note!("{name:>18}: every file is read once, to know it again");
    }
    match spec.content(root) {
        Ok(content) => {
            cache.store_content(&content);
            content
        }
        Err(_unreadable) => MISSING.to_owned(),
    }
}
