//! What the machine can do.

use std::sync::Mutex;
use std::time::Instant;

use burn::tensor::{Device, Distribution, Tensor};
use rayon::prelude::*;

/// Operations a second of burn's matrix products: the best of several sizes and repetitions.
pub(crate) fn product_rate() -> f64 {
    let device = Device::flex();
    let rate = |side: usize| {
        let [a, b] = [(); 2]
            .map(|()| Tensor::<2>::random([side, side], Distribution::Normal(0.0, 1.0), &device));
        let seconds = (0..20).map(|_| {
            let start = Instant::now();
            drop(a.clone().matmul(b.clone()));
            start.elapsed().as_secs_f64()
        });
        2.0 * (side as f64).powi(3) / seconds.fold(f64::INFINITY, f64::min)
    };
    [512, 768, 1024].map(rate).into_iter().fold(0.0, f64::max)
}

/// Copies values with all threads, a range each.
pub(crate) struct Copying {
    from: Vec<f32>,
    to: Mutex<Vec<f32>>,
}

impl Copying {
    pub(crate) fn new(len: usize) -> Self {
        Self {
            from: vec![1.0; len],
            to: Mutex::new(vec![0.0; len]),
        }
    }

    pub(crate) fn run(&self) {
        let mut to = self.to.lock().expect("invariant: no thread panics here");
        let piece = self.from.len().div_ceil(rayon::current_num_threads());
        to.par_chunks_mut(piece)
            .zip(self.from.par_chunks(piece))
            .for_each(|(to, from)| to.copy_from_slice(from));
    }
}
