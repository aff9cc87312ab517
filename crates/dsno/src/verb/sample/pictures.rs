//! Samples as pictures: a folder of PNG files with a sheet beside it, or an archive.

use std::fs;
use std::path::{Path, PathBuf};

use dsno_checkpoint::npy::{self, Array, Values};
use dsno_data::picture::{PictureError, Uint8Images};

use crate::console::{note, say};
use crate::failure::{Failure, While};
use crate::output;

/// Pictures on the sheet, at most, and its columns.
const SHEET: usize = 100;
const COLUMNS: usize = 10;
/// The sheet is enlarged to about this many pixels.
const SHEET_PIXELS: usize = 256;

/// Bytes of all pictures, `[N, H, W, C]`.
pub(super) struct Pictures {
    /// Channels, height and width.
    shape: [usize; 3],
    bytes: Vec<u8>,
}

impl Pictures {
    pub(super) fn new(shape: [usize; 3]) -> Self {
        Self {
            shape,
            bytes: Vec::new(),
        }
    }

    /// Takes in images `[n, C, H, W]` in `[-1, 1]`.
    pub(super) fn push(&mut self, images: &[f32]) -> Result<(), Failure> {
        let [c, h, w] = self.shape;
        let made = Uint8Images::from_values(images, [images.len() / (c * h * w), c, h, w]);
        let made = made.while_doing("turning samples into pictures")?;
        self.bytes.extend_from_slice(made.bytes());
        Ok(())
    }

    /// The pictures `range`.
    fn some(&self, range: std::ops::Range<usize>) -> Result<Uint8Images, PictureError> {
        let [c, h, w] = self.shape;
        let image = c * h * w;
        let bytes = self.bytes[range.start * image..range.end * image].to_vec();
        Uint8Images::new(range.len(), h, w, c, bytes)
    }

    fn count(&self) -> usize {
        self.bytes.len() / self.shape.iter().product::<usize>()
    }

    /// Writes a PNG of each into a folder, and a sheet of the first ones beside it.
    pub(super) fn write_folder(
        &self,
        folder: &Path,
        labels: Option<&[u32]>,
    ) -> Result<(), Failure> {
        fs::create_dir_all(folder).while_doing(format!("cannot create {}", folder.display()))?;
        // As many digits as the last number has, so that names sort by number.
        let digits = (self.count() - 1).to_string().len().max(5);
        for index in 0..self.count() {
            let class = labels.map_or(String::new(), |labels| format!("-class{}", labels[index]));
            let path = folder.join(format!("{index:0digits$}{class}.png"));
            let one = self.some(index..index + 1);
            one.and_then(|one| one.save_png(0, path))
                .while_doing("writing pictures")?;
        }
        say!("{}", folder.display());
        let Some(sheet) = sheet_beside(folder) else {
            return Ok(());
        };
        match self.write_sheet(&sheet) {
            Ok(()) => say!("{}", sheet.display()),
            // The folder may be all that can be written, as in a container that mounts nothing else.
            Err(PictureError::Write(error)) => note!("no sheet of the pictures: {error}"),
            Err(other) => return Err(other).while_doing("drawing the sheet"),
        }
        Ok(())
    }

    fn write_sheet(&self, path: &Path) -> Result<(), PictureError> {
        let shown = self.count().min(SHEET);
        let columns = shown.min(COLUMNS);
        let sheet = self
            .some(0..shown)?
            .grid(shown.div_ceil(columns), columns)?;
        let factor = (SHEET_PIXELS / (self.shape[1] * columns)).max(1);
        sheet.enlarged(factor).save_png(0, path)
    }

    /// Writes all pictures and their labels as one archive.
    pub(super) fn write_archive(&self, path: &Path, labels: Option<&[u32]>) -> Result<(), Failure> {
        let [c, h, w] = self.shape;
        let pictures = Array {
            shape: vec![self.count(), h, w, c],
            values: Values::U8(self.bytes.clone()),
        };
        let labels = labels.map(output::label_array);
        let mut arrays = vec![("arr_0", &pictures)];
        arrays.extend(labels.as_ref().map(|labels| ("arr_1", labels)));
        output::make_parent(path)?;
        npy::write_npz(path, &arrays).while_doing("writing the archive")?;
        say!("{}", path.display());
        Ok(())
    }
}

/// `DIR-grid.png`; `None` for the root of all folders.
fn sheet_beside(folder: &Path) -> Option<PathBuf> {
    let folder = match folder.file_name() {
        Some(_) => folder.to_path_buf(),
        None => fs::canonicalize(folder).ok()?,
    };
    let name = folder.file_name()?.to_string_lossy().into_owned();
    Some(folder.with_file_name(format!("{name}-grid.png")))
}
