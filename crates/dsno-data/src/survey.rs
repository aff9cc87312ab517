//! How many images of which classes a set has.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::path::Path;

use crate::error::DataError;
use crate::image_set::listing::Listing;

/// Classes up to this number are named one by one.
const NAMED: usize = 6;

/// How many images of which classes a set has, without its pixels.
///
/// It is shown as `16 images, 2 classes: cat 8, dog 8`, or `70000 images, 10 classes of 6903 to 7877`.
///
/// # Examples
///
/// ```
/// use dsno_data::{Survey, picture::Uint8Images};
///
/// let folder = tempfile::tempdir()?;
/// Uint8Images::new(3, 1, 1, 1, vec![1, 2, 3])?.save_png_folder(folder.path(), 0)?;
/// std::fs::write(folder.path().join("x.tiff"), "II*")?;
/// let survey = Survey::of_folder(folder.path())?;
/// assert_eq!(survey.to_string(), "3 images");
/// assert!(survey.notice().is_some_and(|text| text.contains("1 tiff")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    /// Number of images.
    pub images: usize,
    /// Name of each class and number of its images, in order; empty for a set without classes.
    pub classes: Vec<(String, usize)>,
    /// Number of pictures that are not read, by the ending of their names.
    pub unread: BTreeMap<String, usize>,
}

impl Survey {
    /// Counts the pictures of a folder as [`ImageSet::from_folder`](crate::ImageSet::from_folder)
    /// reads them.
    ///
    /// # Errors
    ///
    /// [`DataError::MissingFile`], [`DataError::Read`], [`DataError::Empty`], [`DataError::Unread`],
    /// [`DataError::Mixed`] and [`DataError::EmptyClass`].
    pub fn of_folder(path: impl AsRef<Path>) -> Result<Self, DataError> {
        Ok(Self::of(&Listing::of(path.as_ref())?))
    }

    pub(crate) fn of(listing: &Listing) -> Self {
        let labels = listing.files.iter().map(|&(_, label)| label);
        Self {
            unread: listing.unread.clone(),
            ..Self::counted(listing.files.len(), labels, listing.classes.clone())
        }
    }

    /// Counts labels, each below the number of names.
    pub(crate) fn counted(
        images: usize,
        labels: impl Iterator<Item = u32>,
        names: Vec<String>,
    ) -> Self {
        let mut classes: Vec<(String, usize)> = names.into_iter().map(|name| (name, 0)).collect();
        for label in labels {
            if let Some((_, count)) = classes.get_mut(label as usize) {
                *count += 1;
            }
        }
        Self {
            images,
            classes,
            unread: BTreeMap::new(),
        }
    }

    /// A sentence on pictures that are not read, if there are any.
    pub fn notice(&self) -> Option<String> {
        let count: usize = self.unread.values().sum();
        let are = match count {
            0 => return None,
            1 => "picture is",
            _ => "pictures are",
        };
        let kinds = unread(&self.unread);
        Some(format!(
            "{count} {are} not read ({kinds}), only PNG, JPEG, WebP and BMP"
        ))
    }
}

impl Display for Survey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let images = if self.images == 1 { "image" } else { "images" };
        write!(f, "{} {images}", self.images)?;
        let number = self.classes.len();
        let counts = || self.classes.iter().map(|&(_, count)| count);
        let (Some(least), Some(most)) = (counts().min(), counts().max()) else {
            return Ok(());
        };
        let classes = if number == 1 { "class" } else { "classes" };
        write!(f, ", {number} {classes}")?;
        if number <= NAMED {
            let named = self.classes.iter();
            let named: Vec<String> = named
                .map(|(name, count)| format!("{name} {count}"))
                .collect();
            write!(f, ": {}", named.join(", "))
        } else if least == most {
            write!(f, " of {least}")
        } else {
            write!(f, " of {least} to {most}")
        }
    }
}

/// Lists kinds of pictures with their numbers: `4 gif, 2 tiff`.
pub(crate) fn unread(kinds: &BTreeMap<String, usize>) -> String {
    let kinds = kinds.iter();
    let kinds: Vec<String> = kinds
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    kinds.join(", ")
}
