//! Concatenation of two maps along their channels, and its inverse.

use super::scratch::for_overwrite;
use super::threads;

/// `[rows, a]` and `[rows, b]` to `[rows, a + b]`.
pub(crate) fn forward(rows: usize, [a, b]: [usize; 2], one: &[f32], other: &[f32]) -> Vec<f32> {
    let width = a + b;
    let mut both = for_overwrite(rows * width);
    let ranges = threads::ranges(rows, width);
    let parts = threads::split(&mut both, &ranges, width);
    threads::run(ranges.into_iter().zip(parts).collect(), |(rows, part)| {
        let (one, other) = (&one[rows.start * a..], &other[rows.start * b..]);
        let pairs = one.chunks_exact(a).zip(other.chunks_exact(b));
        for (row, (one, other)) in part.chunks_exact_mut(width).zip(pairs) {
            row[..a].copy_from_slice(one);
            row[a..].copy_from_slice(other);
        }
    });
    both
}

/// `[rows, a + b]` to `[rows, a]` and `[rows, b]`.
pub(crate) fn backward(rows: usize, [a, b]: [usize; 2], both: &[f32]) -> [Vec<f32>; 2] {
    let width = a + b;
    let (mut one, mut other) = (for_overwrite(rows * a), for_overwrite(rows * b));
    let ranges = threads::ranges(rows, width);
    let ones = threads::split(&mut one, &ranges, a);
    let others = threads::split(&mut other, &ranges, b);
    let jobs = ranges
        .into_iter()
        .zip(ones.into_iter().zip(others))
        .collect();
    threads::run(jobs, |(rows, (one, other))| {
        let pairs = one.chunks_exact_mut(a).zip(other.chunks_exact_mut(b));
        for (row, (one, other)) in both[rows.start * width..].chunks_exact(width).zip(pairs) {
            one.copy_from_slice(&row[..a]);
            other.copy_from_slice(&row[a..]);
        }
    });
    [one, other]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::testing::noise;

    #[test]
    fn apart_is_the_inverse_of_side_by_side() {
        for (rows, widths) in [(1, [1, 1]), (7, [3, 5]), (40_000, [4, 12])] {
            let [one, other] = widths.map(|width| noise(width as u64, rows * width));
            let both = forward(rows, widths, &one, &other);
            assert_eq!(both[..widths[0]], one[..widths[0]]);
            assert_eq!(both[widths[0]..][..widths[1]], other[..widths[1]]);
            assert_eq!(backward(rows, widths, &both), [one, other]);
        }
    }
}
