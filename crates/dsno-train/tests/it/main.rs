//! Trainings as a whole.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod families;
mod resume;
