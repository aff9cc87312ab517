//! Measures how close generated images come to real ones.
//!
//! | question                                     | start at                                     |
//! |----------------------------------------------|----------------------------------------------|
//! | how good is my sampler?                      | [`evaluation`]                               |
//! | do two sets of images look alike?            | [`Moments`], [`frechet_distance`]            |
//! | does a student follow its teacher?           | [`paired`]                                   |
//! | in which features are images compared?       | [`Features`]: [`Classifier`], [`PixelFeatures`] |
//! | how do I add a metric of my own?             | [`metric::Metric`]                           |
//! | how few Fourier modes do trajectories need?  | [`spectrum`]                                 |
//!
//! # The Fréchet distance, in three steps
//!
//! Features of each set stream into [`Moments`], which keep a mean and a covariance in `f64`
//! and nothing else; [`frechet_distance`] compares the two results. A set that is compared often
//! is kept as a file by [`write_reference`].
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use dsno_eval::{Moments, frechet_distance};
//!
//! // Rows of two features; any network that turns images into numbers will do.
//! let (mut real, mut fake) = (Moments::new(2), Moments::new(2));
//! let device = Device::flex();
//! real.push(Tensor::from_floats([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0], [2.0, 2.0]], &device))?;
//! fake.push(Tensor::from_floats([[1.0, 0.0], [3.0, 0.0], [1.0, 2.0], [3.0, 2.0]], &device))?;
//! // The same cloud, moved by one along the first feature.
//! let distance = frechet_distance(&real.finish()?, &fake.finish()?)?;
//! assert!((distance - 1.0).abs() < 1e-12);
//! # Ok::<(), dsno_eval::StatisticsError>(())
//! ```
//!
//! # What a number means
//!
//! A distance belongs to its features. With those of Inception it is called FID; with those of a
//! [`Classifier`] it is called by the classifier's [`space`](Features::space), and the two have
//! nothing to do with each other. It also belongs to its sample count, because few samples bias it
//! upwards: compare distances of equal counts, and give the distance between two halves of the
//! real data beside them, which is the floor that no generator can go below.
//!
//! # What is not here
//!
//! Nothing chooses a device or prints. Pixels are in `[-1, 1]`, batches are
//! `[B, C, H, W]`.

mod classifier;
pub mod evaluation;
mod features;
mod host;
pub mod metric;
mod moments;
mod reference;
pub mod spectrum;
mod statistics;

pub use classifier::{
    Classifier, ClassifierConfig, ClassifierError, ClassifierTraining, EpochReport, LabelledImages,
};
pub use features::{FeatureError, Features, PixelFeatures};
pub use host::NotFloat;
pub use metric::frechet::frechet_distance;
pub use metric::paired::{self, PairedError};
pub use moments::Moments;
pub use reference::{ReferenceError, read_reference, write_reference};
pub use statistics::{FeatureStatistics, StatisticsError};
