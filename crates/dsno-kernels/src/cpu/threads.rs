//! How a kernel's work is shared among threads.
//!
//! Work comes in units, most often images. Each thread gets one contiguous range of them, decided
//! by counts alone, so that the same shapes on the same machine are always cut the same way.

use std::ops::{AddAssign, Range};

/// Floating-point operations below which a second thread costs more than it brings.
const WORTH_A_THREAD: usize = 1 << 18;

/// Cuts `units`, each of about `cost` floating-point operations, into one range per thread.
///
/// Ranges are in order, differ by at most one unit in length and are never empty.
pub(crate) fn ranges(units: usize, cost: usize) -> Vec<Range<usize>> {
    let worth = units.saturating_mul(cost) / WORTH_A_THREAD;
    let parts = rayon::current_num_threads().min(worth).min(units).max(1);
    (0..parts)
        .map(|part| part * units / parts..(part + 1) * units / parts)
        .filter(|range| !range.is_empty())
        .collect()
}

/// Cuts a slice of units of `unit` values each where `ranges` are cut.
pub(crate) fn split<'a>(
    mut whole: &'a mut [f32],
    ranges: &[Range<usize>],
    unit: usize,
) -> Vec<&'a mut [f32]> {
    ranges
        .iter()
        .map(|range| {
            let (part, rest) = std::mem::take(&mut whole).split_at_mut(range.len() * unit);
            whole = rest;
            part
        })
        .collect()
}

/// Does all jobs, each on a thread of its own where there are enough; returns results in order.
pub(crate) fn run<J: Send, R: Send>(jobs: Vec<J>, work: impl Fn(J) -> R + Sync) -> Vec<R> {
    if jobs.len() == 1 {
        return jobs.into_iter().map(work).collect();
    }
    let mut results: Vec<Option<R>> = jobs.iter().map(|_| None).collect();
    rayon::scope(|scope| {
        for (job, result) in jobs.into_iter().zip(&mut results) {
            let work = &work;
            scope.spawn(move |_| *result = Some(work(job)));
        }
    });
    results.into_iter().flatten().collect()
}

/// Adds what one thread found to the sums of all.
pub(crate) fn add<T: AddAssign>(sums: &mut [T], summands: impl IntoIterator<Item = T>) {
    for (sum, summand) in sums.iter_mut().zip(summands) {
        *sum += summand;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_in_one_range_in_order() {
        for units in 0..20 {
            let cut = ranges(units, WORTH_A_THREAD);
            assert_eq!(
                cut.into_iter().flatten().collect::<Vec<_>>(),
                (0..units).collect::<Vec<_>>()
            );
        }
    }

    #[test]
    fn little_work_stays_on_one_thread() {
        assert_eq!(ranges(100, 1).len(), 1);
    }

    #[test]
    fn results_come_in_the_order_of_jobs() {
        assert_eq!(
            run((0..9).collect(), |job: i32| job * job),
            [0, 1, 4, 9, 16, 25, 36, 49, 64]
        );
    }
}
