//! What any architecture of the family must fulfil, key by key.

use super::error::DdpmArchitectureError;

/// Heads of a layer that splits into heads of so many channels each.
pub(crate) fn heads_of_width(
    place: &str,
    channels: usize,
    width: usize,
) -> Result<usize, DdpmArchitectureError> {
    if width > 0 && channels.is_multiple_of(width) {
        return Ok(channels / width);
    }
    Err(DdpmArchitectureError::Heads {
        place: place.to_owned(),
        channels,
        divisor: width,
    })
}

/// Refuses channels that do not divide into groups.
pub(super) fn check_groups(
    place: &str,
    channels: usize,
    groups: usize,
) -> Result<(), DdpmArchitectureError> {
    if groups > 0 && channels.is_multiple_of(groups) {
        return Ok(());
    }
    Err(DdpmArchitectureError::Groups {
        place: place.to_owned(),
        channels,
        groups,
    })
}

/// The largest size and number of channels that are built; a matrix of so many has 2³² entries.
pub(crate) const MOST_CHANNELS: usize = 1 << 16;
/// The largest number of blocks per level.
pub(crate) const MOST_BLOCKS: usize = 1 << 8;
/// The largest number of classes.
pub(crate) const MOST_CLASSES: usize = 1 << 24;

/// Refuses the first count that is zero or larger than its limit.
pub(crate) fn check_counts(
    counts: &[(&'static str, usize, usize)],
) -> Result<(), DdpmArchitectureError> {
    let outside = |&&(_, found, most): &&(_, usize, usize)| found == 0 || found > most;
    match counts.iter().find(outside) {
        Some(&(key, found, most)) => Err(DdpmArchitectureError::Count { key, found, most }),
        None => Ok(()),
    }
}

/// Refuses a probability of one and more.
pub(crate) fn check_dropout(found: f64) -> Result<(), DdpmArchitectureError> {
    if (0.0..1.0).contains(&found) {
        return Ok(());
    }
    Err(DdpmArchitectureError::Range {
        key: "dropout",
        found,
        expected: "at least 0 and less than 1",
    })
}

/// Refuses a number that is not above zero.
pub(crate) fn check_above_zero(key: &'static str, found: f64) -> Result<(), DdpmArchitectureError> {
    if found > 0.0 && found.is_finite() {
        return Ok(());
    }
    Err(DdpmArchitectureError::Range {
        key,
        found,
        expected: "a finite number above 0",
    })
}

/// Refuses images that cannot be halved between all levels; gives the sizes that occur.
pub(crate) fn check_size(size: usize, levels: usize) -> Result<Vec<usize>, DdpmArchitectureError> {
    let divisor = u32::try_from(levels.saturating_sub(1))
        .ok()
        .and_then(|halvings| 1_usize.checked_shl(halvings))
        .unwrap_or(usize::MAX);
    if size.is_multiple_of(divisor) {
        return Ok((0..levels).map(|level| size >> level).collect());
    }
    Err(DdpmArchitectureError::Size {
        size,
        levels,
        divisor,
    })
}

/// Refuses attention at a size that never occurs.
pub(crate) fn check_attention_sizes(
    asked: &[usize],
    occurring: Vec<usize>,
) -> Result<(), DdpmArchitectureError> {
    match asked.iter().find(|size| !occurring.contains(size)) {
        Some(&asked) => Err(DdpmArchitectureError::AttentionSize { asked, occurring }),
        None => Ok(()),
    }
}
