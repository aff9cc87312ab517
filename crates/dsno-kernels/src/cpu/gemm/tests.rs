use pulp::{Scalar, Scalar128b};

use super::*;
use crate::cpu::testing::{noise, relative_rms};

fn packed(rows: usize, columns: usize, depth: usize) -> Gemm {
    Gemm {
        rows,
        columns,
        depth,
        a_strides: [depth, 1],
        b_stride: columns,
        c_stride: columns,
        accumulate: false,
    }
}

/// Slices as short as the product allows.
fn matrices(gemm: &Gemm) -> [Vec<f32>; 3] {
    let Gemm {
        rows,
        columns,
        depth,
        a_strides,
        b_stride,
        c_stride,
        ..
    } = *gemm;
    let a = (rows - 1) * a_strides[0] + depth.saturating_sub(1) * a_strides[1] + 1;
    let b = depth.saturating_sub(1) * b_stride + columns;
    let c = (rows - 1) * c_stride + columns;
    [noise(1, a), noise(2, b), noise(3, c)]
}

/// The product in f64, and what lies between the rows of the result.
fn direct(gemm: &Gemm, a: &[f32], b: &[f32], c: &[f32]) -> Vec<f64> {
    let mut result: Vec<f64> = c.iter().copied().map(f64::from).collect();
    for i in 0..gemm.rows {
        for j in 0..gemm.columns {
            let product = |p: usize| {
                let left = a[i * gemm.a_strides[0] + p * gemm.a_strides[1]];
                f64::from(left) * f64::from(b[p * gemm.b_stride + j])
            };
            let sum: f64 = (0..gemm.depth).map(product).sum();
            let old = if gemm.accumulate {
                result[i * gemm.c_stride + j]
            } else {
                0.0
            };
            result[i * gemm.c_stride + j] = old + sum;
        }
    }
    result
}

fn assert_right(gemm: Gemm, run: impl Fn(Gemm, &[f32], &[f32], &mut [f32])) {
    let [a, b, mut c] = matrices(&gemm);
    let expected = direct(&gemm, &a, &b, &c);
    run(gemm, &a, &b, &mut c);
    let error = relative_rms(&c, &expected);
    assert!(error < 5e-7, "{gemm:?}: {error:e}");
    for (at, (&found, &expected)) in c.iter().zip(&expected).enumerate() {
        if at % gemm.c_stride >= gemm.columns {
            assert_eq!(
                f64::from(found),
                expected,
                "{gemm:?} wrote between its rows"
            );
        }
    }
}

/// Every block, row remainder and column remainder, with gaps between rows and without.
fn assert_all_right(run: impl Fn(Gemm, &[f32], &[f32], &mut [f32])) {
    let sizes = (1..26).flat_map(|rows| [1, 3, 8, 17, 33].map(|columns| (rows, columns)));
    let wide = (1..130).map(|columns| (9, columns));
    for (rows, columns) in sizes.chain(wide) {
        let plain = packed(rows, columns, 5);
        assert_right(plain, &run);
        assert_right(
            Gemm {
                accumulate: true,
                c_stride: columns + 3,
                ..plain
            },
            &run,
        );
        assert_right(
            Gemm {
                a_strides: [1, rows],
                b_stride: columns + 1,
                ..plain
            },
            &run,
        );
        assert_right(
            Gemm {
                a_strides: [3, 2],
                accumulate: true,
                ..plain
            },
            &run,
        );
    }
}

#[test]
fn every_size_is_right_with_the_best_instructions() {
    assert_all_right(Gemm::run);
}

#[test]
fn every_size_is_right_with_vectors_of_one_and_four() {
    assert_all_right(|gemm, a, b, c| gemm.run_with(Scalar, a, b, c));
    assert_all_right(|gemm, a, b, c| gemm.run_with(Scalar128b, a, b, c));
}

#[cfg(target_arch = "x86_64")]
#[test]
fn every_size_is_right_with_vectors_of_eight() {
    if let Some(simd) = pulp::x86::V3::try_new() {
        assert_all_right(|gemm, a, b, c| gemm.run_with(simd, a, b, c));
    }
}

#[test]
fn long_sums_and_many_rows_are_right() {
    for (rows, columns, depth) in [(700, 20, 300), (33, 40, 4096), (1, 1, 1000), (300, 70, 513)] {
        let plain = packed(rows, columns, depth);
        assert_right(plain, Gemm::run);
        assert_right(
            Gemm {
                a_strides: [1, rows],
                accumulate: true,
                ..plain
            },
            Gemm::run,
        );
    }
}

#[test]
fn summands_are_added_once() {
    for (rows, columns, depth) in [(5, 20, 7), (14, 64, 600), (3, 1, 0)] {
        let gemm = Gemm {
            accumulate: true,
            ..packed(rows, columns, depth)
        };
        let [a, b, mut c] = matrices(&gemm);
        let (bias, residual) = (noise(4, columns), noise(5, rows * (columns + 1)));
        let mut expected = direct(&gemm, &a, &b, &c);
        for (at, expected) in expected.iter_mut().enumerate() {
            let (i, j) = (at / columns, at % columns);
            *expected += f64::from(bias[j]) + f64::from(residual[i * (columns + 1) + j]);
        }
        let plus = [(&bias, 0), (&residual, columns + 1)]
            .map(|(numbers, stride)| Some(Summand { numbers, stride }));
        gemm.run_plus(&a, &b, plus, &mut c);
        assert!(relative_rms(&c, &expected) < 5e-7);
    }
}

#[test]
fn an_empty_sum_is_zero() {
    let (mut c, gemm) = (noise(1, 12), packed(3, 4, 0));
    Gemm {
        accumulate: true,
        ..gemm
    }
    .run(&[], &[], &mut c);
    assert_eq!(c, noise(1, 12));
    gemm.run(&[], &[], &mut c);
    assert_eq!(c, [0.0; 12]);
}

#[test]
fn an_empty_result_needs_nothing() {
    packed(0, 4, 3).run(&[], &[], &mut []);
    packed(4, 0, 3).run(&[], &[], &mut []);
}

#[test]
#[should_panic(expected = "the right factor does not fit")]
fn short_slices_are_refused() {
    packed(2, 2, 2).run(&[0.0; 4], &[0.0; 3], &mut [0.0; 4]);
}

#[test]
#[should_panic(expected = "rows of the result overlap")]
fn overlapping_rows_are_refused() {
    Gemm {
        c_stride: 1,
        ..packed(2, 2, 2)
    }
    .run(&[0.0; 4], &[0.0; 4], &mut [0.0; 4]);
}
