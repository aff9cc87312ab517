//! What can be wrong with a data set.

use std::io;
use std::path::{Path, PathBuf};

/// Why a data set could not be opened. Each message names the file and what was expected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// A file or folder that the set needs is not there.
    #[error("data set `{set}` needs {}, which is missing: {obtain}", path.display())]
    MissingFile {
        /// Name of the data set.
        set: String,
        /// The file or folder.
        path: PathBuf,
        /// How to get it.
        obtain: String,
    },
    /// The system refused to read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The reason given by the system.
        source: io::Error,
    },
    /// The specification is not valid TOML or has a wrong key or type.
    #[error("cannot read the data set specification {}: {source}", path.display())]
    Spec {
        /// The specification.
        path: PathBuf,
        /// The reason, with line and column.
        source: Box<toml::de::Error>,
    },
    /// A file has another size than the specification says: truncated, or another file.
    #[error("{} holds {found} bytes, expected {expected}", path.display())]
    Size {
        /// The file.
        path: PathBuf,
        /// Bytes found, after decompression; when there are too many, one more than expected.
        found: u64,
        /// Bytes expected.
        expected: u64,
    },
    /// A file has the right size but other content.
    #[error("{} has SHA-256 {found}, expected {expected}: fetch it again", path.display())]
    Digest {
        /// The file.
        path: PathBuf,
        /// Digest of the (decompressed) content.
        found: String,
        /// Digest in the specification.
        expected: String,
    },
    /// A file does not begin as an IDX file.
    #[error("{} begins with {found:#010x}, expected IDX, such as 0x00000803 for bytes with three axes", path.display())]
    IdxMagic {
        /// The file.
        path: PathBuf,
        /// First four bytes, big-endian.
        found: u32,
    },
    /// An IDX file has other axes than images or labels have.
    #[error("{} has the shape {shape:?}, expected {expected}", path.display())]
    IdxAxes {
        /// The file.
        path: PathBuf,
        /// Shape in the header.
        shape: Vec<u64>,
        /// The shapes that are read.
        expected: &'static str,
    },
    /// An element of an IDX file of integers or reals is no pixel, or no label.
    #[error("element {index} of {} is {value}, expected an integer from 0 to {largest}", path.display())]
    IdxValue {
        /// The file.
        path: PathBuf,
        /// Position among the elements, counted from 0.
        index: usize,
        /// The element.
        value: f64,
        /// Largest value that would be right.
        largest: u32,
    },
    /// The header describes more elements than any file holds.
    #[error("{} has the impossible shape {shape:?}", path.display())]
    IdxShape {
        /// The file.
        path: PathBuf,
        /// Shape in the header.
        shape: Vec<u64>,
    },
    /// Numbers of labels and of images differ.
    #[error("{} has {labels} labels for {images} images", path.display())]
    LabelCount {
        /// The file with the labels.
        path: PathBuf,
        /// Number of labels.
        labels: usize,
        /// Number of images.
        images: usize,
    },
    /// A label is not a class of the set.
    #[error("label {label} of image {index} in {} is not below {classes}", path.display())]
    Label {
        /// The file or folder with the labels.
        path: PathBuf,
        /// Position of the image.
        index: usize,
        /// The label.
        label: u32,
        /// Number of classes.
        classes: u32,
    },
    /// A line of a label table cannot be read.
    #[error("line {line} of {} is not `index,label,…` with index {expected}", path.display())]
    LabelLine {
        /// The table.
        path: PathBuf,
        /// Line, counted from 1.
        line: usize,
        /// Index that this line should have.
        expected: usize,
    },
    /// A picture cannot be decoded.
    #[error("cannot decode {}: {source}", path.display())]
    Decode {
        /// The picture.
        path: PathBuf,
        /// The reason.
        source: DecodeError,
    },
    /// A picture has another size than the rest of the set.
    #[error("{} is {}×{} pixels, expected {}×{}", path.display(),
        found[1], found[0], expected[1], expected[0])]
    ImageSize {
        /// The picture.
        path: PathBuf,
        /// Height and width found.
        found: [usize; 2],
        /// Height and width expected.
        expected: [usize; 2],
    },
    /// A sprite sheet is too small for the number of images in its table.
    #[error("{} has room for {room} images of {tile}×{tile}, its table lists {listed}", path.display())]
    SheetRoom {
        /// The sheet.
        path: PathBuf,
        /// Images that fit.
        room: usize,
        /// Images listed.
        listed: usize,
        /// Side of one image in pixels.
        tile: usize,
    },
    /// There is no image in the file or folder.
    #[error("no images in {}", path.display())]
    Empty {
        /// The file or folder.
        path: PathBuf,
    },
    /// All pictures of a folder are in formats that are not read.
    #[error("no images in {} that are read (PNG, JPEG, WebP, BMP), but {unread}", path.display())]
    Unread {
        /// The folder.
        path: PathBuf,
        /// Number and kind of the pictures that are not read.
        unread: String,
    },
    /// A folder has pictures and, beside them, sub-folders with pictures.
    #[error(
        "{} holds both pictures ({pictures}) and sub-folders of pictures (such as {}), expected one or the other",
        path.display(), folder.display()
    )]
    Mixed {
        /// The folder.
        path: PathBuf,
        /// Number of pictures directly in it.
        pictures: usize,
        /// The first sub-folder that has pictures.
        folder: PathBuf,
    },
    /// A class folder has no pictures.
    #[error("class folder {} has no pictures{}", path.display(), deeper(nested.as_deref()))]
    EmptyClass {
        /// The folder of the class.
        path: PathBuf,
        /// A folder below it that has some.
        nested: Option<PathBuf>,
    },
    /// A set with classes is a folder without sub-folders.
    #[error("{classes} classes asked for, no sub-folders in {}", path.display())]
    NoClassFolders {
        /// The folder.
        path: PathBuf,
        /// Number of classes asked for.
        classes: u32,
    },
    /// A set with classes names no file of labels.
    #[error(
        "{classes} classes asked for, but `format` of data set `{set}` names no file of labels"
    )]
    NoLabels {
        /// Name of the data set.
        set: String,
        /// Number of classes asked for.
        classes: u32,
    },
    /// There are more or fewer class folders than classes.
    #[error("{classes} classes asked for, {} has {} sub-folders: {}", path.display(),
        folders.len(), some_of(folders))]
    ClassCount {
        /// The folder.
        path: PathBuf,
        /// Number of classes asked for.
        classes: u32,
        /// Names of the class folders, in order.
        folders: Vec<String>,
    },
    /// There are more or fewer names than classes.
    #[error("data set `{set}` has {names} class_names for {classes} classes")]
    NameCount {
        /// Name of the data set.
        set: String,
        /// Number of names.
        names: usize,
        /// Number of classes.
        classes: u32,
    },
    /// The names of the classes are not those of the folders, or in another order.
    #[error(
        "class_names of data set `{set}` are [{}], but the sub-folders of {} are [{}] in their order",
        some_of(names), path.display(), some_of(folders)
    )]
    ClassNames {
        /// Name of the data set.
        set: String,
        /// The folder.
        path: PathBuf,
        /// Names of the specification.
        names: Vec<String>,
        /// Names of the class folders, in order.
        folders: Vec<String>,
    },
    /// The number of colour channels is neither 1 nor 3, or not that of the files.
    #[error("data set `{set}` asks for {asked} channels, its images have {found}")]
    Channels {
        /// Name of the data set.
        set: String,
        /// Channels asked for.
        asked: usize,
        /// Channels of the images.
        found: usize,
    },
    /// The size to pad to is smaller than the image.
    #[error("cannot pad {height}×{width} images to {to}×{to}")]
    Pad {
        /// Height of the images.
        height: usize,
        /// Width of the images.
        width: usize,
        /// Side asked for.
        to: usize,
    },
    /// Images cannot be averaged exactly to the size asked for.
    #[error(
        "cannot average {height}×{width} images to {to}×{to}: \
         only square images, by a whole factor up to 16"
    )]
    Average {
        /// Height of the images.
        height: usize,
        /// Width of the images.
        width: usize,
        /// Side asked for.
        to: usize,
    },
    /// A part of a set reaches beyond its end or is empty.
    #[error("images {start}..{end} asked for, the set has {len}")]
    Range {
        /// First image asked for.
        start: usize,
        /// One past the last image asked for.
        end: usize,
        /// Number of images.
        len: usize,
    },
}

