//! Ctrl-C: the first asks for a checkpoint and a clean end, the second quits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Set once the user asked to stop.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Starts to listen. Without signal handling (unusual platforms) Ctrl-C just quits.
    pub(crate) fn listen() -> Self {
        let interrupt = Self::default();
        let flag = interrupt.0.clone();
        let handler = move || {
            if flag.swap(true, Ordering::SeqCst) {
                std::process::exit(1);
            }
            eprintln!("\nstopping after the next checkpoint; press Ctrl-C again to quit at once");
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
