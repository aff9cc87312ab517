//! The order of training examples: an infinite, resumable, shuffled sampler.
//!
//! Training is counted in images. The `k`-th image that a training sees is a function of
//! `(seed, number of images in the set, k)`, so a resumed run continues exactly where it stopped.
//! Each epoch is a fresh permutation: every image once, then every image again in another order.

use crate::noise::Stream;

/// One training example: which image, and whether it is mirrored left to right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Example {
    /// Position of the image in its set.
    pub index: usize,
    /// True if the image is mirrored; always false where the order was made without flips.
    pub flip: bool,
}

/// Returns the permutation of `0..len` in which `epoch` visits the images (Fisher–Yates).
///
/// # Panics
///
/// If `len` does not fit 32 bits.
///
/// # Examples
///
/// ```
/// let mut order = dsno_data::order::epoch_order(1, 0, 5);
/// assert_ne!(order, dsno_data::order::epoch_order(1, 1, 5));
/// order.sort_unstable();
/// assert_eq!(order, [0, 1, 2, 3, 4]);
/// ```
pub fn epoch_order(seed: u64, epoch: u64, len: usize) -> Vec<u32> {
    let len = u32::try_from(len).expect("invariant: an image set has fewer than 2^32 images");
    Stream::Order.draws(seed, epoch).permutation(len)
}

/// Returns the `k`-th example of the endless order, with flips.
///
/// This is the definition; [`InfiniteSampler`] returns the same without computing the
/// permutation of the epoch for every `k` again.
///
/// # Panics
///
/// If `len` is 0.
pub fn sample_at(seed: u64, len: usize, k: u64) -> Example {
    InfiniteSampler::new(seed, len, true).at(k)
}

/// The endless order of one data set, with the current epoch kept in memory.
///
/// # Examples
///
/// ```
/// use dsno_data::order::{InfiniteSampler, sample_at};
///
/// let mut order = InfiniteSampler::new(7, 100, true);
/// assert_eq!(order.at(250), sample_at(7, 100, 250));
/// assert_eq!(order.at(3), sample_at(7, 100, 3));
/// ```
#[derive(Debug, Clone)]
pub struct InfiniteSampler {
    seed: u64,
    len: usize,
    flips: bool,
    epoch: u64,
    order: Vec<u32>,
}

impl InfiniteSampler {
    /// Starts the order of a set of `len` images; without `flips` no example is mirrored.
    ///
    /// # Panics
    ///
    /// If `len` is 0 or does not fit 32 bits; an [`ImageSet`](crate::ImageSet) is never empty.
    pub fn new(seed: u64, len: usize, flips: bool) -> Self {
        assert!(len > 0, "an order needs at least one image");
        Self {
            seed,
            len,
            flips,
            epoch: 0,
            order: epoch_order(seed, 0, len),
        }
    }

    /// Returns the `k`-th example, counted from 0 over all epochs.
    pub fn at(&mut self, k: u64) -> Example {
        let (epoch, position) = (k / self.len as u64, (k % self.len as u64) as usize);
        if epoch != self.epoch {
            self.order = epoch_order(self.seed, epoch, self.len);
            self.epoch = epoch;
        }
        let flip = self.flips && Stream::Flip.draws(self.seed, k).bits() & 1 == 1;
        Example {
            index: self.order[position] as usize,
            flip,
        }
    }

    /// Returns `count` consecutive examples from the `start`-th on.
    pub fn batch(&mut self, start: u64, count: usize) -> Vec<Example> {
        (start..start + count as u64).map(|k| self.at(k)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_epoch_visits_every_image_once() {
        let mut order = InfiniteSampler::new(3, 17, true);
        for epoch in 0..3 {
            let mut seen: Vec<_> = order
                .batch(epoch * 17, 17)
                .iter()
                .map(|e| e.index)
                .collect();
            seen.sort_unstable();
            assert_eq!(seen, (0..17).collect::<Vec<_>>());
        }
    }

    #[test]
    fn half_of_the_examples_are_flipped_and_none_without_flips() {
        let count = |flips| {
            let mut order = InfiniteSampler::new(3, 50, flips);
            order.batch(0, 2000).iter().filter(|e| e.flip).count()
        };
        assert!((900..1100).contains(&count(true)));
        assert_eq!(count(false), 0);
    }

    #[test]
    fn the_first_order_is_pinned() {
        assert_eq!(epoch_order(1, 0, 8), crate::noise::golden::ORDER);
    }
}
