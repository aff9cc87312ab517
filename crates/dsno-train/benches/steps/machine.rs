//! What the machine can do, and what this process has taken of it.

use std::fs;
use std::time::Instant;

use burn::tensor::{Device, Distribution, Tensor};

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

/// CPU time of all threads so far; `None` where there is no Linux.
pub(crate) fn cpu_seconds() -> Option<f64> {
    /// Of the numbers in `/proc`, whatever the kernel's own.
    const TICKS_A_SECOND: f64 = 100.0;
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The second field, a name in parentheses, may hold anything.
    let (_, fields) = stat.rsplit_once(") ")?;
    let ticks = fields.split(' ').skip(11).take(2);
    let ticks = ticks.map(|field| field.parse::<u64>().ok());
    Some(ticks.sum::<Option<u64>>()? as f64 / TICKS_A_SECOND)
}

/// Most memory that was resident at once; `None` where there is no Linux.
pub(crate) fn peak_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}
