//! Which images and classes a set has, and whether they are those of its specification.

use std::path::Path;

use super::{DatasetSpec, Format};
use crate::error::DataError;
use crate::image_set::listing::Listing;
use crate::image_set::{idx, table};
use crate::survey::Survey;

impl DatasetSpec {
    /// Counts images and classes: from a header, a table, the labels or a listing, without pixels.
    ///
    /// # Errors
    ///
    /// * [`DataError::MissingFile`], [`DataError::Read`] and those of the format if the files that
    ///   say it cannot be read.
    /// * [`DataError::NameCount`], [`DataError::ClassCount`], [`DataError::ClassNames`],
    ///   [`DataError::EmptyClass`], [`DataError::NoClassFolders`], [`DataError::NoLabels`] and
    ///   [`DataError::Label`] if classes are not as described.
    pub fn survey(&self, root: impl AsRef<Path>) -> Result<Survey, DataError> {
        let root = root.as_ref();
        let (images, labels) = match &self.format {
            Format::Idx { images, labels } => {
                self.check_labels(labels.is_some())?;
                let (count, ..) = idx::header(&root.join(images))?;
                let labels = labels
                    .as_ref()
                    .map(|path| idx::labels(&root.join(path), count));
                (count, labels.transpose()?.unwrap_or_default())
            }
            Format::ImageFolder { path } => {
                return Ok(self.without_classes(Survey::of(&self.listing(&root.join(path))?)));
            }
            Format::PngSheet { table, .. } => {
                let labels = table::labels(&root.join(table))?;
                (labels.len(), labels)
            }
        };
        self.check_names()?;
        let mut wrong = labels.iter().enumerate();
        let wrong = wrong.find(|&(_, &label)| self.classes > 0 && label >= self.classes);
        if let Some((index, &label)) = wrong {
            return Err(self.wrong_label(root, index, label));
        }
        // No more names than labels could have: the number of classes may be a slip of the hand.
        let numbered = || (0..self.classes).map(|class| class.to_string()).collect();
        let names = if self.class_names.is_empty() && self.classes as usize <= images {
            numbered()
        } else {
            self.class_names.clone()
        };
        let survey = Survey::counted(images, labels.into_iter(), names);
        Ok(self.without_classes(survey))
    }

    fn without_classes(&self, mut survey: Survey) -> Survey {
        if self.classes == 0 {
            survey.classes.clear();
        }
        survey
    }

    /// The pictures of a folder, its class folders checked against the classes asked for.
    pub(super) fn listing(&self, folder: &Path) -> Result<Listing, DataError> {
        self.check_names()?;
        let listing = Listing::of(folder)?;
        let (classes, path) = (self.classes, folder.to_path_buf());
        if classes == 0 {
            return Ok(listing);
        }
        let folders = listing.classes.clone();
        if folders.is_empty() {
            return Err(DataError::NoClassFolders { path, classes });
        }
        // A folder that is numbered holds the class of that number, whatever the class is called.
        let numbered = folders.iter().enumerate();
        let numbered = numbered.into_iter().all(|(n, name)| *name == n.to_string());
        let names = &self.class_names;
        if !names.is_empty() && *names != folders && !numbered {
            let (set, names) = (self.name.clone(), names.clone());
            return Err(DataError::ClassNames {
                set,
                path,
                names,
                folders,
            });
        }
        if folders.len() != classes as usize {
            return Err(DataError::ClassCount {
                path,
                classes,
                folders,
            });
        }
        Ok(listing)
    }

    /// Checks that there are as many names as classes, or none.
    pub(super) fn check_names(&self) -> Result<(), DataError> {
        let (names, classes) = (self.class_names.len(), self.classes);
        if classes == 0 || names == 0 || names == classes as usize {
            return Ok(());
        }
        let set = self.name.clone();
        Err(DataError::NameCount {
            set,
            names,
            classes,
        })
    }

    /// Checks that a set with classes has labels.
    pub(super) fn check_labels(&self, has_labels: bool) -> Result<(), DataError> {
        if has_labels || self.classes == 0 {
            return Ok(());
        }
        let (set, classes) = (self.name.clone(), self.classes);
        Err(DataError::NoLabels { set, classes })
    }
}
