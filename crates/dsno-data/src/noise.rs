//! Random numbers that are functions of `(seed, use, index)` and of nothing else.
//!
//! Neither batch size, shard, device, number of workers nor a restart changes what sample `i` gets.
//! The generator is ChaCha with 8 rounds: its key is made from the seed and the [`Stream`], its
//! 64-bit stream number is the index. Different uses therefore never share numbers, and any index
//! is reached at once.
//!
//! ```text
//! key    = SHA-256("dsno-data 1" ‖ name of the stream ‖ seed as 8 little-endian bytes)
//! stream = index
//! u      = (next_u64 >> 11) · 2⁻⁵³                        uniform in [0, 1)
//! r      = √(−2 ln(1 − u₀)),  (r cos 2πu₁, r sin 2πu₁)    Box–Muller, in f64, then rounded to f32
//! ```
//!
//! The functions are part of the file format: stored noise is not stored at all but computed again.
//! Golden tests pin the first values; logarithm, sine and cosine come from `libm`, so every
//! platform gets the same bits.

use std::ops::Range;

use burn::tensor::{Device, Tensor, TensorData};
use chacha20::ChaCha8Rng;
use chacha20::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

/// What random numbers are for; each use has its own key and so its own numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stream {
    /// Initial noise `z_1` of a sample or a trajectory.
    Noise,
    /// Initial noise of held-out samples, never used for training.
    HeldOutNoise,
    /// Noise that a teacher's training example is corrupted with.
    TrainingNoise,
    /// Class labels of samples.
    Label,
    /// Training times.
    Time,
    /// Order of the training examples.
    Order,
    /// Horizontal flips of training examples.
    Flip,
    /// Dropout masks.
    Dropout,
    /// Initial weights.
    Weights,
}

impl Stream {
    /// Returns the generator of this use for sample `index` under `seed`.
    ///
    /// ```
    /// use dsno_data::noise::Stream;
    ///
    /// let first = Stream::Time.draws(7, 0).uniform();
    /// assert_eq!(first, Stream::Time.draws(7, 0).uniform());
    /// assert_ne!(first, Stream::Flip.draws(7, 0).uniform());
    /// ```
    pub fn draws(self, seed: u64, index: u64) -> Draws {
        let mut hasher = Sha256::new();
        hasher.update(b"dsno-data 1");
        hasher.update(self.name());
        hasher.update(seed.to_le_bytes());
        let mut generator = ChaCha8Rng::from_seed(hasher.finalize().into());
        generator.set_stream(index);
        Draws { generator }
    }

    /// Never rename: the name is hashed into the key.
    const fn name(self) -> &'static [u8] {
        match self {
            Self::Noise => b"noise",
            Self::HeldOutNoise => b"held-out noise",
            Self::TrainingNoise => b"training noise",
            Self::Label => b"label",
            Self::Time => b"time",
            Self::Order => b"order",
            Self::Flip => b"flip",
            Self::Dropout => b"dropout",
            Self::Weights => b"weights",
        }
    }
}

/// The random numbers of one sample, drawn one after the other.
#[derive(Debug)]
pub struct Draws {
    generator: ChaCha8Rng,
}

impl Draws {
    /// Draws for one program run in sequence: a generator seeded with `seed`, whose uses are told
    /// apart by `stream`.
    ///
    /// Prefer [`Stream::draws`], which reaches any sample at once.
    pub fn sequential(seed: u64, stream: u64) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(stream);
        Self { generator }
    }

    /// Draws a permutation of `0..len` (Fisher–Yates).
    pub fn permutation(&mut self, len: u32) -> Vec<u32> {
        let mut order: Vec<u32> = (0..len).collect();
        for i in (1..order.len()).rev() {
            order.swap(i, self.below(i as u64 + 1) as usize);
        }
        order
    }

    /// Draws 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.generator.next_u64()
    }

    /// Draws from the uniform distribution on `[0, 1)`, a multiple of 2⁻⁵³.
    pub fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// Draws from `0..bound` without bias (Lemire 2019, arXiv:1805.10941, the method of section 4).
    ///
    /// # Panics
    ///
    /// If `bound` is 0: there is nothing to draw from.
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "a draw needs at least one outcome");
        let rejected = bound.wrapping_neg() % bound;
        loop {
            let product = u128::from(self.bits()) * u128::from(bound);
            if product as u64 >= rejected {
                return (product >> 64) as u64;
            }
        }
    }

    /// Fills `out` with standard normal values; a longer slice begins with the same values.
    pub fn fill_gaussian(&mut self, out: &mut [f32]) {
        for pair in out.chunks_mut(2) {
            let radius = libm::sqrt(-2.0 * libm::log(1.0 - self.uniform()));
            let (sin, cos) = libm::sincos(std::f64::consts::TAU * self.uniform());
            pair[0] = (radius * cos) as f32;
            if let Some(second) = pair.get_mut(1) {
                *second = (radius * sin) as f32;
            }
        }
    }
}

