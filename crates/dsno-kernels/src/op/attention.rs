//! Dot-product attention between the tokens of short sequences.

use burn::tensor::{Tensor, activation::softmax};

/// Mixes values by the softmax of scaled dot products (Vaswani et al. 2017, arXiv:1706.03762v7, Eq. 1).
///
/// ```text
/// y_h = softmax(q_h · k_hᵀ / √d) · v_h               for each head h, d = C / heads
/// ```
///
/// # Shapes
///
/// | value    | shape        | meaning                                                              |
/// |----------|--------------|----------------------------------------------------------------------|
/// | `qkv`    | `[N, L, 3C]` | head by head, `[q \| k \| v]` of `d` channels each within a head      |
/// | returned | `[N, L, C]`  | head by head                                                         |
///
/// # Panics
///
/// If the last axis does not divide into `3 · heads` parts.
pub fn attention(qkv: Tensor<3>, heads: usize) -> Tensor<3> {
    let [n, l, width] = qkv.dims();
    assert!(
        width.is_multiple_of(3 * heads),
        "{width} channels are not [q | k | v] of {heads} heads"
    );
    #[cfg(feature = "flex")]
    if crate::flex::has_kernels(&qkv) {
        let qkv = [Some(qkv.into_dispatch())];
        return crate::flex::operation::apply(kernel::Attention { heads }, qkv);
    }
    let d = width / 3 / heads;
    let parts = qkv.reshape([n, l, heads, 3 * d]).swap_dims(1, 2);
    let part = |index: usize| parts.clone().narrow(3, index * d, d);
    let (q, k, v) = (part(0), part(1), part(2));
    let scores = (q * (1.0 / (d as f64).sqrt())).matmul(k.transpose());
    softmax(scores, 3)
        .matmul(v)
        .swap_dims(1, 2)
        .reshape([n, l, heads * d])
}

#[cfg(feature = "flex")]
mod kernel {
    use burn_flex::FlexTensor;

    use crate::cpu::attention::{self, AttentionShape};
    use crate::flex::{self, Contiguous, operation::Kernel};

    #[derive(Debug)]
    pub(super) struct Attention {
        pub(super) heads: usize,
    }

    impl Kernel<1> for Attention {
        type Memory = AttentionShape;

        fn forward(self, [qkv]: [Contiguous; 1]) -> (FlexTensor, AttentionShape) {
            let [images, tokens, width] = qkv.dims();
            let shape = AttentionShape {
                images,
                tokens,
                channels: width / 3,
                heads: self.heads,
            };
            let y = attention::forward(shape, qkv.slice());
            (flex::tensor(y, [images, tokens, width / 3]), shape)
        }

        fn backward(
            shape: &AttentionShape,
            qkv: &Contiguous,
            dy: &Contiguous,
            _: [bool; 1],
        ) -> [Option<FlexTensor>; 1] {
            let found = attention::backward(*shape, qkv.slice(), dy.slice());
            [Some(qkv.with_values(found))]
        }
    }
}
