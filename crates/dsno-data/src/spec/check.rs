//! Everything about a set that can be wrong, found before hours of work.

use std::path::Path;

use super::{DatasetSpec, Format};
use crate::error::DataError;
use crate::image_set::{folder, idx, sprite_sheet};
use crate::survey::Survey;

impl DatasetSpec {
    /// Looks at every file of a set as [`open`](Self::open) would, without keeping the pixels.
    ///
    /// Digests of files with known content, the size of every picture, labels, classes and numbers
    /// are checked. Pictures are decoded: all of up to 5,000 or 64 MiB, of larger folders about a
    /// thousand, the first and the last among them, and those that do not end as their format asks.
    ///
    /// # Errors
    ///
    /// All that is wrong, up to a hundred pictures; the list is not empty. The errors are those of
    /// [`open`](Self::open) and [`survey`](Self::survey).
    pub fn check(&self, root: impl AsRef<Path>) -> Result<Survey, Vec<DataError>> {
        let root = root.as_ref();
        let missing = self.missing_files(root).into_iter();
        let mut problems: Vec<DataError> = missing.map(|path| self.missing(path)).collect();
        if problems.is_empty() {
            let wrong = self.files.iter().filter_map(|file| file.verify(root).err());
            problems.extend(wrong);
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let survey = match self.survey(root) {
            Ok(survey) => survey,
            Err(error) => return Err(vec![error]),
        };
        self.check_images(root, &survey, &mut problems);
        if problems.is_empty() {
            Ok(survey)
        } else {
            Err(problems)
        }
    }

    fn check_images(&self, root: &Path, survey: &Survey, problems: &mut Vec<DataError>) {
        let found = match &self.format {
            Format::Idx { images, .. } => {
                let path = root.join(images);
                idx::check(&path)
                    .and_then(|()| idx::header(&path))
                    .map(|(_, size, channels)| Some((size, channels)))
            }
            Format::ImageFolder { path } => {
                let path = root.join(path);
                folder::options(&path, self.channels, self.exif_rotation).and_then(|options| {
                    let size = folder::check(&self.listing(&path)?, options, problems);
                    Ok(size.map(|size| (size, self.channels)))
                })
            }
            Format::PngSheet { sheet, tile, .. } => {
                sprite_sheet::check(&root.join(sheet), survey.images, *tile)
                    .map(|()| Some(([*tile; 2], sprite_sheet::CHANNELS)))
            }
        };
        let fits = found.and_then(|found| {
            found.map_or(Ok(()), |(size, channels)| {
                self.check_channels(channels)?;
                self.prepare().plan(size).map(|_| ())
            })
        });
        problems.extend(fits.err());
    }
}
