//! IDX, the format of MNIST and its successors: a magic number, the shape, then the elements.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::ImageSet;
use super::gather::{Gather, Prepare};
use crate::error::DataError;
use crate::source::{self, Source};

/// The number of axes of any file here is below this.
const MOST_AXES: u8 = 8;
/// Elements that are converted together, of files that do not hold bytes.
const BLOCK: usize = 4096;

/// Type of the elements; all are big-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Element {
    U8,
    I8,
    I16,
    I32,
    F32,
    F64,
}

/// A file of which the header was read.
struct File {
    path: PathBuf,
    element: Element,
    shape: Vec<u64>,
    /// Product of the shape.
    elements: usize,
    header_bytes: u64,
    source: Source,
    /// Elements read so far.
    read: usize,
}

/// A file of images.
struct Images {
    file: File,
    count: usize,
    size: [usize; 2],
    channels: usize,
}

pub(crate) fn read(
    images: &Path,
    labels: Option<&Path>,
    prepare: Prepare,
) -> Result<ImageSet, DataError> {
    let mut images = Images::open(images)?;
    let labels = labels.map(|path| self::labels(path, images.count));
    let labels = labels.transpose()?;
    let image_len = images.image_len();
    let room = images.count.min(images.file.most_elements() / image_len);
    let mut gather = Gather::new(prepare, images.channels, images.size, room)?;
    images.each(|planes| gather.push(planes))?;
    let classes = labels.iter().flatten().max();
    let classes = classes.map_or(0, |&largest| largest + 1);
    Ok(gather.finish(labels, classes))
}

/// Number of images, their size and their channels, as the header says.
pub(crate) fn header(images: &Path) -> Result<(usize, [usize; 2], usize), DataError> {
    let images = Images::open(images)?;
    Ok((images.count, images.size, images.channels))
}

/// Checks that all images are there: by the length of the file where that says it.
pub(crate) fn check(images: &Path) -> Result<(), DataError> {
    let mut images = Images::open(images)?;
    let file = &images.file;
    if file.element == Element::U8
        && let Some(found) = file.source.plain_bytes
    {
        return file.has_length(found);
    }
    images.each(|_| ())
}

/// Reads the labels of so many images.
pub(crate) fn labels(path: &Path, images: usize) -> Result<Vec<u32>, DataError> {
    let mut file = File::open(path)?;
    let rest: u64 = file.shape.iter().skip(1).product();
    if file.shape.is_empty() || rest != 1 {
        return Err(file.axes("one label for each image, [N]"));
    }
    if file.elements != images {
        return Err(DataError::LabelCount {
            path: file.path,
            labels: file.elements,
            images,
        });
    }
    let mut labels = Vec::with_capacity(images.min(file.most_elements()));
    let mut block = Vec::new();
    while labels.len() < images {
        block.clear();
        file.next(BLOCK.min(images - labels.len()), &mut block)?;
        let start = labels.len();
        for (at, &value) in block.iter().enumerate() {
            labels.push(file.integer(start + at, value, u32::MAX - 1)?);
        }
    }
    file.ended()?;
    Ok(labels)
}

impl Images {
    fn open(path: &Path) -> Result<Self, DataError> {
        const EXPECTED: &str = "images, [N, H, W] or [N, H, W, C] with 1 or 3 channels";
        let file = File::open(path)?;
        let (count, size, channels) = match file.shape[..] {
            [n, h, w] => (n, [h, w], 1),
            [n, h, w, c @ (1 | 3)] => (n, [h, w], c),
            _ => return Err(file.axes(EXPECTED)),
        };
        if file.elements == 0 {
            return Err(DataError::Empty { path: file.path });
        }
        Ok(Self {
            file,
            count: count as usize,
            size: size.map(|side| side as usize),
            channels: channels as usize,
        })
    }

    fn image_len(&self) -> usize {
        self.channels * self.size[0] * self.size[1]
    }

    /// Reads all images, each as `[C, H, W]`, and checks that nothing follows.
    fn each(&mut self, mut visit: impl FnMut(&[u8])) -> Result<(), DataError> {
        let len = self.image_len();
        let (mut pixels, mut planes) = (Vec::new(), Vec::new());
        let mut values = Vec::new();
        for index in 0..self.count {
            pixels.clear();
            if self.file.element == Element::U8 {
                self.file.next_bytes(len, &mut pixels)?;
            } else {
                values.clear();
                self.file.next(len, &mut values)?;
                for (at, &value) in values.iter().enumerate() {
                    pixels.push(self.file.integer(index * len + at, value, 255)? as u8);
                }
            }
            planes.clear();
            for channel in 0..self.channels {
                planes.extend(pixels.iter().skip(channel).step_by(self.channels));
            }
            visit(&planes);
        }
        self.file.ended()
    }
}

