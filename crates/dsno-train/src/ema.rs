//! The rate of the exponential moving average of weights.

/// Share of the old average that one step keeps, so that it halves in `half_life_images`.
///
/// ```text
/// rate = 2^(−batch / half-life)         0 where the half-life is 0: the average is the newest weight
/// ```
///
/// ```
/// // The paper's rate of 0.9999 at a batch of 256 halves in 1.77 million images.
/// let rate = dsno_train::ema_rate(256, 1_774_400.0);
/// assert!((rate - 0.9999).abs() < 1e-8);
/// ```
pub fn ema_rate(batch_size: usize, half_life_images: f64) -> f64 {
    if half_life_images == 0.0 {
        0.0
    } else {
        (-(batch_size as f64) / half_life_images).exp2()
    }
}
