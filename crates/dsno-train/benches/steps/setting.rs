//! What is asked for on the command line.

use std::error::Error;

use dsno_operator::{ConfigError, TemporalConvConfig, UNetConfig};

use crate::config::Config;

/// Times that a student answers for, and a teacher's trajectory keeps after the noise.
pub(crate) const TIMES: [f64; 4] = [0.5625, 0.25, 0.0625, 0.0];
/// Fourier modes of the student.
const MODES: usize = 2;
/// Steps of DDIM.
pub(crate) const STEPS: usize = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Task {
    Train,
    Sample,
    Ddim,
}

impl Task {
    pub(crate) const ALL: [Self; 3] = [Self::Train, Self::Sample, Self::Ddim];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Sample => "sample",
            Self::Ddim => "ddim",
        }
    }
}

/// One thing to time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting {
    pub(crate) config: Config,
    pub(crate) task: Task,
    pub(crate) batch: usize,
    /// Equal parts of a batch that are worked on at the same time.
    pub(crate) microbatches: usize,
    pub(crate) runs: usize,
    /// Runs before those that count.
    pub(crate) warmup: usize,
}

impl Setting {
    /// The network that works: a teacher's to solve, else a student's.
    pub(crate) fn architecture(&self) -> UNetConfig {
        let temporal = (self.task != Task::Ddim).then_some(TemporalConvConfig { n_modes: MODES });
        UNetConfig {
            temporal,
            ..self.config.backbone()
        }
    }

    /// Operations of the task's convolutions and products, direct: two for each multiply-add, and
    /// three times those of a forward pass to train.
    pub(crate) fn direct_flops(&self) -> Result<f64, ConfigError> {
        let architecture = self.architecture();
        let (times, passes) = match self.task {
            Task::Train => (TIMES.len(), 3),
            Task::Sample => (TIMES.len(), 1),
            Task::Ddim => (1, STEPS),
        };
        let forward = 2 * architecture.multiply_adds(times)? * self.batch as u64;
        Ok((forward * passes as u64) as f64)
    }
}

/// The command line; what is not given is `None`.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    pub(crate) config: Option<Config>,
    pub(crate) task: Option<Task>,
    pub(crate) threads: Option<usize>,
    microbatches: Option<usize>,
    batch: Option<usize>,
    runs: Option<usize>,
    warmup: Option<usize>,
}

impl Asked {
    pub(crate) fn parse(mut args: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let mut asked = Self::default();
        while let Some(flag) = args.next() {
            // Cargo adds this one.
            if flag == "--bench" {
                continue;
            }
            let value = args
                .next()
                .ok_or_else(|| format!("{flag} without a value"))?;
            match flag.as_str() {
                "--config" => asked.config = Some(named(&Config::ALL, Config::name, &value)?),
                "--task" => asked.task = Some(named(&Task::ALL, Task::name, &value)?),
                "--threads" => asked.threads = Some(value.parse()?),
                "--microbatches" => asked.microbatches = Some(value.parse()?),
                "--batch" => asked.batch = Some(value.parse()?),
                "--runs" => asked.runs = Some(value.parse()?),
                "--warmup" => asked.warmup = Some(value.parse()?),
                other => return Err(format!("no flag {other}").into()),
            }
        }
        Ok(asked)
    }

    pub(crate) fn setting(&self, config: Config, task: Task) -> Setting {
        let batch = match (config, task) {
            (Config::M, Task::Train) => 16,
            _ => 32,
        };
        Setting {
            config,
            task,
            batch: self.batch.unwrap_or(batch),
            microbatches: self.microbatches.unwrap_or(1),
            runs: self.runs.unwrap_or(9),
            warmup: self.warmup.unwrap_or(2),
        }
    }
}

fn named<T: Copy>(all: &[T], name: fn(T) -> &'static str, asked: &str) -> Result<T, String> {
    let found = all.iter().copied().find(|&one| name(one) == asked);
    found.ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|&one| name(one)).collect();
        format!("no {asked}, there are {}", names.join(", "))
    })
}
