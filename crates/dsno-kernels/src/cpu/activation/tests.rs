use pulp::Scalar;

use super::*;
use crate::cpu::testing::{noise, relative_rms};

/// Values of every size and both signs, dense where the functions bend.
fn inputs() -> Vec<f32> {
    let mut x: Vec<f32> = (-110_000..110_000)
        .map(|i| i as f32 * 1e-3 + 3.3e-4)
        .collect();
    x.extend((0..60_000).map(|i| (i as f32 - 30_000.0) * 1e-4));
    x.extend((-60..30).flat_map(|i| [10f32.powi(i), -(10f32.powi(i))]));
    x.extend(noise(1, 1001));
    x
}

/// The function of each number through the machine's vectors, and through vectors of one lane.
fn map(x: &[f32], f: impl Functor) -> [Vec<f32>; 2] {
    struct Apply<'a, F>(&'a [f32], &'a mut [f32], F);
    impl<F: Functor> WithSimd for Apply<'_, F> {
        type Output = ();
        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            let ((x, x_tail), (y, y_tail)) = (S::as_simd_f32s(self.0), S::as_mut_simd_f32s(self.1));
            x.iter()
                .zip(y)
                .for_each(|(x, y)| *y = self.2.call(simd, *x));
            simd.partial_store_f32s(y_tail, self.2.call(simd, simd.partial_load_f32s(x_tail)));
        }
    }
    let (mut y, mut one) = (vec![0.0; x.len()], vec![0.0; x.len()]);
    Arch::new().dispatch(Apply(x, &mut y, f));
    Apply(x, &mut one, f).with_simd(Scalar);
    [y, one]
}

trait Functor: Copy {
    fn call<S: Simd>(self, simd: S, x: S::f32s) -> S::f32s;
}

macro_rules! functor {
    ($name:ident, $function:ident) => {
        #[derive(Clone, Copy)]
        struct $name;
        impl Functor for $name {
            #[inline(always)]
            fn call<S: Simd>(self, simd: S, x: S::f32s) -> S::f32s {
                $function(simd, x)
            }
        }
    };
}

functor!(SiluOf, silu_of);
functor!(SiluSlope, silu_slope);

/// Largest relative error where the exact result is a normal number.
fn worst(x: &[f32], found: &[f32], exact: impl Fn(f64) -> f64) -> f64 {
    let normal = f64::from(f32::MIN_POSITIVE)..=f64::from(f32::MAX);
    let pairs = x
        .iter()
        .zip(found)
        .map(|(&x, &f)| (exact(f64::from(x)), f64::from(f)));
    pairs
        .filter(|(e, _)| normal.contains(&e.abs()))
        .map(|(e, f)| ((f - e) / e).abs())
        .fold(0.0, f64::max)
}

fn exact_sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn exact_slope(x: f64) -> f64 {
    exact_sigmoid(x) * (1.0 + x * exact_sigmoid(-x))
}

#[test]
fn relative_errors_are_a_few_roundings() {
    let x = inputs();
    let check = |name, found: [Vec<f32>; 2], bound, exact: fn(f64) -> f64| {
        let errors = found.map(|found| worst(&x, &found, exact));
        assert!(errors.iter().all(|&e| e < bound), "{name}: {errors:?}");
    };
    check("silu", map(&x, SiluOf), 2e-7, |x| x * exact_sigmoid(x));
}

#[test]
fn the_slope_is_exact_relative_to_its_terms() {
    let x = inputs();
    for found in map(&x, SiluSlope) {
        for (&x, found) in x.iter().zip(found) {
            let x = f64::from(x);
            // It crosses zero near −1.28, where σ and x·σ·(1 − σ) cancel.
            let terms = exact_sigmoid(x) * (1.0 + x.abs().min(200.0) * exact_sigmoid(-x));
            let error = (f64::from(found) - exact_slope(x)).abs();
            assert!(
                error <= 4e-7 * terms + f64::from(f32::MIN_POSITIVE),
                "{x}: {error:e}"
            );
        }
    }
}

#[test]
fn limits_are_right_at_both_ends() {
    let x = [
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
        f32::MAX,
        f32::MIN,
        0.0,
        88.8,
        -150.0,
    ];
    let inf = f32::INFINITY;
    let same = |found: [Vec<f32>; 2], expected: [f32; 8]| {
        let equal =
            |(a, b): (&f32, &f32)| (a - b).abs() < 1e-38 || a == b || (a.is_nan() && b.is_nan());
        for found in found {
            assert!(
                found.iter().zip(&expected).all(equal),
                "{found:?}, not {expected:?}"
            );
        }
    };
    same(
        map(&x, SiluOf),
        [inf, 0.0, f32::NAN, f32::MAX, 0.0, 0.0, 88.8, 0.0],
    );
    same(
        map(&x, SiluSlope),
        [1.0, 0.0, f32::NAN, 1.0, 0.0, 0.5, 1.0, 0.0],
    );
}

#[test]
fn whole_maps_follow_the_formula_and_its_differences() {
    for len in [0, 1, 5, 16, 33, 50_000] {
        let (x, dy) = (
            noise(2, len).iter().map(|x| 8.0 * x).collect::<Vec<_>>(),
            noise(3, len),
        );
        let (y, dx) = (silu(&x), silu_backward(&x, &dy));
        let exact = |x: f64| x * exact_sigmoid(x);
        let expected: Vec<f64> = x.iter().map(|&x| exact(f64::from(x))).collect();
        assert!(len == 0 || relative_rms(&y, &expected) < 1e-7);
        let h = 1e-5;
        let difference = |x: f64| (exact(x + h) - exact(x - h)) / (2.0 * h);
        let expected: Vec<f64> = x
            .iter()
            .zip(&dy)
            .map(|(&x, &dy)| f64::from(dy) * difference(f64::from(x)))
            .collect();
        assert!(len == 0 || relative_rms(&dx, &expected) < 2e-7);
        assert_eq!((y, dx), (silu(&x), silu_backward(&x, &dy)));
    }
}
