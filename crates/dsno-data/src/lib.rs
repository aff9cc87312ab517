//! Image data sets, seeded noise, exact file formats and the trajectory store of DSNO.

pub mod atomic;
pub mod digest;
mod error;
mod image_set;
pub mod noise;
pub mod npy;
pub mod order;
pub mod picture;
mod source;
mod spec;
pub mod store;

pub use error::{DataError, DecodeError};
pub use image_set::ImageSet;
pub use spec::{DatasetSpec, FileSpec, Format};
pub use store::{StoreError, StoreSpec, TrajectoryStore};
