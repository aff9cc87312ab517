//! Several batches at the same time, on devices that leave processors idle with one.
//!
//! A small network does not keep two processors busy with one batch. What each batch gives does not
//! depend on how many are worked on together, so results are the same on every machine of a kind.

use std::thread;

use crate::failure::Failure;

/// More lanes than this cost memory and gain nothing.
const MOST: usize = 8;

/// How many batches to work on together on the CPU.
pub(crate) fn cpu_lanes() -> usize {
    thread::available_parallelism()
        .map_or(1, usize::from)
        .min(MOST)
}

/// Works on all items at the same time and returns the results in their order.
///
/// # Errors
///
/// The first failure, in the order of the items, once all have ended.
pub(crate) fn together<I: Sync, T: Send>(
    items: &[I],
    work: impl Fn(&I) -> Result<T, Failure> + Sync,
) -> Result<Vec<T>, Failure> {
    let results = dsno_train::lane::together(items.iter().collect(), work);
    results.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_keep_the_order_of_the_items() {
        let squares = together(&[3, 1, 2], |i| Ok(i * i)).unwrap();
        assert_eq!(squares, [9, 1, 4]);
    }

    #[test]
    fn the_first_failure_is_returned() {
        let odd = |i: &i32| {
            if i % 2 == 0 {
                Ok(())
            } else {
                Err(Failure::run(i))
            }
        };
        assert_eq!(together(&[2, 3, 5], odd).unwrap_err().message(), "3");
    }
}
