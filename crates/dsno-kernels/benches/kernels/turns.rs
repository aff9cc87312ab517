//! Things that are timed in turns, so that all meet the same machine.

use std::time::{Duration, Instant};

/// Turns go on for so long, but not for fewer or more than these.
const ENOUGH: Duration = Duration::from_millis(800);
const FEWEST: usize = 5;
const MOST: usize = 200;

/// Median seconds of each.
pub(crate) fn medians<const N: usize>(mut runs: [&mut dyn FnMut(); N]) -> [f64; N] {
    for run in &mut runs {
        run();
    }
    let mut seconds = [const { Vec::new() }; N];
    let start = Instant::now();
    for turn in 0..MOST {
        if turn >= FEWEST && start.elapsed() > ENOUGH {
            break;
        }
        for (run, seconds) in runs.iter_mut().zip(&mut seconds) {
            let start = Instant::now();
            run();
            seconds.push(start.elapsed().as_secs_f64());
        }
    }
    seconds.map(|mut seconds| {
        seconds.sort_unstable_by(f64::total_cmp);
        seconds[seconds.len() / 2]
    })
}
