//! From sums over images' pixels to gradients of parameters.

use super::GroupNorm;

/// Gradients of `γ`, `β` and the modulation of a [`GroupNorm`], in the same shapes.
pub(crate) type ParameterGradients = (Vec<f32>, Vec<f32>, Option<Vec<f32>>);

/// Gradients from each image's `d_gain = Σ dp·x̂` and `d_offset = Σ dp`, both `[N, C]`.
///
/// ```text
/// dγ = Σₙ (1 + scale)·d_gain     dscale = γ·d_gain + β·d_offset
/// dβ = Σₙ (1 + scale)·d_offset   dshift = d_offset
/// ```
pub(crate) fn parameter_gradients(
    norm: &GroupNorm<'_>,
    d_gain: &[f32],
    d_offset: &[f32],
) -> ParameterGradients {
    let channels = norm.gamma.len();
    let rows = norm
        .modulation
        .map_or(0, |rows| rows.len() / (2 * channels));
    let (mut gamma, mut beta) = (vec![0.0; channels], vec![0.0; channels]);
    let mut modulation = vec![0.0; rows * 2 * channels];
    let images = d_gain
        .chunks_exact(channels)
        .zip(d_offset.chunks_exact(channels));
    for (n, (d_gain, d_offset)) in images.enumerate() {
        let modulation_of = norm.modulation_of(n);
        for c in 0..channels {
            let (gain, offset) = (f64::from(d_gain[c]), f64::from(d_offset[c]));
            let (scale, _) = modulation_of(c);
            gamma[c] += scale * gain;
            beta[c] += scale * offset;
            if rows > 0 {
                let row = &mut modulation[n % rows * 2 * channels..][..2 * channels];
                row[c] += f64::from(norm.gamma[c]) * gain + f64::from(norm.beta[c]) * offset;
                row[channels + c] += offset;
            }
        }
    }
    let narrow = |sums: Vec<f64>| sums.into_iter().map(|sum| sum as f32).collect();
    let modulation = norm.modulation.map(|_| narrow(modulation));
    (narrow(gamma), narrow(beta), modulation)
}
