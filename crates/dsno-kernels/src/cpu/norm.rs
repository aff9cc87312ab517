//! Group normalisation of channels-last maps, joined with an affine map and SiLU.
//!
//! ```text
//! x̂ = (x − mean)/√(variance + ε)          over the pixels and the channels of a group
//! h = γ·x̂ + β,   p = h·(1 + scale) + shift,   y = p  or  SiLU(p)
//! ```
//!
//! Wu and He 2018 (arXiv:1803.08494), Eq. 1, 2, 6 and 7; the second affine map is the modulation of
//! adaptive group normalisation. The functions of one image run on one thread and serve other
//! kernels as well; [`forward`] and [`backward`] share a tensor's images among threads.

mod apply;
mod backward;
mod parameters;
mod period;
mod statistics;
#[cfg(test)]
mod tests;

pub(crate) use apply::apply;
use apply::apply_before;
pub(crate) use backward::{ImageGradient, backward_image};
pub(crate) use parameters::{ParameterGradients, parameter_gradients};
pub(crate) use period::Rows;
pub(crate) use statistics::{Moments, statistics_of};

use super::{scratch, threads};

/// A normalisation with its parameters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GroupNorm<'a> {
    pub(crate) groups: usize,
    pub(crate) epsilon: f64,
    /// `[C]`.
    pub(crate) gamma: &'a [f32],
    /// `[C]`.
    pub(crate) beta: &'a [f32],
    /// `[R, 2C]`, rows `[scale | shift]`; image `n` uses row `n mod R`.
    pub(crate) modulation: Option<&'a [f32]>,
    /// Whether SiLU follows.
    pub(crate) silu: bool,
}

/// The moments of every group of every image, `[N, G]`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Statistics {
    pub(crate) groups: usize,
    pub(crate) moments: Vec<Moments>,
}

impl Statistics {
    /// Room for `images` images.
    pub(crate) fn new(images: usize, groups: usize) -> Self {
        Self {
            groups,
            moments: vec![Moments::default(); images * groups],
        }
    }

    /// The moments of one image's groups.
    pub(crate) fn of(&self, image: usize) -> &[Moments] {
        &self.moments[image * self.groups..][..self.groups]
    }
}

/// A normalisation of one image as an affine map per channel: `p = (x − mean)·gain + offset`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Affine<'a> {
    pub(crate) mean: &'a [f32],
    pub(crate) gain: &'a [f32],
    pub(crate) offset: &'a [f32],
}

impl<'a> Affine<'a> {
    /// Computes it into `table`, of `3C` values, for image `n` with these moments.
    pub(crate) fn of(
        norm: &GroupNorm<'_>,
        n: usize,
        moments: &[Moments],
        table: &'a mut [f32],
    ) -> Self {
        let channels = norm.gamma.len();
        let per_group = channels / norm.groups;
        let (mean, rest) = table.split_at_mut(channels);
        let (gain, offset) = rest.split_at_mut(channels);
        let offset = &mut offset[..channels];
        let modulation = norm.modulation_of(n);
        for (group, moments) in moments.iter().enumerate() {
            let inverse = f64::from(moments.inverse_deviation);
            let rest = f64::from(moments.mean_rest);
            for c in group * per_group..(group + 1) * per_group {
                let (scale, shift) = modulation(c);
                let factor = inverse * f64::from(norm.gamma[c]) * scale;
                mean[c] = moments.mean;
                gain[c] = factor as f32;
                offset[c] = (f64::from(norm.beta[c]) * scale + shift - factor * rest) as f32;
            }
        }
        Self { mean, gain, offset }
    }
}

impl GroupNorm<'_> {
    /// `1 + scale` and `shift` of each channel of image `n`.
    fn modulation_of(&self, n: usize) -> impl Fn(usize) -> (f64, f64) {
        let channels = self.gamma.len();
        let row = self.modulation.map(|rows| {
            let row = n % (rows.len() / (2 * channels)) * 2 * channels;
            rows[row..row + 2 * channels].split_at(channels)
        });
        move |c| {
            row.map_or((1.0, 0.0), |(scale, shift)| {
                (1.0 + f64::from(scale[c]), f64::from(shift[c]))
            })
        }
    }
}

