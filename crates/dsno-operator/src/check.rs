//! What any configuration must fulfil, key by key.

use std::ops::RangeInclusive;

use crate::config_error::ConfigError;

/// The sizes and numbers of channels that are built; a matrix of the most has 2³² entries.
pub(crate) const CHANNELS: RangeInclusive<usize> = 1..=1 << 16;
/// The numbers of levels, and of blocks per level.
pub(crate) const BLOCKS: RangeInclusive<usize> = 1..=1 << 8;
/// The numbers of classes, where there are any.
pub(crate) const CLASSES: RangeInclusive<usize> = 1..=1 << 24;

/// Refuses channels that do not divide into heads.
pub(crate) fn check_heads(
    place: impl FnOnce() -> String,
    channels: usize,
    heads: usize,
) -> Result<(), ConfigError> {
    if heads > 0 && channels.is_multiple_of(heads) {
        return Ok(());
    }
    Err(ConfigError::Heads {
        place: place(),
        channels,
        divisor: heads,
    })
}

/// Refuses channels that do not divide into groups.
pub(crate) fn check_groups(
    place: impl FnOnce() -> String,
    channels: usize,
    groups: usize,
) -> Result<(), ConfigError> {
    if groups > 0 && channels.is_multiple_of(groups) {
        return Ok(());
    }
    Err(ConfigError::Groups {
        place: place(),
        channels,
        groups,
    })
}

/// Refuses the first count that is outside of its range.
pub(crate) fn check_counts(
    counts: &[(&'static str, usize, RangeInclusive<usize>)],
) -> Result<(), ConfigError> {
    let mut counts = counts.iter();
    match counts.find(|(_, found, range)| !range.contains(found)) {
        Some((key, found, range)) => Err(ConfigError::Count {
            key,
            found: *found,
            least: *range.start(),
            most: *range.end(),
        }),
        None => Ok(()),
    }
}

/// Refuses a probability of one and more.
pub(crate) fn check_dropout(found: f64) -> Result<(), ConfigError> {
    let ok = (0.0..1.0).contains(&found);
    check_range(ok, "dropout", found, "at least 0 and less than 1")
}

/// Refuses a number that is not above zero.
pub(crate) fn check_above_zero(key: &'static str, found: f64) -> Result<(), ConfigError> {
    let ok = found > 0.0 && found.is_finite();
    check_range(ok, key, found, "a finite number above 0")
}

/// Refuses a number unless `ok`.
pub(crate) fn check_range(
    ok: bool,
    key: &'static str,
    found: f64,
    expected: &'static str,
) -> Result<(), ConfigError> {
    if ok {
        return Ok(());
    }
    Err(ConfigError::Range {
        key,
        found,
        expected,
    })
}

/// Refuses images that cannot be halved between all levels; gives the sizes that occur.
pub(crate) fn check_size(size: usize, levels: usize) -> Result<Vec<usize>, ConfigError> {
    let divisor = u32::try_from(levels.saturating_sub(1))
        .ok()
        .and_then(|halvings| 1_usize.checked_shl(halvings))
        .unwrap_or(usize::MAX);
    if size.is_multiple_of(divisor) {
        return Ok((0..levels).map(|level| size >> level).collect());
    }
    Err(ConfigError::Size {
        size,
        levels,
        divisor,
    })
}

/// Refuses attention at a size that never occurs.
pub(crate) fn check_attention_sizes(
    key: &'static str,
    asked: &[usize],
    occurring: Vec<usize>,
) -> Result<(), ConfigError> {
    match asked.iter().find(|size| !occurring.contains(size)) {
        Some(&asked) => Err(ConfigError::AttentionSize {
            key,
            asked,
            occurring,
        }),
        None => Ok(()),
    }
}
