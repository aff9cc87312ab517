use super::*;
use crate::cpu::testing::{noise, relative_rms};

/// `x·W + b + r` in f64, all operands given.
fn direct(rows: usize, [k, n]: [usize; 2], [x, w, b, r]: [&[f64]; 4]) -> Vec<f64> {
    let y = |i: usize, j: usize| {
        let sum: f64 = (0..k).map(|p| x[i * k + p] * w[p * n + j]).sum();
        sum + b[j] + r[i * n + j]
    };
    (0..rows * n).map(|at| y(at / n, at % n)).collect()
}

fn wide(numbers: &[f32]) -> Vec<f64> {
    numbers.iter().copied().map(f64::from).collect()
}

const SHAPES: [(usize, [usize; 2]); 9] = [
    (1, [1, 1]),
    (3, [5, 1]),
    (7, [1, 12]),
    (50, [3, 16]),
    (65, [16, 3]),
    (5, [130, 70]),
    (130, [64, 64]),
    (1111, [40, 96]),
    (5000, [20, 33]),
];

#[test]
fn the_result_is_that_of_f64() {
    for (rows, [k, n]) in SHAPES {
        let (x, w) = (noise(1, rows * k), noise(2, k * n));
        let (b, r) = (noise(3, n), noise(4, rows * n));
        for given in 0..4 {
            let bias = (given & 1 == 1).then_some(&b[..]);
            let residual = (given & 2 == 2).then_some(&r[..]);
            let found = forward(rows, [k, n], &x, &w, bias, residual);
            let [b, r] = [(bias, n), (residual, rows * n)]
                .map(|(given, len)| given.map_or(vec![0.0; len], wide));
            let expected = direct(rows, [k, n], [&wide(&x), &wide(&w), &b, &r]);
            let error = relative_rms(&found, &expected);
            assert!(error < 5e-7, "{rows} {k} {n}: {error:e}");
        }
    }
}

#[test]
fn gradients_are_those_of_f64() {
    for (rows, [k, n]) in SHAPES {
        let (x, w, dy) = (noise(1, rows * k), noise(2, k * n), noise(3, rows * n));
        let found = backward(rows, [k, n], &x, &w, &dy, true);
        let (x64, w64, dy64) = (wide(&x), wide(&w), wide(&dy));
        let dx: Vec<f64> = (0..rows * k)
            .map(|at| {
                (0..n)
                    .map(|j| dy64[at / k * n + j] * w64[at % k * n + j])
                    .sum()
            })
            .collect();
        let dw: Vec<f64> = (0..k * n)
            .map(|at| {
                (0..rows)
                    .map(|i| x64[i * k + at / n] * dy64[i * n + at % n])
                    .sum()
            })
            .collect();
        let db: Vec<f64> = (0..n)
            .map(|j| (0..rows).map(|i| dy64[i * n + j]).sum())
            .collect();
        let errors = [
            relative_rms(&found.x.unwrap(), &dx),
            relative_rms(&found.weight, &dw),
            relative_rms(&found.bias, &db),
        ];
        assert!(
            errors.iter().all(|&error| error < 1e-6),
            "{rows} {k} {n}: {errors:?}"
        );
        let without = backward(rows, [k, n], &x, &w, &dy, false);
        assert!(without.x.is_none());
        assert_eq!(without.weight, found.weight);
        assert_eq!(without.bias, found.bias);
    }
}

#[test]
fn gradients_are_quotients_of_differences() {
    let (rows, [k, n]) = (6, [5, 7]);
    let operands = [rows * k, k * n, n].map(|len| noise(len as u64, len));
    let dy = noise(9, rows * n);
    let loss = |operands: &[Vec<f64>; 3]| -> f64 {
        let [x, w, b] = operands;
        let y = direct(rows, [k, n], [x, w, b, &vec![0.0; rows * n]]);
        y.iter().zip(&dy).map(|(y, &dy)| y * f64::from(dy)).sum()
    };
    let quotients = [0, 1, 2].map(|which| {
        let difference = |at: usize| {
            let at_distance = |h: f64| {
                let mut moved = operands.each_ref().map(|operand| wide(operand));
                moved[which][at] += h;
                loss(&moved)
            };
            (at_distance(1e-3) - at_distance(-1e-3)) / 2e-3
        };
        (0..operands[which].len())
            .map(difference)
            .collect::<Vec<_>>()
    });
    let found = backward(rows, [k, n], &operands[0], &operands[1], &dy, true);
    assert!(relative_rms(&found.x.unwrap(), &quotients[0]) < 1e-6);
    assert!(relative_rms(&found.weight, &quotients[1]) < 1e-6);
    assert!(relative_rms(&found.bias, &quotients[2]) < 1e-6);
}

#[test]
fn repetitions_are_equal_to_the_bit() {
    let (rows, [k, n]) = (3000, [64, 48]);
    let (x, w, dy) = (noise(1, rows * k), noise(2, k * n), noise(3, rows * n));
    let once = || backward(rows, [k, n], &x, &w, &dy, true);
    let (a, b) = (once(), once());
    assert!(a.x == b.x && a.weight == b.weight && a.bias == b.bias);
    let once = || forward(rows, [k, n], &x, &w, None, Some(&dy));
    assert!(once() == once());
}

#[test]
fn many_rows_lose_no_digits_of_the_bias() {
    let rows = 1 << 17;
    let dy: Vec<f32> = noise(1, rows).into_iter().map(|x| 1.0 + 1e-3 * x).collect();
    let found = backward(rows, [1, 1], &vec![0.0; rows], &[1.0], &dy, false);
    let expected: f64 = wide(&dy).iter().sum();
    assert!(relative_rms(&found.bias, &[expected]) < 1e-7);
}

#[test]
fn no_rows_give_no_result_and_no_gradient() {
    assert!(forward(0, [2, 3], &[], &[1.0; 6], Some(&[1.0; 3]), None).is_empty());
    let found = backward(0, [2, 3], &[], &[1.0; 6], &[], true);
    assert_eq!(
        (found.x, found.weight, found.bias),
        (Some(vec![]), vec![0.0; 6], vec![0.0; 3])
    );
}
