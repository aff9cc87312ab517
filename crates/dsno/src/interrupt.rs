//! Ctrl-C and the signals of schedulers: the first asks for a checkpoint and a clean end, the second
//! quits.
//!
//! Slurm, `docker stop` and `kill` send SIGTERM, a closed terminal or `ssh` sends SIGHUP; both mean
//! what Ctrl-C means.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::console::note;

/// Set once the user asked to stop.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Starts to listen. Without signal handling (unusual platforms) signals just quit.
    pub(crate) fn listen() -> Self {
        let interrupt = Self::default();
        let flag = interrupt.0.clone();
        let handler = move || {
            if flag.swap(true, Ordering::SeqCst) {
                std::process::exit(1);
            }
            note!("\nstopping after the next checkpoint; a second signal (Ctrl-C) quits at once");
        };
        // Files are written whole or not at all, so quitting without the handler loses only time.
        let _listening = ctrlc::set_handler(handler);
        interrupt
    }

    /// Whether the user asked to stop.
    pub(crate) fn is_requested(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}
