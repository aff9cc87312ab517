//! What can go wrong with pictures.

use std::path::PathBuf;

use dsno_checkpoint::atomic::WriteError;
use dsno_checkpoint::npy::NpyError;

/// Why pictures could not be made, read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PictureError {
    /// The numbers of values and pixels differ, or there is no pixel, or a wrong number of
    /// channels.
    #[error(
        "{found} values are no {count} pictures of {height}×{width} pixels with {channels} channels \
         (1 or 3)"
    )]
    Shape {
        /// Number of values.
        found: usize,
        /// Number of pictures.
        count: usize,
        /// Height in pixels.
        height: usize,
        /// Width in pixels.
        width: usize,
        /// Number of channels.
        channels: usize,
    },
    /// The picture asked for does not exist.
    #[error("picture {index} asked for, there are {count}")]
    Index {
        /// Position asked for.
        index: usize,
        /// Number of pictures.
        count: usize,
    },
    /// An archive has no byte array of three or four axes.
    #[error("{} has no array of bytes with axes N×H×W×C or N×H×W", path.display())]
    NoPictures {
        /// The archive.
        path: PathBuf,
    },
    /// An array is not one of pictures.
    #[error(
        "{} holds {found} with shape {shape:?}, expected pictures: |u1 with axes N×H×W×C or N×H×W",
        path.display()
    )]
    Array {
        /// The file.
        path: PathBuf,
        /// NumPy's name of its element type.
        found: &'static str,
        /// Its shape.
        shape: Vec<usize>,
    },
    /// The PNG encoder refused, for example because a grid is too large.
    #[error("cannot encode a PNG of {width}×{height} pixels: {source}")]
    Encode {
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
        /// The reason.
        source: png::EncodingError,
    },
    /// A file or folder could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// An archive could not be read or written.
    #[error(transparent)]
    Archive(#[from] NpyError),
}
