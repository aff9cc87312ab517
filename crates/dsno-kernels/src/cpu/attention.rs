//! Self-attention between the pixels of each map.
//!
//! ```text
//! out = softmax(q·kᵀ/√d)·v
//! ```
//!
//! for each image and head, as in Vaswani et al. 2017 (arXiv:1706.03762, section 3.2). Scores exist
//! for few rows at a time, so that they never leave the cache.

mod backward;
mod head;
mod softmax;
#[cfg(test)]
mod tests;

use std::ops::Range;

pub(crate) use self::backward::backward;
use self::head::Head;
use super::scratch::{Scratch, for_overwrite};
use super::threads;

/// Scores that exist at a time: 128 KB.
const SCORES: usize = 1 << 15;

/// Sizes of a self-attention: `qkv` is `[N, L, 3C]`, head by head and `[q | k | v]` within a head, each of
/// `d = C/heads` channels; the result is `[N, L, C]`, head by head.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AttentionShape {
    /// `N`.
    pub(crate) images: usize,
    /// `L`.
    pub(crate) tokens: usize,
    /// `C`.
    pub(crate) channels: usize,
    pub(crate) heads: usize,
}

/// Applies attention to `[N, L, 3C]`; returns `[N, L, C]`.
pub(crate) fn forward(shape: AttentionShape, qkv: &[f32]) -> Vec<f32> {
    shape.check(qkv);
    let AttentionShape {
        images,
        tokens,
        channels,
        ..
    } = shape;
    let mut out = for_overwrite(images * tokens * channels);
    // Any range of tokens is a unit of work of its own; one that starts inside an image turns that
    // image's keys again, which is little.
    let cut = threads::ranges(images * tokens, 4 * tokens * channels);
    let parts = threads::split(&mut out, &cut, channels);
    let jobs = cut.into_iter().zip(parts).collect();
    threads::run(jobs, |(range, out): (Range<usize>, &mut [f32])| {
        let mut rest = out;
        for image in range.start / tokens..range.end.div_ceil(tokens) {
            let first = range.start.max(image * tokens) - image * tokens;
            let last = range.end.min((image + 1) * tokens) - image * tokens;
            let (out, after) = rest.split_at_mut((last - first) * channels);
            rest = after;
            let qkv = &qkv[image * tokens * 3 * channels..][..tokens * 3 * channels];
            for head in shape.all_heads() {
                head.attend(qkv, first..last, out);
            }
        }
    });
    out
}

impl AttentionShape {
    fn check(self, qkv: &[f32]) {
        let Self {
            images,
            tokens,
            channels,
            heads,
        } = self;
        assert!(
            heads > 0 && channels.is_multiple_of(heads),
            "{channels} channels for {heads} heads"
        );
        assert_eq!(qkv.len(), images * tokens * 3 * channels);
    }

    fn all_heads(self) -> impl Iterator<Item = Head> {
        let Self {
            tokens,
            channels,
            heads,
            ..
        } = self;
        (0..heads).map(move |index| Head {
            index,
            tokens,
            channels,
            width: channels / heads,
        })
    }
}

impl Head {
    /// The queries of `range` among all keys of an image; `out` holds the rows of `range`, `C` wide.
    fn attend(self, qkv: &[f32], range: Range<usize>, out: &mut [f32]) {
        let keys = self.keys_turned(qkv);
        let at_a_time = self.rows_of(SCORES);
        let mut scores = Scratch::take(at_a_time * self.stride());
        let mut inverses = Scratch::take(at_a_time);
        for first in range.clone().step_by(at_a_time) {
            let rows = at_a_time.min(range.end - first);
            let inverses = &mut inverses[..rows];
            self.probabilities(qkv, first, &keys, &mut scores, inverses);
            let out = &mut out[(first - range.start) * self.channels + self.place()..];
            self.over_tokens(rows, &scores, &qkv[self.parts()[2]..], out, self.channels);
            for (row, &inverse) in out.chunks_mut(self.channels).zip(&*inverses) {
                for out in &mut row[..self.width] {
                    *out *= inverse;
                }
            }
        }
    }
}