/// Lists names, but not hundreds of them.
fn some_of(names: &[String]) -> String {
    const SHOWN: usize = 12;
    let shown = names[..names.len().min(SHOWN)].join(", ");
    match names.len() {
        0..=SHOWN => shown,
        n => format!("{shown} and {} more", n - SHOWN),
    }
}

fn deeper(nested: Option<&Path>) -> String {
    nested.map_or_else(String::new, |folder| {
        format!("; they are one level too deep, in {}", folder.display())
    })
}

/// Why a picture could not be decoded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The file is damaged PNG.
    #[error("{0}")]
    Png(#[from] png::DecodingError),
    /// The file is damaged JPEG.
    #[error("{0}")]
    Jpeg(#[from] zune_jpeg::errors::DecodeErrors),
    /// The file is damaged WebP.
    #[error("{0}")]
    WebP(#[from] image_webp::DecodingError),
    /// The file is damaged BMP, or of a kind that is not read.
    #[error("{0}")]
    Bmp(&'static str),
    /// The file is WebP or BMP under the name of another format.
    #[error("it is a {0} picture: rename it, or convert it")]
    Misnamed(&'static str),
    /// The file is something else, and known.
    #[error("it is {0}")]
    Other(&'static str),
    /// The file is no picture in a format that is read.
    #[error("it is neither PNG, JPEG, WebP nor BMP")]
    Unknown,
    /// The header promises more pixels than the file can hold.
    #[error("it claims to be {width}×{height} pixels, impossible in {file_bytes} bytes")]
    TooLarge {
        /// Width in its header.
        width: usize,
        /// Height in its header.
        height: usize,
        /// Size of the file.
        file_bytes: usize,
    },
}
