//! Concatenation of two maps along their channels.

use burn::tensor::Tensor;

#[cfg(feature = "flex")]
mod kernel;

/// Concatenates two maps along their channels, `[N, H, W, A]` and `[N, H, W, B]` to
/// `[N, H, W, A + B]`.
///
/// # Panics
///
/// If the maps differ in number or size.
pub fn concat_channels(one: Tensor<4>, other: Tensor<4>) -> Tensor<4> {
    let ([n, h, w, _], [nn, hh, ww, _]) = (one.dims(), other.dims());
    assert_eq!([n, h, w], [nn, hh, ww], "maps of other sizes");
    #[cfg(feature = "flex")]
    if crate::flex::has_kernels(&one) {
        let maps = [one, other].map(|map| Some(map.into_dispatch()));
        return crate::flex::operation::apply(kernel::Concat, maps);
    }
    Tensor::cat(vec![one, other], 3)
}
