//! Measures how close generated images come to real ones.
//!
//! Three questions, three answers:
//!
//! | question                                     | start at                                   |
//! |----------------------------------------------|--------------------------------------------|
//! | do two sets of images look alike?            | [`Moments`], [`frechet_distance`]          |
//! | does a student follow its teacher?           | [`PairedErrors`]                           |
//! | in which features are images compared?       | [`Classifier`], [`ClassifierTraining`]     |
//!
//! # The Fréchet distance, in three steps
//!
//! Features of each set stream into [`Moments`], which keep a mean and a covariance in `f64`
//! and nothing else; [`frechet_distance`] compares the two results. A set that is compared often
//! is kept as a file by [`write_reference`].
//!
//! ```
//! use dsno_eval::{Moments, frechet_distance};
//!
//! // Rows of two features; any network that turns images into numbers will do.
//! let (mut real, mut fake) = (Moments::new(2), Moments::new(2));
//! real.push_batch(&[0.0_f32, 0.0, 2.0, 0.0, 0.0, 2.0, 2.0, 2.0])?;
//! fake.push_batch(&[1.0_f32, 0.0, 3.0, 0.0, 1.0, 2.0, 3.0, 2.0])?;
//! // The same cloud, moved by one along the first feature.
//! let distance = frechet_distance(&real.finish()?, &fake.finish()?)?;
//! assert!((distance - 1.0).abs() < 1e-12);
//! # Ok::<(), dsno_eval::StatisticsError>(())
//! ```
//!
//! # What a number means
//!
//! A distance belongs to its features. With those of Inception it is called FID; with those of a
//! [`Classifier`] it is called by the classifier's [`space`](Classifier::space), and the two have
//! nothing to do with each other. It also belongs to its sample count, because few samples bias it
//! upwards: compare distances of equal counts, and give the distance between two halves of the
//! real data beside them, which is the floor that no generator can go below.
//!
//! # What is not here
//!
//! Nothing reads images, chooses a device or prints. Pixels are in `[-1, 1]`, batches are
//! `[B, C, H, W]`.

mod atomic;
mod classifier;
mod frechet;
mod gaussian;
mod moments;
pub mod paired;
mod reference;

pub use classifier::{
    Classifier, ClassifierConfig, ClassifierError, ClassifierTraining, EpochReport, LabelledImages,
};
pub use frechet::frechet_distance;
pub use gaussian::{FeatureStatistics, StatisticsError};
pub use moments::Moments;
pub use paired::{PairedError, PairedErrors, PairedSummary};
pub use reference::{NpyError, ReferenceError, read_reference, write_reference};
