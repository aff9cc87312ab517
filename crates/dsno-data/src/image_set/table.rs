//! Tables of labels: CSV as spreadsheets write it.

use std::path::Path;

use crate::error::DataError;
use crate::source;

/// Reads the second column; the first must count 0, 1, 2, … and later columns are free text.
///
/// Columns are separated by commas, semicolons or tabs, with blanks and quotes as they come. A first
/// line that is no number and a label is a heading; lines without anything are skipped.
pub(crate) fn labels(path: &Path) -> Result<Vec<u32>, DataError> {
    if !path.exists() {
        return Err(source::missing(path));
    }
    let bytes = source::read_up_to(&mut source::open(path)?, path, u64::MAX)?;
    let text = String::from_utf8_lossy(&bytes);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let separator = separator(text);
    let mut labels = Vec::new();
    let mut first = true;
    for (line, columns) in Records::new(text, separator) {
        let heading = std::mem::take(&mut first);
        let [index, label] = columns.map(|column| column.trim().parse::<u32>());
        match (index, label) {
            (Ok(index), Ok(label)) if index as usize == labels.len() && label < u32::MAX => {
                labels.push(label);
            }
            (Err(_), Err(_)) if heading => {}
            _ => {
                return Err(DataError::LabelLine {
                    path: path.to_path_buf(),
                    line,
                    expected: labels.len(),
                });
            }
        }
    }
    if labels.is_empty() {
        let path = path.to_path_buf();
        return Err(DataError::Empty { path });
    }
    Ok(labels)
}

/// The separator that the first line has most of; a comma if it has none.
fn separator(text: &str) -> char {
    let first = text.trim_start().lines().next().unwrap_or_default();
    let count = |separator: char| first.matches(separator).count();
    let most = [',', ';', '\t'].into_iter().rev().max_by_key(|&c| count(c));
    most.unwrap_or(',')
}

/// The first two columns of every record that is not blank, with its line counted from 1.
struct Records<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    separator: char,
    line: usize,
}

impl<'a> Records<'a> {
    fn new(text: &'a str, separator: char) -> Self {
        Self {
            rest: text.chars().peekable(),
            separator,
            line: 1,
        }
    }

    /// Reads one record; quotes count where a column begins, and may hold line ends.
    fn record(&mut self) -> Option<(usize, Vec<String>)> {
        self.rest.peek()?;
        let line = self.line;
        let mut columns = vec![String::new()];
        let mut quoted = false;
        while let Some(character) = self.rest.next() {
            self.line += usize::from(character == '\n');
            let column = columns.last_mut()?;
            match character {
                '"' if quoted && self.rest.peek() == Some(&'"') => {
                    self.rest.next();
                    column.push('"');
                }
                '"' if quoted => quoted = false,
                '"' if column.trim().is_empty() => {
                    column.clear();
                    quoted = true;
                }
                '\n' if !quoted => break,
                separator if separator == self.separator && !quoted => columns.push(String::new()),
                other => column.push(other),
            }
        }
        Some((line, columns))
    }
}

impl Iterator for Records<'_> {
    type Item = (usize, [String; 2]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (line, columns) = self.record()?;
            if columns.iter().any(|column| !column.trim().is_empty()) {
                let mut columns = columns.into_iter();
                let mut column = || columns.next().unwrap_or_default();
                return Some((line, [column(), column()]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Vec<u32>, DataError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels.csv");
        std::fs::write(&path, bytes).unwrap();
        labels(&path)
    }

    #[test]
    fn tables_are_read_as_spreadsheets_write_them() {
        for text in [
            "index,label,name\n0,1,a\n1,0,b\n",
            "index, label\r\n 0 , 1 \r\n\r\n1,0\r\n  \n",
            "\u{feff}index;label;name\n0;1;\"x; y\"\n1;0;z",
            "\"index\"\t\"label\"\n\"0\"\t\"1\"\n\"1\"\t\"0\"\n",
            "0,1,\"two\nlines and a \"\"word\"\"\"\n1,0,5\" wide\n",
            "\n\nindex,label\n0,1\n1,0\n\n",
        ] {
            assert_eq!(read(text.as_bytes()).unwrap(), [1, 0], "{text}");
        }
        let latin_1 = b"index,label,name\n0,1,na\xefve\n1,0,x\n";
        assert_eq!(read(latin_1).unwrap(), [1, 0]);
    }

    #[test]
    fn a_line_that_is_wrong_is_named() {
        for (text, wrong) in [
            ("index,label\n0,1\n\n2,0\n", 4),
            ("index,label\n0,1.5\n", 2),
            ("index,label\n0\n", 2),
            ("1,0\n2,0\n", 1),
            ("index,label\n0,-1\n", 2),
        ] {
            let error = read(text.as_bytes()).unwrap_err();
            assert!(
                matches!(error, DataError::LabelLine { line, .. } if line == wrong),
                "{text}: {error}"
            );
        }
        assert!(matches!(
            read(b"index,label\n"),
            Err(DataError::Empty { .. })
        ));
        assert!(matches!(read(b""), Err(DataError::Empty { .. })));
    }
}
