//! Our networks in other programs' files.
//!
//! | files                                             | part                | direction |
//! |---------------------------------------------------|---------------------|-----------|
//! | the DSNO authors' checkpoints and settings        | [`authors`]         | in, out   |
//! | progressive distillation's Flax checkpoints       | [`distillation`]    | in        |
//!
//! Networks of other kinds are not converted but run as they are; they live elsewhere.
//!
//! Every parameter of ours has one place in such a file, or three where attention's projections lie
//! apart. Reading is strict in both directions: all places are found with the shapes that the
//! architecture says, nothing is left over but what is named as left alone, and every difference is
//! listed in one error. Tensors are moved one at a time.

pub mod authors;
pub mod distillation;
mod mapping;

pub use mapping::ImportError;
