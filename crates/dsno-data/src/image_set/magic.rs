//! What a file is, by its first bytes.

use crate::error::DecodeError;

/// Bytes that are enough to tell.
pub(super) const START: usize = 64;

/// A format of pictures that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Png,
    Jpeg,
    WebP,
    Bmp,
}

/// What is known by its first bytes and not read: the bytes, where they are, and words for it.
const OTHERS: [(usize, &[u8], &str); 14] = [
    (
        0,
        b"GIF8",
        "a GIF picture, which is not read: convert it to PNG",
    ),
    (
        0,
        b"II*\0",
        "a TIFF picture, which is not read: convert it to PNG",
    ),
    (
        0,
        b"MM\0*",
        "a TIFF picture, which is not read: convert it to PNG",
    ),
    (
        4,
        b"ftypavif",
        "an AVIF picture, which is not read: convert it to PNG",
    ),
    (
        4,
        b"ftyphei",
        "a HEIC picture, which is not read: convert it to PNG",
    ),
    (
        4,
        b"ftypmif1",
        "a HEIC picture, which is not read: convert it to PNG",
    ),
    (
        4,
        b"JXL ",
        "a JPEG XL picture, which is not read: convert it to PNG",
    ),
    (
        0,
        b"\xff\x0a",
        "a JPEG XL picture, which is not read: convert it to PNG",
    ),
    (
        4,
        b"jP  ",
        "a JPEG 2000 picture, which is not read: convert it to PNG",
    ),
    (
        0,
        b"version https://git-lfs",
        "a Git LFS pointer and not the picture: run `git lfs pull`",
    ),
    (0, b"<!DOCTYPE", "a web page and not a picture"),
    (0, b"<!doctype", "a web page and not a picture"),
    (0, b"<html", "a web page and not a picture"),
    (0, b"\x1f\x8b", "a gzip file and not a picture"),
];

/// Tells the format of a picture that begins with `start`.
pub(super) fn format(start: &[u8]) -> Result<Format, DecodeError> {
    if start.starts_with(b"\x89PNG") {
        Ok(Format::Png)
    } else if start.starts_with(b"\xff\xd8\xff") {
        Ok(Format::Jpeg)
    } else if start.starts_with(b"RIFF") && start.get(8..12) == Some(b"WEBP") {
        Ok(Format::WebP)
    } else if start.starts_with(b"BM") && start.get(6..10) == Some(&[0; 4]) {
        Ok(Format::Bmp)
    } else {
        let known = OTHERS
            .iter()
            .find(|(at, bytes, _)| start.get(*at..).is_some_and(|s| s.starts_with(bytes)));
        Err(known.map_or(DecodeError::Unknown, |(_, _, words)| {
            DecodeError::Other(words)
        }))
    }
}
