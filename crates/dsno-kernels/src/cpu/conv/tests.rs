mod prologue;

use super::*;
use crate::cpu::testing::{noise, relative_rms};

const ALL: [Algorithm; 4] = [
    Algorithm::Four,
    Algorithm::Two,
    Algorithm::NarrowInput,
    Algorithm::NarrowOutput,
];

/// Every path: whole tiles, tiles that hang over, one pixel, no multiple of a vector's lanes.
const SHAPES: [[usize; 5]; 14] = [
    [2, 16, 16, 32, 32],
    [9, 8, 8, 64, 32],
    [1, 8, 8, 16, 48],
    [3, 1, 1, 5, 7],
    [2, 2, 2, 4, 4],
    [2, 3, 5, 12, 4],
    [3, 7, 7, 8, 12],
    [2, 9, 6, 20, 36],
    [2, 8, 8, 1, 32],
    [2, 8, 8, 3, 17],
    [3, 7, 5, 32, 1],
    [2, 8, 8, 24, 3],
    [1, 24, 20, 96, 16],
    [5, 4, 4, 33, 65],
];

fn shape([images, height, width, channels_in, channels_out]: [usize; 5]) -> ConvShape {
    ConvShape {
        images,
        height,
        width,
        channels_in,
        channels_out,
    }
}

struct Case {
    shape: ConvShape,
    x: Vec<f32>,
    weight: Vec<f32>,
    bias: Vec<f32>,
    /// Residual, and gradient of the result.
    dy: Vec<f32>,
}

fn case(sizes: [usize; 5]) -> Case {
    let shape = shape(sizes);
    let pixels = shape.images * shape.height * shape.width;
    Case {
        shape,
        x: noise(1, pixels * shape.channels_in),
        weight: noise(2, 9 * shape.channels_in * shape.channels_out),
        bias: noise(3, shape.channels_out),
        dy: noise(4, pixels * shape.channels_out),
    }
}

/// Calls `visit` with the places of `y`, `x` and `w` in every summand of the convolution.
fn for_each_summand(shape: ConvShape, mut visit: impl FnMut(usize, usize, usize)) {
    let ConvShape {
        images,
        height,
        width,
        channels_in,
        channels_out,
    } = shape;
    for (n, row, column) in (0..images).flat_map(|n| {
        (0..height).flat_map(move |row| (0..width).map(move |column| (n, row, column)))
    }) {
        for (k, (down, right)) in (0..9).map(|k| (k, (k / 3, k % 3))) {
            let (y, x) = (row + down, column + right);
            if !(1..=height).contains(&y) || !(1..=width).contains(&x) {
                continue;
            }
            let to = ((n * height + row) * width + column) * channels_out;
            let from = ((n * height + y - 1) * width + x - 1) * channels_in;
            for o in 0..channels_out {
                for i in 0..channels_in {
                    visit(to + o, from + i, (o * channels_in + i) * 9 + k);
                }
            }
        }
    }
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}

/// The convolution in f64.
fn direct(case: &Case) -> Vec<f64> {
    let (x, weight) = (wide(&case.x), wide(&case.weight));
    let mut y = vec![0.0; case.dy.len()];
    for_each_summand(case.shape, |to, from, w| y[to] += weight[w] * x[from]);
    y
}

/// Gradients in f64: of `x`, the weight and the bias.
fn direct_gradients(case: &Case) -> [Vec<f64>; 3] {
    let (x, weight, dy) = (wide(&case.x), wide(&case.weight), wide(&case.dy));
    let [mut dx, mut dw] = [vec![0.0; x.len()], vec![0.0; weight.len()]];
    for_each_summand(case.shape, |to, from, w| {
        dx[from] += weight[w] * dy[to];
        dw[w] += dy[to] * x[from];
    });
    let outputs = case.shape.channels_out;
    let db = (0..outputs)
        .map(|o| dy.iter().skip(o).step_by(outputs).sum())
        .collect();
    [dx, dw, db]
}

fn bound(algorithm: Algorithm) -> f64 {
    if algorithm == Algorithm::Four {
        5e-6
    } else {
        2e-6
    }
}

#[test]
fn every_algorithm_is_the_convolution() {
    for sizes in SHAPES {
        let case = case(sizes);
        let plain = direct(&case);
        let outputs = case.shape.channels_out;
        let whole: Vec<f64> = (0..plain.len())
            .map(|at| plain[at] + f64::from(case.bias[at % outputs]) + f64::from(case.dy[at]))
            .collect();
        for algorithm in ALL {
            let (bias, residual) = (Some(&case.bias[..]), Some(&case.dy[..]));
            let (found, _) = forward_by(
                algorithm,
                case.shape,
                &case.x,
                None,
                &case.weight,
                bias,
                residual,
            );
            let error = relative_rms(&found, &whole);
            assert!(
                error < bound(algorithm),
                "{sizes:?} {algorithm:?}: {error:e}"
            );
            let (found, _) = forward_by(
                algorithm,
                case.shape,
                &case.x,
                None,
                &case.weight,
                None,
                None,
            );
            let error = relative_rms(&found, &plain);
            assert!(
                error < bound(algorithm),
                "{sizes:?} {algorithm:?}: {error:e}"
            );
        }
    }
}

