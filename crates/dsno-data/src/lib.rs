//! Image data sets, seeded noise and the trajectory store of DSNO.
//!
//! Everything that goes into a training and everything that must survive it passes through here.
//! The crate knows no model and no solver; it returns [`burn`] tensors and takes plain slices.
//!
//! | You want to …                                         | Start at                                     |
//! |-------------------------------------------------------|----------------------------------------------|
//! | open a data set of `datasets/`                        | [`DatasetSpec::load`], [`DatasetSpec::open`] |
//! | read IDX files, folders of pictures, sprite sheets    | [`ImageSet`]                                 |
//! | count images and classes without reading them         | [`Survey`], [`DatasetSpec::check`]           |
//! | draw noise, labels or times for sample `i`            | [`noise`]                                    |
//! | sample a set endlessly and resumably                  | [`order::InfiniteSampler`]                   |
//! | save images as PNG, as a grid or for ADM's evaluation | [`picture::Uint8Images`]                     |
//! | store trajectories                                    | [`TrajectoryStore`]                          |
//!
//! NumPy arrays, atomic writes and digests are in [`dsno_checkpoint`].
//!
//! # Conventions
//!
//! * Images are `[B, C, H, W]` in `[-1, 1]`, trajectories `[B, T, C, H, W]` from noise (`t = 1`)
//!   to data (`t = 0`).
//! * Randomness is a function of `(seed, use, index)` alone, see [`noise`]: batch size, shards,
//!   workers and restarts never change what sample `i` gets.
//! * Data are checked when they are opened: size and SHA-256 of every file with known content, so
//!   that a truncated download is an error and not a slightly worse model. Headers are never
//!   trusted with an allocation.
//! * Files appear under their name only when they are complete and on the disk.
//!
//! # Examples
//!
//! The first two images of a training, mirrored at random, and noise of the same shape.
//!
//! ```
//! use burn::tensor::Device;
//! use dsno_data::order::InfiniteSampler;
//! use dsno_data::{DatasetSpec, noise};
//!
//! let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../datasets");
//! let spec = DatasetSpec::load(format!("{folder}/fashion-mnist.toml"))?;
//! let images = spec.open(folder)?;
//!
//! let (seed, device) = (321, Device::flex());
//! let mut order = InfiniteSampler::new(seed, images.len(), spec.flip);
//! let x = images.examples(&order.batch(0, 2), &device);
//! let eps = noise::batch_of(noise::Stream::TrainingNoise, seed, 0..2, [1, 16, 16], &device);
//! assert_eq!(x.dims(), eps.dims());
//! # Ok::<(), dsno_data::DataError>(())
//! ```
//!
//! # Features
//!
//! * `zstd`: compressed trajectory stores; needs a C compiler. Noise hardly compresses, so stores
//!   are plain by default.

mod error;
mod image_set;
pub mod noise;
pub mod order;
pub mod picture;
mod source;
mod spec;
pub mod store;
mod survey;

pub use error::{DataError, DecodeError};
pub use image_set::ImageSet;
pub use spec::{DatasetSpec, FileSpec, Format};
pub use store::{StoreError, StoreSpec, TrajectoryStore};
pub use survey::Survey;
