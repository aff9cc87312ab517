use super::*;
use crate::cpu::testing::{noise, relative_rms};

/// A normalisation with everything it needs; `rows` of modulation, none if zero.
struct Case {
    images: usize,
    pixels: usize,
    channels: usize,
    groups: usize,
    rows: usize,
    silu: bool,
    x: Vec<f32>,
    gamma: Vec<f32>,
    beta: Vec<f32>,
    modulation: Vec<f32>,
}

const EPSILON: f64 = 1e-5;

impl Case {
    fn new([images, pixels, channels, groups, rows]: [usize; 5], silu: bool) -> Self {
        Self {
            images,
            pixels,
            channels,
            groups,
            rows,
            silu,
            x: noise(1, images * pixels * channels)
                .iter()
                .map(|x| 2.0 * x + 0.3)
                .collect(),
            gamma: noise(2, channels).iter().map(|x| 1.0 + 0.5 * x).collect(),
            beta: noise(3, channels),
            modulation: noise(4, rows * 2 * channels),
        }
    }

    fn norm(&self) -> GroupNorm<'_> {
        GroupNorm {
            groups: self.groups,
            epsilon: EPSILON,
            gamma: &self.gamma,
            beta: &self.beta,
            modulation: (self.rows > 0).then_some(&self.modulation[..]),
            silu: self.silu,
        }
    }

    fn forward(&self) -> (Vec<f32>, Statistics) {
        forward(
            &self.norm(),
            self.images,
            self.pixels,
            self.channels,
            &self.x,
        )
    }

    fn backward(&self, dy: &[f32]) -> NormGradients {
        let (_, statistics) = self.forward();
        let (n, pixels, channels) = (self.images, self.pixels, self.channels);
        backward(&self.norm(), n, pixels, channels, &self.x, &statistics, dy)
    }

    /// All inputs in `f64`: `x`, `γ`, `β` and the modulation.
    fn inputs(&self) -> [Vec<f64>; 4] {
        [&self.x, &self.gamma, &self.beta, &self.modulation]
            .map(|of| of.iter().map(|&x| f64::from(x)).collect())
    }

    /// The formula, number by number.
    fn direct(&self, [x, gamma, beta, modulation]: &[Vec<f64>; 4]) -> Vec<f64> {
        let (channels, width) = (self.channels, self.channels / self.groups);
        let mut y = vec![0.0; x.len()];
        for n in 0..self.images {
            for group in 0..self.groups {
                let members: Vec<usize> = (0..self.pixels)
                    .flat_map(|p| {
                        (0..width)
                            .map(move |c| (n * self.pixels + p) * channels + group * width + c)
                    })
                    .collect();
                let count = members.len() as f64;
                let mean = members.iter().map(|&at| x[at]).sum::<f64>() / count;
                let variance = members
                    .iter()
                    .map(|&at| (x[at] - mean).powi(2))
                    .sum::<f64>()
                    / count;
                for at in members {
                    let c = at % channels;
                    let h = (x[at] - mean) / (variance + EPSILON).sqrt() * gamma[c] + beta[c];
                    let row = if self.rows == 0 {
                        0
                    } else {
                        n % self.rows * 2 * channels
                    };
                    let by = |at: usize| modulation.get(row + at).copied().unwrap_or(0.0);
                    let p = h * (1.0 + by(c)) + by(channels + c);
                    y[at] = if self.silu { p / (1.0 + (-p).exp()) } else { p };
                }
            }
        }
        y
    }

    /// `Σ y·dy` of the formula, with one input moved by `h`.
    fn moved(&self, dy: &[f32], [which, at]: [usize; 2], h: f64) -> f64 {
        let mut inputs = self.inputs();
        inputs[which][at] += h;
        self.direct(&inputs)
            .iter()
            .zip(dy)
            .map(|(y, &dy)| y * f64::from(dy))
            .sum()
    }
}

/// Images, pixels, channels, groups and rows of modulation.
const SHAPES: [[usize; 5]; 9] = [
    [3, 16, 4, 4, 0],
    [2, 9, 12, 3, 2],
    [4, 1, 8, 2, 2],
    [2, 35, 3, 1, 0],
    [2, 12, 7, 7, 1],
    [3, 64, 32, 8, 3],
    [1, 300, 16, 1, 1],
    [2, 70, 96, 32, 2],
    [1, 5, 20, 5, 0],
];

#[test]
fn results_follow_the_formula() {
    for shape in SHAPES {
        for silu in [false, true] {
            let case = Case::new(shape, silu);
            let found = case.forward();
            let error = relative_rms(&found.0, &case.direct(&case.inputs()));
            assert!(error < 5e-7, "{shape:?}: {error:e}");
            assert_eq!(found, case.forward());
        }
    }
}

