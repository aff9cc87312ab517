//! Gradients of attention.

use std::ops::Range;

use super::head::{Head, Strided};
use super::{AttentionShape, Scratch, for_overwrite, threads};

/// Scores, and as many gradients of scores, that exist at a time: 256 KB each, as all keys and values
/// are added to once for each time.
const SCORES: usize = 1 << 16;

/// Gradient of `[N, L, 3C]` from that of the result, `[N, L, C]`.
///
/// The probabilities `P` are computed once more, some rows at a time:
///
/// ```text
/// dP = dO·Vᵀ    dS = P∘(dP − rowsum(dP∘P))/√d
/// dQ = dS·K     dK = dSᵀ·Q     dV = Pᵀ·dO
/// ```
pub(crate) fn backward(shape: AttentionShape, qkv: &[f32], dout: &[f32]) -> Vec<f32> {
    shape.check(qkv);
    let AttentionShape {
        images,
        tokens,
        channels,
        ..
    } = shape;
    assert_eq!(dout.len(), images * tokens * channels);
    let mut dqkv = for_overwrite(qkv.len());
    let image = |n: usize| Image {
        shape,
        qkv: &qkv[n * tokens * 3 * channels..][..tokens * 3 * channels],
        dout: &dout[n * tokens * channels..][..tokens * channels],
    };
    let cost = 10 * tokens * channels;
    let cut = threads::ranges(images * tokens, cost);
    if images >= cut.len() {
        let cut = threads::ranges(images, cost * tokens);
        let parts = threads::split(&mut dqkv, &cut, tokens * 3 * channels);
        let jobs = cut.into_iter().zip(parts).collect();
        threads::run(jobs, |(range, part): (Range<usize>, &mut [f32])| {
            for (n, dqkv) in range.zip(part.chunks_exact_mut(tokens * 3 * channels)) {
                image(n).gradients(0..tokens, dqkv);
            }
        });
        return dqkv;
    }
    // Few images: threads share the queries of each, and what they find for keys and values is added.
    for (n, dqkv) in dqkv.chunks_exact_mut(tokens * 3 * channels).enumerate() {
        let parts = threads::run(threads::ranges(tokens, cost), |range| {
            let mut part = Scratch::zeros(dqkv.len());
            image(n).gradients(range, &mut part);
            part
        });
        dqkv.fill(0.0);
        for part in parts {
            threads::add(dqkv, part.iter().copied());
        }
    }
    dqkv
}

/// One image `[L, 3C]` and the gradient of its result, `[L, C]`.
struct Image<'a> {
    shape: AttentionShape,
    qkv: &'a [f32],
    dout: &'a [f32],
}

impl Image<'_> {
    /// Writes the gradients that the results of some queries give: rows of these queries, and all rows
    /// of keys and values.
    fn gradients(&self, queries: Range<usize>, dqkv: &mut [f32]) {
        for head in self.shape.all_heads() {
            self.gradients_of_head(head, queries.clone(), dqkv);
        }
    }

    fn gradients_of_head(&self, head: Head, queries: Range<usize>, dqkv: &mut [f32]) {
        let [q, k, v] = head.parts();
        let stride = 3 * head.channels;
        let (keys, values) = (head.keys_turned(self.qkv), head.values_turned(self.qkv));
        let at_a_time = head.rows_of(SCORES);
        let take = |width: usize| Scratch::take(at_a_time * width);
        let (mut p, mut ds) = (take(head.stride()), take(head.stride()));
        let (mut inverses, mut scaled) = (take(1), take(head.width));
        for first in queries.clone().step_by(at_a_time) {
            let rows = at_a_time.min(queries.end - first);
            let more = first > queries.start;
            let inverses = &mut inverses[..rows];
            let dout = Strided {
                data: &self.dout[first * head.channels + head.place()..],
                stride: head.channels,
            };
            head.probabilities(self.qkv, first, &keys, &mut p, inverses);
            let scaled = scaled_rows(dout, head.width, inverses, &mut scaled);
            head.over_rows(rows, &p, scaled, &mut dqkv[v..], more);
            head.times_turned(rows, dout, &values, &mut ds);
            head.rows().gradient(&p, inverses, &mut ds);
            head.over_tokens(
                rows,
                &ds,
                &self.qkv[k..],
                &mut dqkv[first * stride + q..],
                stride,
            );
            head.over_rows(
                rows,
                &ds,
                head.queries(self.qkv, first),
                &mut dqkv[k..],
                more,
            );
        }
    }
}

/// Rows of `width` values times a factor for each, side by side.
fn scaled_rows<'a>(
    rows: Strided<'_>,
    width: usize,
    factors: &[f32],
    to: &'a mut [f32],
) -> Strided<'a> {
    for (row, (to, &factor)) in to.chunks_exact_mut(width).zip(factors).enumerate() {
        let from = &rows.data[row * rows.stride..][..width];
        for (to, &from) in to.iter_mut().zip(from) {
            *to = factor * from;
        }
    }
    Strided {
        data: to,
        stride: width,
    }
}
