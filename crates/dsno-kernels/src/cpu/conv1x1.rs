//! Dense layers `y = x·W + b`; with pixels as rows, convolutions 1×1.

#[cfg(test)]
mod tests;

use std::ops::Range;

use super::gemm::{Gemm, Summand};
use super::scratch::{Scratch, for_overwrite};
use super::threads;
use super::transpose::Transpose;

/// Values of all operands' rows that stay in the second cache together.
const BLOCK: usize = 1 << 16;

/// `y = x·W + b + r`, for rows of `x [rows, k]`, weights `W [k, n]`, a bias `b [n]` and a residual
/// `r [rows, n]`.
pub(crate) fn forward(
    rows: usize,
    [k, n]: [usize; 2],
    x: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    residual: Option<&[f32]>,
) -> Vec<f32> {
    assert_eq!(
        (x.len(), weight.len()),
        (rows * k, k * n),
        "sizes of the input and the weight"
    );
    assert!(bias.is_none_or(|bias| bias.len() == n), "size of the bias");
    assert!(
        residual.is_none_or(|residual| residual.len() == rows * n),
        "size of the residual"
    );
    let mut y = for_overwrite(rows * n);
    let ranges = threads::ranges(rows, 2 * k * n);
    let jobs = ranges
        .iter()
        .cloned()
        .zip(threads::split(&mut y, &ranges, n))
        .collect();
    threads::run(jobs, |(range, mut rest): (Range<usize>, &mut [f32])| {
        for Range { start, end } in blocks(range, k + n) {
            let (y, behind) = std::mem::take(&mut rest).split_at_mut((end - start) * n);
            rest = behind;
            let plus = [
                bias.map(|bias| Summand {
                    numbers: bias,
                    stride: 0,
                }),
                residual.map(|all| Summand {
                    numbers: &all[start * n..],
                    stride: n,
                }),
            ];
            let product = Gemm::dense([end - start, n], k, [k, 1], false);
            product.run_plus(&x[start * k..], weight, plus, y);
        }
    });
    y
}

/// Gradients of [`forward`]; the residual's is `dy` itself.
pub(crate) struct PointwiseGradients {
    /// `[rows, k]`, if asked for.
    pub(crate) x: Option<Vec<f32>>,
    /// `[k, n]`.
    pub(crate) weight: Vec<f32>,
    /// `[n]`.
    pub(crate) bias: Vec<f32>,
}

/// `dx = dy·Wᵀ`, `dW = xᵀ·dy`, `db = Σ dy` over rows.
pub(crate) fn backward(
    rows: usize,
    [k, n]: [usize; 2],
    x: &[f32],
    weight: &[f32],
    dy: &[f32],
    wants_x: bool,
) -> PointwiseGradients {
    assert_eq!(
        (x.len(), weight.len()),
        (rows * k, k * n),
        "sizes of the input and the weight"
    );
    assert_eq!(dy.len(), rows * n, "size of the result's gradient");
    let transposed = wants_x.then(|| transposed(weight, [k, n]));
    let mut dx = for_overwrite(if wants_x { rows * k } else { 0 });
    let ranges = threads::ranges(rows, 4 * k * n);
    let parts = threads::split(&mut dx, &ranges, if wants_x { k } else { 0 });
    let jobs = ranges.iter().cloned().zip(parts).collect();
    let sums = threads::run(jobs, |(range, mut rest): (Range<usize>, &mut [f32])| {
        let first = range.start;
        let (mut d_weight, mut d_bias) = (for_overwrite(k * n), vec![0.0; n]);
        let mut column_sums = Scratch::take(n);
        for Range { start, end } in blocks(range, 2 * k + n) {
            let dy = &dy[start * n..end * n];
            if let Some(transposed) = &transposed {
                let (dx, behind) = std::mem::take(&mut rest).split_at_mut((end - start) * k);
                rest = behind;
                Gemm::dense([end - start, k], n, [n, 1], false).run(dy, transposed, dx);
            }
            let x = &x[start * k..end * k];
            Gemm::dense([k, n], end - start, [1, k], start > first).run(x, dy, &mut d_weight);
            // Sums of columns are the product with a row of ones.
            Gemm::dense([1, n], end - start, [0, 0], false).run(&[1.0], dy, &mut column_sums);
            threads::add(&mut d_bias, column_sums.iter().copied().map(f64::from));
        }
        (d_weight, d_bias)
    });
    let mut sums = sums.into_iter();
    let none = || (vec![0.0; k * n], vec![0.0; n]);
    let (mut d_weight, mut d_bias) = sums.next().unwrap_or_else(none);
    for (weight, bias) in sums {
        threads::add(&mut d_weight, weight);
        threads::add(&mut d_bias, bias);
    }
    PointwiseGradients {
        x: wants_x.then_some(dx),
        weight: d_weight,
        bias: d_bias.into_iter().map(|sum| sum as f32).collect(),
    }
}

/// Cuts a range of rows into ranges of about [`BLOCK`] values, `width` to a row.
fn blocks(range: Range<usize>, width: usize) -> impl Iterator<Item = Range<usize>> {
    let tall = (BLOCK / width.max(1)).max(64);
    let count = range.len().div_ceil(tall);
    (0..count).map(move |at| {
        range.start + at * range.len() / count..range.start + (at + 1) * range.len() / count
    })
}

/// `Wᵀ [n, k]`.
fn transposed(weight: &[f32], [k, n]: [usize; 2]) -> Scratch {
    let mut result = Scratch::take(k * n);
    let transpose = Transpose {
        rows: k,
        columns: n,
        from_stride: n,
        to_stride: k,
        factor: 1.0,
    };
    transpose.run(weight, &mut result);
    result
}