#[test]
fn every_algorithm_has_the_gradients_of_the_convolution() {
    for sizes in SHAPES {
        let case = case(sizes);
        let [dx, dw, db] = direct_gradients(&case);
        for algorithm in ALL {
            let run = |wants_x| {
                backward_by(
                    algorithm,
                    case.shape,
                    &case.x,
                    None,
                    &case.weight,
                    &case.dy,
                    wants_x,
                )
            };
            let found = run(true);
            let x = found.x.expect("wanted");
            for (name, found, expected) in [
                ("x", &x, &dx),
                ("weight", &found.weight, &dw),
                ("bias", &found.bias, &db),
            ] {
                let error = relative_rms(found, expected);
                assert!(
                    error < bound(algorithm),
                    "{sizes:?} {algorithm:?} {name}: {error:e}"
                );
            }
            let without = run(false);
            assert!(without.x.is_none());
            assert_eq!((without.weight, without.bias), (found.weight, found.bias));
        }
    }
}

#[test]
fn the_direct_gradients_are_differences_of_the_direct_convolution() {
    let mut case = case([2, 3, 4, 2, 3]);
    let loss = |case: &Case| -> f64 {
        direct(case)
            .iter()
            .zip(&case.dy)
            .map(|(y, &dy)| y * f64::from(dy))
            .sum()
    };
    let [dx, dw, _] = direct_gradients(&case);
    // The convolution is linear in each: a step of one is as good as a small one.
    for (at, dx) in dx.iter().enumerate() {
        let before = loss(&case);
        case.x[at] += 1.0;
        assert!((loss(&case) - before - dx).abs() < 1e-6);
        case.x[at] -= 1.0;
    }
    for (at, dw) in dw.iter().enumerate() {
        let before = loss(&case);
        case.weight[at] += 1.0;
        assert!((loss(&case) - before - dw).abs() < 1e-6);
        case.weight[at] -= 1.0;
    }
}

#[test]
fn vectors_of_one_and_four_lanes_are_right_too() {
    for sizes in [[2, 3, 5, 12, 4], [2, 8, 8, 6, 17], [1, 9, 6, 20, 18]] {
        let case = case(sizes);
        let (y, [dx, dw, db]) = (direct(&case), direct_gradients(&case));
        for (algorithm, lanes) in ALL.into_iter().flat_map(|by| [(by, 1), (by, 4)]) {
            vector::LANES.set(Some(lanes));
            let (x, w) = (&case.x, &case.weight);
            let (found, _) = forward_by(algorithm, case.shape, x, None, w, None, None);
            let gradients = backward_by(algorithm, case.shape, x, None, w, &case.dy, true);
            vector::LANES.set(None);
            let x = gradients.x.expect("wanted");
            for (found, expected) in [
                (&found, &y),
                (&x, &dx),
                (&gradients.weight, &dw),
                (&gradients.bias, &db),
            ] {
                let error = relative_rms(found, expected);
                assert!(
                    error < bound(algorithm),
                    "{sizes:?} {algorithm:?} {lanes}: {error:e}"
                );
            }
        }
    }
}

#[test]
fn repetitions_are_bit_identical() {
    let case = case([6, 16, 12, 32, 48]);
    let forward = || {
        forward(
            case.shape,
            &case.x,
            None,
            &case.weight,
            Some(&case.bias),
            None,
        )
        .0
    };
    let backward = || backward(case.shape, &case.x, None, &case.weight, &case.dy, true);
    let (y, gradients) = (forward(), backward());
    for _ in 0..3 {
        assert_eq!(forward(), y);
        let again = backward();
        assert_eq!(
            (again.x, again.weight, again.bias),
            (
                gradients.x.clone(),
                gradients.weight.clone(),
                gradients.bias.clone()
            )
        );
    }
}

#[test]
fn no_images_are_no_results() {
    let case = case([0, 8, 8, 16, 16]);
    for algorithm in ALL {
        let (x, w) = (&case.x, &case.weight);
        assert!(
            forward_by(algorithm, case.shape, x, None, w, None, None)
                .0
                .is_empty()
        );
        let found = backward_by(algorithm, case.shape, x, None, w, &case.dy, true);
        assert_eq!((found.x, found.weight), (Some(vec![]), vec![0.0; w.len()]));
    }
}
