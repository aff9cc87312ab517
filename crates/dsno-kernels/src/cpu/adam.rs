//! One step of Adam and of the average in one pass over a parameter.
//!
//! Nine streams of memory and no result in between; every number is read once and written once.

use pulp::{Arch, Simd, WithSimd};

use super::threads;
use crate::adam::Coefficients;

/// A parameter, its gradient and optimiser state, all of one length; all but the gradient are updated.
#[derive(Debug)]
pub(crate) struct Parameter<'a> {
    pub(crate) weight: &'a mut [f32],
    pub(crate) gradient: &'a [f32],
    /// First moment, `m`.
    pub(crate) first: &'a mut [f32],
    /// Second moment, `v`.
    pub(crate) second: &'a mut [f32],
    pub(crate) average: Option<&'a mut [f32]>,
}

/// Cost of a number in floating-point operations: root, division and the way to memory and back.
const COST: usize = 16;

/// One step of [`crate::adam::Adam`]. Results do not depend on the number of threads.
///
/// # Panics
///
/// If the lengths differ.
pub(crate) fn step(coefficients: Coefficients, parameter: Parameter<'_>) {
    let len = parameter.weight.len();
    let lengths = [
        parameter.gradient.len(),
        parameter.first.len(),
        parameter.second.len(),
        parameter
            .average
            .as_ref()
            .map_or(len, |average| average.len()),
    ];
    assert_eq!(
        lengths, [len; 4],
        "the parts of a parameter have one length"
    );
    let ranges = threads::ranges(len, COST);
    let averages = parameter.average.map_or_else(
        || ranges.iter().map(|_| None).collect::<Vec<_>>(),
        |average| {
            threads::split(average, &ranges, 1)
                .into_iter()
                .map(Some)
                .collect()
        },
    );
    let weights = threads::split(parameter.weight, &ranges, 1).into_iter();
    let moments = threads::split(parameter.first, &ranges, 1)
        .into_iter()
        .zip(threads::split(parameter.second, &ranges, 1));
    let parts = weights.zip(moments).zip(averages).zip(&ranges).map(
        |(((weight, (first, second)), average), range)| Parameter {
            weight,
            gradient: &parameter.gradient[range.clone()],
            first,
            second,
            average,
        },
    );
    threads::run(parts.collect(), |part| {
        Arch::new().dispatch(Pass { coefficients, part });
    });
}

/// The pass of one thread.
struct Pass<'a> {
    coefficients: Coefficients,
    part: Parameter<'a>,
}

impl WithSimd for Pass<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let rule = Rule::new(simd, self.coefficients);
        let Parameter {
            weight,
            gradient,
            first,
            second,
            average,
        } = self.part;
        let (gradients, gradient) = S::as_simd_f32s(gradient);
        let (weights, weight) = S::as_mut_simd_f32s(weight);
        let (firsts, first) = S::as_mut_simd_f32s(first);
        let (seconds, second) = S::as_mut_simd_f32s(second);
        let vectors = weights.iter_mut().zip(gradients).zip(firsts).zip(seconds);

        let mut w = simd.partial_load_f32s(weight);
        let mut m = simd.partial_load_f32s(first);
        let mut v = simd.partial_load_f32s(second);
        rule.moments_and_weight(&mut w, simd.partial_load_f32s(gradient), &mut m, &mut v);
        simd.partial_store_f32s(weight, w);
        simd.partial_store_f32s(first, m);
        simd.partial_store_f32s(second, v);

        if let Some(average) = average {
            let (averages, average) = S::as_mut_simd_f32s(average);
            for ((((w, g), m), v), a) in vectors.zip(averages) {
                rule.moments_and_weight(w, *g, m, v);
                rule.average(*w, a);
            }
            let mut a = simd.partial_load_f32s(average);
            rule.average(w, &mut a);
            simd.partial_store_f32s(average, a);
        } else {
            for (((w, g), m), v) in vectors {
                rule.moments_and_weight(w, *g, m, v);
            }
        }
    }
}

/// The rule on vectors.
struct Rule<S: Simd> {
    simd: S,
    beta_1: S::f32s,
    one_minus_beta_1: S::f32s,
    beta_2: S::f32s,
    one_minus_beta_2: S::f32s,
    rate: S::f32s,
    epsilon: S::f32s,
    average_rate: S::f32s,
}

impl<S: Simd> Rule<S> {
    #[inline(always)]
    fn new(simd: S, c: Coefficients) -> Self {
        Self {
            simd,
            beta_1: simd.splat_f32s(c.beta_1),
            one_minus_beta_1: simd.splat_f32s(c.one_minus_beta_1),
            beta_2: simd.splat_f32s(c.beta_2),
            one_minus_beta_2: simd.splat_f32s(c.one_minus_beta_2),
            rate: simd.splat_f32s(c.rate),
            epsilon: simd.splat_f32s(c.epsilon),
            average_rate: simd.splat_f32s(c.average_rate),
        }
    }

    #[inline(always)]
    fn moments_and_weight(&self, w: &mut S::f32s, g: S::f32s, m: &mut S::f32s, v: &mut S::f32s) {
        let simd = self.simd;
        *m = simd.mul_add_f32s(self.beta_1, *m, simd.mul_f32s(self.one_minus_beta_1, g));
        let square = simd.mul_f32s(simd.mul_f32s(g, g), self.one_minus_beta_2);
        *v = simd.mul_add_f32s(self.beta_2, *v, square);
        let scale = simd.add_f32s(simd.sqrt_f32s(*v), self.epsilon);
        *w = simd.sub_f32s(*w, simd.div_f32s(simd.mul_f32s(self.rate, *m), scale));
    }

    #[inline(always)]
    fn average(&self, w: S::f32s, a: &mut S::f32s) {
        *a = self
            .simd
            .mul_add_f32s(self.average_rate, self.simd.sub_f32s(*a, w), w);
    }
}

#[cfg(test)]
mod tests;
