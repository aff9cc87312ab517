//! How a caller watches long work and asks it to stop.

use std::fmt;
use std::path::PathBuf;

/// Where a run stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// Training examples seen, or trajectories stored.
    pub images: u64,
    /// How many there will be.
    pub total_images: u64,
    /// Loss of the newest batch; `None` where nothing is trained.
    pub loss: Option<f64>,
    /// Unweighted distance per time of the newest batch, in the order of the student's times.
    pub loss_per_time: Vec<f64>,
    /// Learning rate of the newest step; `None` where nothing is trained.
    pub learning_rate: Option<f64>,
}

/// Something that a caller should be told while work goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// Files of a trajectory store were changed, cut or lost; their shards are collected again.
    Damaged {
        /// The store.
        store: PathBuf,
        /// The shards, in order.
        shards: Vec<usize>,
    },
    /// Another process fills the trajectory store; this one waits until it has ended.
    Waiting {
        /// The store.
        store: PathBuf,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged { store, shards } => {
                let first: Vec<String> = shards.iter().take(8).map(usize::to_string).collect();
                let more = if shards.len() > 8 { ", …" } else { "" };
                write!(
                    f,
                    "{} of the shards in {} are damaged and are collected again: {}{more}",
                    shards.len(),
                    store.display(),
                    first.join(", ")
                )
            }
            Self::Waiting { store } => write!(
                f,
                "waiting for another process that fills {}",
                store.display()
            ),
        }
    }
}

/// Watches a run; called after every optimiser step or collected batch.
pub trait Observer {
    /// Receives the newest state.
    fn progress(&mut self, progress: &Progress);

    /// Receives what is worth knowing besides; nothing is done with it unless this is implemented.
    fn notice(&mut self, _notice: &Notice) {}

    /// True once the run should write a checkpoint and return [`Outcome::Stopped`].
    fn stop_requested(&self) -> bool;
}

/// Watches nothing and never asks to stop.
#[derive(Debug, Default, Clone, Copy)]
pub struct Silent;

impl Observer for Silent {
    fn progress(&mut self, _progress: &Progress) {}

    fn stop_requested(&self) -> bool {
        false
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a stopped run has no result yet"]
pub enum Outcome {
    /// The result is complete and on disk.
    Finished,
    /// The observer asked for it; a checkpoint is on disk and the same call continues from it.
    Stopped,
}
