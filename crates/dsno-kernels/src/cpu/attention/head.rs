//! The products of one head in one image.

use super::Scratch;
use super::softmax::Rows;
use crate::cpu::gemm::Gemm;
use crate::cpu::transpose::Transpose;

/// Rows at regular distances.
#[derive(Debug, Clone, Copy)]
pub(super) struct Strided<'a> {
    pub(super) data: &'a [f32],
    pub(super) stride: usize,
}

/// Layout of one head: `qkv` is one image `[L, 3C]`, results are `[L, C]`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    pub(super) index: usize,
    /// `L`.
    pub(super) tokens: usize,
    /// `C`.
    pub(super) channels: usize,
    /// `d`.
    pub(super) width: usize,
}

impl Head {
    /// Where this head's queries, keys and values start in a row of `qkv`.
    pub(super) fn parts(self) -> [usize; 3] {
        [0, 1, 2].map(|part| (3 * self.index + part) * self.width)
    }

    /// Where it starts in a row of the result.
    pub(super) fn place(self) -> usize {
        self.index * self.width
    }

    /// How its scores become probabilities.
    pub(super) fn rows(self) -> Rows {
        let factor = (1.0 / (self.width as f64).sqrt()) as f32;
        Rows {
            stride: self.stride(),
            length: self.tokens,
            factor,
        }
    }

    /// Distance between rows of scores: not a power of two, as columns of scores are read too.
    pub(super) fn stride(self) -> usize {
        self.tokens.next_multiple_of(16) + 16
    }

    /// Rows of so many scores, a multiple of the rows that a product has in registers.
    pub(super) fn rows_of(self, scores: usize) -> usize {
        let fit = (scores / self.stride() / 12 * 12).max(12);
        fit.min(self.tokens).max(1)
    }

    /// `kᵀ`, `[d, L]`.
    pub(super) fn keys_turned(self, qkv: &[f32]) -> Scratch {
        self.turned(&qkv[self.parts()[1]..])
    }

    /// `vᵀ`, `[d, L]`.
    pub(super) fn values_turned(self, qkv: &[f32]) -> Scratch {
        self.turned(&qkv[self.parts()[2]..])
    }

    fn turned(self, part: &[f32]) -> Scratch {
        let mut turned = Scratch::take(self.tokens * self.width);
        let transpose = Transpose {
            rows: self.tokens,
            columns: self.width,
            from_stride: 3 * self.channels,
            to_stride: self.tokens,
            factor: 1.0,
        };
        transpose.run(part, &mut turned);
        turned
    }

    /// The queries of an image from row `first` on.
    pub(super) fn queries(self, qkv: &[f32], first: usize) -> Strided<'_> {
        let stride = 3 * self.channels;
        Strided {
            data: &qkv[first * stride + self.parts()[0]..],
            stride,
        }
    }

    /// `[rows, d]` times `[d, L]`: rows of scores.
    pub(super) fn times_turned(self, rows: usize, a: Strided<'_>, b: &[f32], scores: &mut [f32]) {
        let gemm = Gemm {
            rows,
            columns: self.tokens,
            depth: self.width,
            a_strides: [a.stride, 1],
            b_stride: self.tokens,
            c_stride: self.stride(),
            accumulate: false,
        };
        gemm.run(a.data, b, scores);
    }

    /// Rows of scores times `[L, d]`, one part of an image, into rows at every `c_stride` values.
    pub(super) fn over_tokens(
        self,
        rows: usize,
        scores: &[f32],
        part: &[f32],
        c: &mut [f32],
        c_stride: usize,
    ) {
        let gemm = Gemm {
            rows,
            columns: self.width,
            depth: self.tokens,
            a_strides: [self.stride(), 1],
            b_stride: 3 * self.channels,
            c_stride,
            accumulate: false,
        };
        gemm.run(scores, part, c);
    }

    /// Transposed rows of scores times `[rows, d]`, into or onto one part of an image.
    pub(super) fn over_rows(
        self,
        rows: usize,
        scores: &[f32],
        b: Strided<'_>,
        part: &mut [f32],
        accumulate: bool,
    ) {
        let gemm = Gemm {
            rows: self.tokens,
            columns: self.width,
            depth: rows,
            a_strides: [1, self.stride()],
            b_stride: b.stride,
            c_stride: 3 * self.channels,
            accumulate,
        };
        gemm.run(scores, b.data, part);
    }

    /// `softmax(q·kᵀ/√d)` of some queries, as numerators and for each row the inverse of their sum.
    pub(super) fn probabilities(
        self,
        qkv: &[f32],
        first: usize,
        keys_turned: &[f32],
        scores: &mut [f32],
        inverses: &mut [f32],
    ) {
        self.times_turned(
            inverses.len(),
            self.queries(qkv, first),
            keys_turned,
            scores,
        );
        self.rows().numerators(scores, inverses);
    }
}
