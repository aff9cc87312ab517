//! Several pieces of work at the same time, on devices that leave processors idle with one.
//!
//! A small network does not keep two processors busy with one batch. What each piece gives does not
//! depend on how many are worked on together, so results do not depend on it either.

use std::panic::resume_unwind;
use std::thread;

/// Maps all items at the same time, a thread for each, and returns the results in their order.
///
/// ```
/// use dsno_train::parallel_map;
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
/// use dsno_train::try_parallel_map;
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
