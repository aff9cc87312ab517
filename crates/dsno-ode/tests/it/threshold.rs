//! Dynamic thresholds against NumPy's quantiles.

use dsno_ode::{Denoiser, DynamicThreshold, NoiseLevel, from_fn};

use crate::support::{CLOSED_FORM, assert_agree, golden_in, numbers, tensor, values};

#[test]
fn thresholds_are_the_interpolated_quantiles() {
    let part = |key: &str| numbers(&golden_in("levels.json", &["threshold", key]));
    let x_hat = tensor(part("values"), [3, 1, 2, 11]);
    let at = NoiseLevel::from_log_snr(0.0);
    for percentile in ["0.5", "0.9", "0.995", "1.0"] {
        let number = percentile.parse().expect("a number");
        let model = DynamicThreshold::new(from_fn(|z, _| z), number).expect("inside");
        let found = values(&model.denoise(x_hat.clone(), at));
        assert_agree(&found, &part(percentile), CLOSED_FORM);
    }
    let model = DynamicThreshold::new(from_fn(|z, _| z), 0.9).expect("inside");
    let limited = model.at_most(1.5).expect("at least 1");
    let found = values(&limited.denoise(x_hat, at));
    assert_agree(&found, &part("0.9_at_most_1.5"), CLOSED_FORM);
}
