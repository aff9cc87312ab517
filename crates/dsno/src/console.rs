//! What the program prints: results on standard output, all else on standard error.
//!
//! A reader that has gone (`| head`) or a log on a full disk never ends a run: what cannot be shown is
//! let go. Results are another matter: [`lost`] says whether some did not reach their reader's file.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Set once a result could not be written, for another reason than that nobody reads on.
static LOST: AtomicBool = AtomicBool::new(false);

/// Writes a part of a result to standard output.
pub(crate) fn write_result(text: Arguments<'_>) {
    let mut out = io::stdout().lock();
    if let Err(error) = out.write_fmt(text).and_then(|()| out.flush())
        && error.kind() != ErrorKind::BrokenPipe
    {
        LOST.store(true, Ordering::SeqCst);
    }
}

/// Writes a part of a note to standard error.
pub(crate) fn write_note(text: Arguments<'_>) {
    let _nobody_reads = io::stderr().lock().write_fmt(text);
}

/// Whether a result was lost.
pub(crate) fn lost() -> bool {
    LOST.load(Ordering::SeqCst)
}

/// Prints a line of the result, as `println!` does.
macro_rules! say {
    () => { $crate::console::write_result(format_args!("\n")) };
    ($format:literal $($rest:tt)*) => {
        $crate::console::write_result(format_args!("{}\n", format_args!($format $($rest)*)))
    };
}

/// Prints a line about the work, as `eprintln!` does.
macro_rules! note {
    ($format:literal $($rest:tt)*) => {
        $crate::console::write_note(format_args!("{}\n", format_args!($format $($rest)*)))
    };
}

pub(crate) use {note, say};
