//! Sprite sheets: many small images in one PNG file, with a table of their labels.

use std::path::Path;

use super::{Raw, decode};
use crate::error::DataError;
use crate::source;

pub(super) fn read(sheet: &Path, table: &Path, tile: usize) -> Result<Raw, DataError> {
    let labels = read_table(table)?;
    if labels.is_empty() {
        return Err(DataError::Empty {
            path: table.to_path_buf(),
        });
    }
    let picture = decode::picture(sheet, 3)?;
    let [height, width] = picture.size;
    let columns = width.checked_div(tile).unwrap_or(0);
    let room = columns * height.checked_div(tile).unwrap_or(0);
    if room < labels.len() {
        let (path, listed) = (sheet.to_path_buf(), labels.len());
        return Err(DataError::SheetRoom {
            path,
            room,
            listed,
            tile,
        });
    }
    let mut bytes = Vec::with_capacity(labels.len() * 3 * tile * tile);
    for index in 0..labels.len() {
        let (top, left) = (index / columns * tile, index % columns * tile);
        for channel in 0..3 {
            for y in top..top + tile {
                bytes.extend(
                    (left..left + tile).map(|x| picture.bytes[(y * width + x) * 3 + channel]),
                );
            }
        }
    }
    let classes = labels.iter().max().map_or(0, |&largest| largest + 1);
    let labels = Some(labels);
    Ok(Raw {
        channels: 3,
        height: tile,
        width: tile,
        bytes,
        labels,
        classes,
    })
}

/// Reads the second column; the first must count 0, 1, 2, … and later columns are free text.
fn read_table(path: &Path) -> Result<Vec<u32>, DataError> {
    if !path.exists() {
        return Err(source::missing(path));
    }
    let text = std::fs::read_to_string(path).map_err(|error| source::read_error(path, error))?;
    let mut labels = Vec::new();
    for (number, line) in text.lines().enumerate().skip(1) {
        let mut columns = line.split(',').map(str::parse::<u32>);
        match (columns.next(), columns.next()) {
            (Some(Ok(index)), Some(Ok(label))) if index as usize == labels.len() => {
                labels.push(label);
            }
            _ => {
                let (path, expected) = (path.to_path_buf(), labels.len());
                return Err(DataError::LabelLine {
                    path,
                    line: number + 1,
                    expected,
                });
            }
        }
    }
    Ok(labels)
}
