//! Several pieces of work at the same time, on devices that leave processors idle with one.
//!
//! A small network does not keep two processors busy with one batch. What each piece gives does not
//! depend on how many are worked on together, so results do not depend on it either.

use std::panic::resume_unwind;
use std::thread;

/// Works on all items at the same time, a thread for each, and returns the results in their order.
///
/// ```
/// use dsno_train::lane::together;
///
/// assert_eq!(together(vec![3, 1, 2], |i| i * i), [9, 1, 4]);
/// ```
pub fn together<I: Send, T: Send>(mut items: Vec<I>, work: impl Fn(I) -> T + Sync) -> Vec<T> {
    if items.len() <= 1 {
        return items.pop().map(work).into_iter().collect();
    }
    thread::scope(|scope| {
        let work = &work;
        let spawn = |item| scope.spawn(move || work(item));
        let lanes: Vec<_> = items.into_iter().map(spawn).collect();
        let joined = lanes.into_iter().map(thread::ScopedJoinHandle::join);
        joined
            .map(|result| result.unwrap_or_else(|panic| resume_unwind(panic)))
            .collect()
    })
}