#[test]
fn gradients_are_differences_of_the_formula() {
    for shape in SHAPES {
        for silu in [false, true] {
            let case = Case::new(shape, silu);
            let dy = noise(5, case.x.len());
            let found = case.backward(&dy);
            assert_eq!(found, case.backward(&dy));
            assert_eq!(found.modulation.is_some(), case.rows > 0);
            let parts = [
                found.x,
                found.gamma,
                found.beta,
                found.modulation.unwrap_or_default(),
            ];
            for (which, found) in parts
                .iter()
                .enumerate()
                .filter(|(_, part)| !part.is_empty())
            {
                let every = found.len().div_ceil(60);
                let (mut some, mut expected) = (Vec::new(), Vec::new());
                for at in (0..found.len()).step_by(every) {
                    let difference = |h: f64| {
                        let [above, below] = [h, -h].map(|h| case.moved(&dy, [which, at], h));
                        (above - below) / (2.0 * h)
                    };
                    // Richardson: the error is of the fourth order in the step.
                    expected.push((4.0 * difference(5e-4) - difference(1e-3)) / 3.0);
                    some.push(found[at]);
                }
                let error = relative_rms(&some, &expected);
                assert!(error < 2e-6, "{shape:?}, input {which}: {error:e}");
            }
        }
    }
}

#[test]
fn a_large_mean_costs_no_digits() {
    for (mean, deviation) in [(100.0, 0.1), (-3000.0, 0.5), (1e-3, 1e-6)] {
        let mut case = Case::new([2, 256, 32, 8, 2], true);
        let noise = noise(6, case.x.len());
        case.x = noise.iter().map(|z| mean + deviation * z).collect();
        let error = relative_rms(&case.forward().0, &case.direct(&case.inputs()));
        assert!(error < 5e-7, "{mean} ± {deviation}: {error:e}");
    }
}

#[test]
fn channels_of_one_group_may_lie_far_apart() {
    let mut case = Case::new([1, 256, 12, 3, 0], false);
    for (at, x) in case.x.iter_mut().enumerate() {
        *x += [0.0, 50.0, -200.0, 7.0][at % 4];
    }
    // The first eighth of the image lies elsewhere than the rest.
    case.x[..32 * 12].iter_mut().for_each(|x| *x += 1000.0);
    let error = relative_rms(&case.forward().0, &case.direct(&case.inputs()));
    assert!(error < 5e-7, "{error:e}");
}

#[test]
fn rows_inside_padding_give_what_one_piece_gives() {
    for (width, channels, silu) in [(4, 12, true), (5, 3, true), (8, 32, false)] {
        let case = Case::new(
            [1, 6 * width, channels, 3.min(channels / 4).max(1), 0],
            silu,
        );
        let case = Case {
            groups: if channels == 32 { 4 } else { 3 },
            ..case
        };
        let dy = noise(7, case.x.len());
        let (length, stride) = (width * channels, (width + 2) * channels);
        let (y, statistics) = case.forward();
        let mut table = vec![0.0; 3 * channels];
        let affine = Affine::of(&case.norm(), 0, statistics.of(0), &mut table);

        let mut padded = vec![7.0; 6 * stride];
        let rows = Rows { length, stride };
        apply(&case.x, &affine, silu, &mut padded, rows);
        let mut d_padded = vec![f32::NAN; 6 * stride];
        for row in 0..6 {
            assert_eq!(
                padded[row * stride..][..length],
                y[row * length..][..length]
            );
            assert_eq!(
                padded[row * stride + length..(row + 1) * stride],
                [7.0; 64][..2 * channels]
            );
            d_padded[row * stride..][..length].copy_from_slice(&dy[row * length..][..length]);
        }

        let expected = case.backward(&dy);
        let mut dx = vec![0.0; case.x.len()];
        let (mut d_gain, mut d_offset) = (vec![0.0; channels], vec![0.0; channels]);
        let gradient = ImageGradient {
            dx: &mut dx,
            d_gain: &mut d_gain,
            d_offset: &mut d_offset,
        };
        backward_image(
            &case.x,
            &affine,
            statistics.of(0),
            silu,
            &d_padded,
            rows,
            gradient,
        );
        let wide = |of: &[f32]| of.iter().map(|&x| f64::from(x)).collect::<Vec<_>>();
        assert!(relative_rms(&dx, &wide(&expected.x)) < 1e-6);
        assert!(relative_rms(&d_gain, &wide(&expected.gamma)) < 1e-6);
        assert!(relative_rms(&d_offset, &wide(&expected.beta)) < 1e-6);
    }
}

#[test]
fn far_negative_numbers_have_finite_gradients() {
    let mut case = Case::new([1, 64, 8, 2, 0], true);
    case.beta = vec![-200.0; 8];
    let dy = noise(8, case.x.len());
    let found = case.backward(&dy);
    assert!(
        found
            .x
            .iter()
            .chain(&found.gamma)
            .chain(&found.beta)
            .all(|g| g.is_finite())
    );
}