/// Draws the standard normal noise of sample `index`, `len` values long.
///
/// # Examples
///
/// ```
/// use dsno_data::noise::gaussian;
///
/// assert_eq!(gaussian(1, 5, 3), gaussian(1, 5, 3));
/// assert_eq!(gaussian(1, 5, 3), gaussian(1, 5, 8)[..3]);
/// assert_ne!(gaussian(1, 5, 3), gaussian(2, 5, 3));
/// ```
pub fn gaussian(seed: u64, index: u64, len: usize) -> Vec<f32> {
    gaussian_of(Stream::Noise, seed, index, len)
}

/// Draws standard normal values of another use than [`Stream::Noise`].
pub fn gaussian_of(stream: Stream, seed: u64, index: u64, len: usize) -> Vec<f32> {
    let mut values = vec![0.0; len];
    stream.draws(seed, index).fill_gaussian(&mut values);
    values
}

/// Draws the noise of consecutive samples as one batch.
///
/// # Shapes
///
/// | value      | shape                        | range and unit             |
/// |------------|------------------------------|----------------------------|
/// | `[c,h,w]`  | shape of one sample          |                            |
/// | returned   | `[indices.len(), C, H, W]`   | standard normal, f32       |
///
/// # Examples
///
/// Splitting a batch changes nothing.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use dsno_data::noise;
///
/// let device = Device::flex();
/// let whole = noise::batch(3, 0..4, [1, 2, 2], &device);
/// let halves = [noise::batch(3, 0..1, [1, 2, 2], &device), noise::batch(3, 1..4, [1, 2, 2], &device)];
/// assert_eq!(whole.into_data(), Tensor::cat(halves.to_vec(), 0).into_data());
/// ```
pub fn batch(seed: u64, indices: Range<u64>, [c, h, w]: [usize; 3], device: &Device) -> Tensor<4> {
    batch_of(Stream::Noise, seed, indices, [c, h, w], device)
}

/// Draws the normal noise of another use than [`Stream::Noise`] as one batch `[B, C, H, W]`.
pub fn batch_of(
    stream: Stream,
    seed: u64,
    indices: impl IntoIterator<Item = u64>,
    [c, h, w]: [usize; 3],
    device: &Device,
) -> Tensor<4> {
    let mut values = Vec::new();
    let mut count = 0;
    for index in indices {
        values.resize((count + 1) * c * h * w, 0.0);
        stream
            .draws(seed, index)
            .fill_gaussian(&mut values[count * c * h * w..]);
        count += 1;
    }
    Tensor::from_data(TensorData::new(values, [count, c, h, w]), device)
}

/// Draws `n` uniform values in `[0, 1)` for training example `index`.
///
/// ```
/// let times = dsno_data::noise::uniform(1, 99, 1000);
/// assert!(times.iter().all(|&t| (0.0..1.0).contains(&t)));
/// ```
pub fn uniform(seed: u64, index: u64, n: usize) -> Vec<f64> {
    let mut draws = Stream::Time.draws(seed, index);
    (0..n).map(|_| draws.uniform()).collect()
}

/// Draws the class of sample `index` from `0..classes`, each equally likely.
///
/// # Panics
///
/// If `classes` is 0.
///
/// ```
/// assert!(dsno_data::noise::label(1, 0, 10) < 10);
/// ```
pub fn label(seed: u64, index: u64, classes: u32) -> u32 {
    Stream::Label.draws(seed, index).below(u64::from(classes)) as u32
}

#[cfg(test)]
mod tests;

/// First values, from an independent Python implementation of the formulas above: if one changes,
/// every stored trajectory loses its noise.
#[cfg(test)]
pub(crate) mod golden {
    pub(crate) const NOISE_1_0: [f32; 4] =
        [1.232_906_7, 0.848_737_36, -0.918_097_14, -0.509_728_55];
    pub(crate) const NOISE_321_49999: [f32; 4] =
        [0.469_809_38, -0.638_210_95, -1.142_161_1, 1.992_354_4];
    pub(crate) const UNIFORM_1_0: [f64; 2] = [0.768_406_136_190_378, 0.274_866_469_706_201_65];
    pub(crate) const LABELS_1: [u32; 8] = [2, 4, 1, 8, 6, 1, 1, 1];
    pub(crate) const ORDER: [u32; 8] = [6, 0, 7, 2, 5, 4, 3, 1];
}