/// Gradients of a normalisation: those of [`ParameterGradients`], and of its input.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NormGradients {
    /// `[N, pixels, C]`.
    pub(crate) x: Vec<f32>,
    pub(crate) gamma: Vec<f32>,
    pub(crate) beta: Vec<f32>,
    pub(crate) modulation: Option<Vec<f32>>,
}

/// `y` and the moments it was made with, for `x` of shape `[n, pixels, channels]`.
pub(crate) fn forward(
    norm: &GroupNorm<'_>,
    n: usize,
    pixels: usize,
    channels: usize,
    x: &[f32],
) -> (Vec<f32>, Statistics) {
    assert_eq!(
        x.len(),
        n * pixels * channels,
        "one number for each channel of each pixel"
    );
    let size = pixels * channels;
    let mut y = scratch::for_overwrite(x.len());
    let mut statistics = Statistics::new(n, norm.groups);
    let cut = threads::ranges(n, 16 * size);
    let mut jobs = Vec::new();
    let mut moments = &mut statistics.moments[..];
    for (range, y) in cut.iter().zip(threads::split(&mut y, &cut, size)) {
        let (part, rest) = moments.split_at_mut(range.len() * norm.groups);
        moments = rest;
        jobs.push((range.clone(), y, part));
    }
    threads::run(jobs, |(range, y, moments)| {
        let mut table = scratch::Scratch::take(3 * channels);
        let end = range.end;
        let images = y
            .chunks_exact_mut(size)
            .zip(moments.chunks_exact_mut(norm.groups));
        for (image, (y, moments)) in range.zip(images) {
            let (rest, x) = (x, &x[image * size..][..size]);
            statistics_of(x, channels, norm.groups, norm.epsilon, moments);
            let affine = Affine::of(norm, image, moments, &mut table);
            let next = if image + 1 < end {
                &rest[(image + 1) * size..][..size]
            } else {
                x
            };
            apply_before(next, x, &affine, norm.silu, y, Rows::all(size));
        }
    });
    (y, statistics)
}

/// Gradients from that of `y`; the normalised values are computed again.
pub(crate) fn backward(
    norm: &GroupNorm<'_>,
    n: usize,
    pixels: usize,
    channels: usize,
    x: &[f32],
    statistics: &Statistics,
    dy: &[f32],
) -> NormGradients {
    assert_eq!(
        x.len(),
        n * pixels * channels,
        "one number for each channel of each pixel"
    );
    assert_eq!(x.len(), dy.len(), "one gradient for each number");
    let size = pixels * channels;
    let mut dx = scratch::for_overwrite(x.len());
    let (mut gain, mut offset) = (vec![0.0; n * channels], vec![0.0; n * channels]);
    let cut = threads::ranges(n, 32 * size);
    let parts = threads::split(&mut gain, &cut, channels)
        .into_iter()
        .zip(threads::split(&mut offset, &cut, channels))
        .zip(threads::split(&mut dx, &cut, size));
    threads::run(
        cut.iter().cloned().zip(parts).collect(),
        |(range, ((gain, offset), dx))| {
            let mut table = scratch::Scratch::take(3 * channels);
            let sums = gain
                .chunks_exact_mut(channels)
                .zip(offset.chunks_exact_mut(channels));
            for ((image, dx), (d_gain, d_offset)) in range.zip(dx.chunks_exact_mut(size)).zip(sums)
            {
                let (x, dy) = (&x[image * size..][..size], &dy[image * size..][..size]);
                let moments = statistics.of(image);
                let affine = Affine::of(norm, image, moments, &mut table);
                let gradient = ImageGradient {
                    dx,
                    d_gain,
                    d_offset,
                };
                backward_image(
                    x,
                    &affine,
                    moments,
                    norm.silu,
                    dy,
                    Rows::all(size),
                    gradient,
                );
            }
        },
    );
    let (gamma, beta, modulation) = parameter_gradients(norm, &gain, &offset);
    NormGradients {
        x: dx,
        gamma,
        beta,
        modulation,
    }
}
