//! Batches in parallel, for devices that leave processors idle with one.
//!
//! A small network does not keep two processors busy with one batch. What a batch gives does not
//! depend on how many are worked on at the same time, so results do not depend on it either.

use std::ops::{ControlFlow, Range};
use std::panic::resume_unwind;
use std::thread;

/// Cuts `0..count` into batches of `size`; the last one takes what is left.
///
/// ```
/// assert_eq!(dsno_model::batches::ranges(5, 2), [0..2, 2..4, 4..5]);
/// ```
pub fn ranges(count: usize, size: usize) -> Vec<Range<usize>> {
    let batch = |start: usize| start..(start + size).min(count);
    (0..count).step_by(size.max(1)).map(batch).collect()
}

/// Works on `batches` in groups of `workers`, a thread for each, and hands the results of each
/// group to `take`, in the order of the batches.
///
/// `take` stores results and reports progress. It may stop the work by [`ControlFlow::Break`], which
/// is what this function then returns, unless that group was the last one.
///
/// # Errors
///
/// The first error in the order of the batches, once its whole group has ended.
///
/// # Panics
///
/// If a thread panics, with its message.
///
/// # Examples
///
/// ```
/// use std::convert::Infallible;
/// use std::ops::ControlFlow;
///
/// use dsno_model::batches::in_parallel;
///
/// let mut squares = Vec::new();
/// let outcome = in_parallel(&[3, 1, 2], 2, |i| Ok::<_, Infallible>(i * i), |_group, results| {
///     squares.extend(results);
///     Ok(ControlFlow::Continue(()))
/// })?;
/// assert!(outcome.is_continue());
/// assert_eq!(squares, [9, 1, 4]);
/// # Ok::<(), Infallible>(())
/// ```
pub fn in_parallel<'b, B: Sync, T: Send, E: Send>(
    batches: &'b [B],
    workers: usize,
    work: impl Fn(&B) -> Result<T, E> + Sync,
    mut take: impl FnMut(&'b [B], Vec<T>) -> Result<ControlFlow<()>, E>,
) -> Result<ControlFlow<()>, E> {
    let workers = workers.max(1);
    let groups = batches.len().div_ceil(workers);
    for (index, group) in batches.chunks(workers).enumerate() {
        let results = try_parallel_map(group, &work)?;
        if take(group, results)?.is_break() && index + 1 < groups {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Maps all items at the same time, a thread for each, and returns the results in their order.
///
/// ```
/// use dsno_model::batches::parallel_map;
///
/// assert_eq!(parallel_map(vec![3, 1, 2], |i| i * i), [9, 1, 4]);
/// ```
pub fn parallel_map<I: Send, T: Send>(mut items: Vec<I>, work: impl Fn(I) -> T + Sync) -> Vec<T> {
    if items.len() <= 1 {
        return items.pop().map(work).into_iter().collect();
    }
    thread::scope(|scope| {
        let work = &work;
        let spawn = |item| scope.spawn(move || work(item));
        let threads: Vec<_> = items.into_iter().map(spawn).collect();
        let joined = threads.into_iter().map(thread::ScopedJoinHandle::join);
        joined
            .map(|result| result.unwrap_or_else(|panic| resume_unwind(panic)))
            .collect()
    })
}

/// Maps all items at the same time and returns the results in their order.
///
/// # Errors
///
/// The first failure, in the order of the items, once all have ended.
///
/// ```
/// use dsno_model::batches::try_parallel_map;
///
/// let even = |i: &i32| if i % 2 == 0 { Ok(i / 2) } else { Err(*i) };
/// assert_eq!(try_parallel_map(&[6, 2, 4], even), Ok(vec![3, 1, 2]));
/// assert_eq!(try_parallel_map(&[2, 3, 5], even), Err(3));
/// ```
pub fn try_parallel_map<'a, I: Sync, T: Send, E: Send>(
    items: &'a [I],
    work: impl Fn(&'a I) -> Result<T, E> + Sync,
) -> Result<Vec<T>, E> {
    parallel_map(items.iter().collect(), work)
        .into_iter()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_keep_the_order_of_the_batches() {
        for workers in [0, 1, 2, 9] {
            let mut taken = Vec::new();
            let outcome = in_parallel(
                &[3, 1, 2],
                workers,
                |i| Ok::<_, ()>(i * i),
                |group, results| {
                    assert_eq!(group.len(), results.len());
                    taken.extend(results);
                    Ok(ControlFlow::Continue(()))
                },
            );
            assert_eq!(
                (outcome, taken),
                (Ok(ControlFlow::Continue(())), vec![9, 1, 4])
            );
        }
    }

    #[test]
    fn the_first_error_in_order_is_returned() {
        let odd = |i: &i32| if i % 2 == 0 { Ok(()) } else { Err(*i) };
        let outcome = in_parallel(&[2, 3, 5], 3, odd, |_, _| Ok(ControlFlow::Continue(())));
        assert_eq!(outcome, Err(3));
    }

    #[test]
    fn stops_after_a_group_but_not_after_the_last() {
        let run = |count: usize| {
            let mut groups = 0;
            let outcome = in_parallel(
                &vec![(); count],
                2,
                |()| Ok::<_, ()>(()),
                |_, _| {
                    groups += 1;
                    Ok(ControlFlow::Break(()))
                },
            );
            (outcome.unwrap().is_break(), groups)
        };
        assert_eq!(run(3), (true, 1));
        assert_eq!(run(2), (false, 1));
    }
}