impl Element {
    fn of(code: u8) -> Option<Self> {
        Some(match code {
            0x08 => Self::U8,
            0x09 => Self::I8,
            0x0b => Self::I16,
            0x0c => Self::I32,
            0x0d => Self::F32,
            0x0e => Self::F64,
            _ => return None,
        })
    }

    fn bytes(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::I16 => 2,
            Self::I32 | Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    fn append(self, bytes: &[u8], values: &mut Vec<f64>) {
        fn all<const N: usize>(bytes: &[u8], values: &mut Vec<f64>, value: fn([u8; N]) -> f64) {
            let (elements, _) = bytes.as_chunks::<N>();
            values.extend(elements.iter().map(|&element| value(element)));
        }
        match self {
            Self::U8 => all::<1>(bytes, values, |[byte]| byte.into()),
            Self::I8 => all(bytes, values, |b| i8::from_be_bytes(b).into()),
            Self::I16 => all(bytes, values, |b| i16::from_be_bytes(b).into()),
            Self::I32 => all(bytes, values, |b| i32::from_be_bytes(b).into()),
            Self::F32 => all(bytes, values, |b| f32::from_be_bytes(b).into()),
            Self::F64 => all(bytes, values, f64::from_be_bytes),
        }
    }
}

impl File {
    fn open(path: &Path) -> Result<Self, DataError> {
        let path = source::locate(path)?;
        let mut source = source::open(&path)?;
        let start = source::read_up_to(&mut source, &path, 4)?;
        let word = start
            .iter()
            .fold(0, |word, &byte| word << 8 | u32::from(byte));
        let element = Element::of((word >> 8) as u8).filter(|_| start.len() == 4);
        let axes = word as u8;
        let Some(element) = element.filter(|_| word >> 16 == 0 && axes < MOST_AXES) else {
            return Err(DataError::IdxMagic { path, found: word });
        };
        let header_bytes = 4 + 4 * u64::from(axes);
        let shape = source::read_up_to(&mut source, &path, header_bytes - 4)?;
        let found = 4 + shape.len() as u64;
        if found != header_bytes {
            return Err(DataError::Size {
                path,
                found,
                expected: header_bytes,
            });
        }
        let (shape, _) = shape.as_chunks::<4>();
        let shape: Vec<u64> = shape
            .iter()
            .map(|&n| u32::from_be_bytes(n).into())
            .collect();
        let elements = shape
            .iter()
            .try_fold(1_u64, |product, &n| product.checked_mul(n))
            .filter(|&n| isize::try_from(n.saturating_mul(element.bytes() as u64)).is_ok());
        let Some(elements) = elements else {
            return Err(DataError::IdxShape { path, shape });
        };
        Ok(Self {
            path,
            element,
            shape,
            elements: elements as usize,
            header_bytes,
            source,
            read: 0,
        })
    }

    /// An error for a shape that is not read.
    fn axes(self, expected: &'static str) -> DataError {
        DataError::IdxAxes {
            path: self.path,
            shape: self.shape,
            expected,
        }
    }

    /// Elements that the file can hold, whatever its header says.
    fn most_elements(&self) -> usize {
        self.source.most_bytes() as usize / self.element.bytes()
    }

    fn has_length(&self, found: u64) -> Result<(), DataError> {
        let expected = self.header_bytes + (self.elements * self.element.bytes()) as u64;
        if found == expected {
            return Ok(());
        }
        Err(DataError::Size {
            path: self.path.clone(),
            found: found.min(expected + 1),
            expected,
        })
    }

    /// Appends the bytes of the next `count` elements; memory grows with those that are there.
    fn next_bytes(&mut self, count: usize, bytes: &mut Vec<u8>) -> Result<(), DataError> {
        let (before, size) = (bytes.len(), self.element.bytes());
        let limit = (count * size) as u64;
        let read = (&mut self.source).take(limit).read_to_end(bytes);
        read.map_err(|error| source::read_error(&self.path, error))?;
        let found = bytes.len() - before;
        if found < count * size {
            return self.has_length(self.header_bytes + (self.read * size + found) as u64);
        }
        self.read += count;
        Ok(())
    }

    /// Appends the next `count` elements.
    fn next(&mut self, count: usize, values: &mut Vec<f64>) -> Result<(), DataError> {
        let mut bytes = Vec::new();
        self.next_bytes(count, &mut bytes)?;
        self.element.append(&bytes, values);
        Ok(())
    }

    /// Checks that nothing follows.
    fn ended(&mut self) -> Result<(), DataError> {
        let more = source::read_up_to(&mut self.source, &self.path, 1)?;
        let found = (self.elements * self.element.bytes() + more.len()) as u64;
        self.has_length(self.header_bytes + found)
    }

    /// An element that must be an integer.
    fn integer(&self, index: usize, value: f64, largest: u32) -> Result<u32, DataError> {
        if value.fract() == 0.0 && (0.0..=f64::from(largest)).contains(&value) {
            return Ok(value as u32);
        }
        Err(DataError::IdxValue {
            path: self.path.clone(),
            index,
            value,
            largest,
        })
    }
}
