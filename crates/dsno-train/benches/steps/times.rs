//! How long runs took.

use std::error::Error;
use std::time::Instant;

use crate::machine;

/// Wall times of runs, and the CPU time of all of them.
#[derive(Debug)]
pub(crate) struct Times {
    /// Rising.
    seconds: Vec<f64>,
    cpu_seconds: Option<f64>,
}

impl Times {
    pub(crate) fn median(&self) -> f64 {
        self.seconds[self.seconds.len() / 2]
    }

    pub(crate) fn shortest(&self) -> f64 {
        self.seconds[0]
    }

    pub(crate) fn longest(&self) -> f64 {
        self.seconds[self.seconds.len() - 1]
    }

    pub(crate) fn count(&self) -> usize {
        self.seconds.len()
    }

    /// CPU time of a run over all threads, on average; `None` where the system does not tell.
    pub(crate) fn cpu_seconds(&self) -> Option<f64> {
        self.cpu_seconds.map(|all| all / self.count() as f64)
    }
}

/// Notes the ends of runs that follow one another without a break.
#[derive(Debug)]
pub(crate) struct Clock {
    warmup: usize,
    ends: Vec<Instant>,
    cpu_start: Option<f64>,
}

impl Clock {
    /// The first `warmup` runs, at least one, do not count.
    pub(crate) fn new(warmup: usize) -> Self {
        Self {
            warmup: warmup.max(1),
            ends: Vec::new(),
            cpu_start: None,
        }
    }

    pub(crate) fn run_ended(&mut self) {
        self.ends.push(Instant::now());
        if self.ends.len() == self.warmup {
            self.cpu_start = machine::cpu_seconds();
        }
    }

    pub(crate) fn times(self) -> Result<Times, Box<dyn Error>> {
        let cpu_end = machine::cpu_seconds();
        let counted = self.ends.get(self.warmup - 1..).unwrap_or_default();
        let mut seconds: Vec<f64> = counted
            .windows(2)
            .map(|pair| (pair[1] - pair[0]).as_secs_f64())
            .collect();
        if seconds.is_empty() {
            return Err("no run to time".into());
        }
        seconds.sort_unstable_by(f64::total_cmp);
        Ok(Times {
            seconds,
            cpu_seconds: self.cpu_start.zip(cpu_end).map(|(start, end)| end - start),
        })
    }
}
