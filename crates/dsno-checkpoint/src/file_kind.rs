//! What people have where they meant to have weights or arrays, told by its first bytes.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Bytes that are looked at.
const START: u64 = 1024;
/// Characters of a text that are quoted.
const QUOTED: usize = 40;

/// A kind of file that is often found in the place of another.
///
/// Its text says what it is and what to do, to stand behind the name of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileKind {
    /// Nothing at all.
    Empty,
    /// What Git has in the place of a large file.
    LfsPointer,
    /// A page of a web site.
    Html,
    /// The index of weights that lie in several files.
    ShardIndex,
    /// JSON of another kind.
    Json,
    /// Compressed as a whole.
    Gzip,
    /// An archive of NumPy arrays, or another zip archive.
    Zip,
    /// Other text, of which this is the beginning.
    Text {
        /// The first characters.
        beginning: String,
    },
}

impl FileKind {
    /// The kind of a file by its first bytes, if it is one of these.
    ///
    /// ```
    /// use dsno_checkpoint::FileKind;
    ///
    /// let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 143029872\n";
    /// assert_eq!(FileKind::of_start(pointer), Some(FileKind::LfsPointer));
    /// assert_eq!(FileKind::of_start(b"\x93NUMPY\x01\0"), None);
    /// ```
    pub fn of_start(start: &[u8]) -> Option<Self> {
        match start {
            [] => return Some(Self::Empty),
            [0x1f, 0x8b, ..] => return Some(Self::Gzip),
            [b'P', b'K', 3, 4, ..] => return Some(Self::Zip),
            _ => {}
        }
        let text = text(start)?;
        let lower = text.trim_start().to_ascii_lowercase();
        let begins = |word: &str| lower.starts_with(word);
        Some(if begins("version https://git-lfs") {
            Self::LfsPointer
        } else if ["<!doctype", "<html", "<head", "<?xml", "<!--"]
            .into_iter()
            .any(begins)
        {
            Self::Html
        } else if begins("{") && text.contains("\"weight_map\"") {
            Self::ShardIndex
        } else if begins("{") || begins("[") {
            Self::Json
        } else {
            Self::Text {
                beginning: text.trim().chars().take(QUOTED).collect(),
            }
        })
    }

    /// The kind of a file, if it can be read and is one of these.
    pub fn of_file(path: &Path) -> Option<Self> {
        let mut start = Vec::new();
        let file = File::open(path).ok()?;
        file.take(START).read_to_end(&mut start).ok()?;
        Self::of_start(&start)
    }
}

/// The beginning of a text without a byte-order mark; `None` if there are bytes that no text has.
fn text(start: &[u8]) -> Option<&str> {
    let text = match str::from_utf8(start) {
        Ok(text) => text,
        // The last character may be cut off.
        Err(error) if error.valid_up_to() + 4 > start.len() => {
            str::from_utf8(&start[..error.valid_up_to()]).ok()?
        }
        Err(_) => return None,
    };
    let text = text.trim_start_matches('\u{feff}');
    // So few bytes are likelier damaged than written by hand.
    let is_text = text.len() >= 8 && !text.contains(|c: char| c.is_control() && !c.is_whitespace());
    is_text.then_some(text)
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "an empty file",
            Self::LfsPointer => {
                "a Git LFS pointer and not the file that it stands for; fetch that with `git lfs pull`"
            }
            Self::Html => "a page of a web site, saved in the place of the file; download it again",
            Self::ShardIndex => {
                "the index of weights in several files and holds none; give the folder that they lie in"
            }
            Self::Json => "JSON and holds no numbers to read",
            Self::Gzip => "compressed; unpack it with `gunzip`",
            Self::Zip => "a zip archive",
            Self::Text { beginning } => {
                return write!(f, "text, which begins with {beginning:?}");
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_in_the_place_of_weights_is_named() {
        let kinds: [(&[u8], &str); 8] = [
            (b"", "empty"),
            (
                b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
                "Git LFS",
            ),
            (b"\xef\xbb\xbf\n<!DOCTYPE html><html>", "web site"),
            (
                b"<?xml version=\"1.0\"?><Error>AccessDenied</Error>",
                "web site",
            ),
            (
                b"{\"metadata\": {}, \"weight_map\": {\"a\": \"b\"}}",
                "index",
            ),
            (b"{\"_class_name\": \"UNet2DModel\"}", "JSON"),
            (b"\x1f\x8b\x08\0\0\0\0\0", "gunzip"),
            (b"Entry not found", "Entry not found"),
        ];
        for (start, word) in kinds {
            let kind = FileKind::of_start(start).unwrap().to_string();
            assert!(kind.contains(word), "{kind}");
            assert!(!kind.contains('\n'), "{kind}");
        }
    }

    #[test]
    fn bytes_are_none_of_these() {
        for start in [
            &b"\x93NUMPY\x01\0v\0{'descr'"[..],
            b"\x02\0\0\0\0\0\0\0{}",
            b"\xff\xd8\xff\xe0",
            b"abc",
        ] {
            assert_eq!(FileKind::of_start(start), None);
        }
        // A character that the end of the part cuts in two.
        let cut = "kein Eintrag für diese Datei ü".as_bytes();
        assert!(FileKind::of_start(&cut[..cut.len() - 1]).is_some());
    }
}
