//! The transforms between times and products as tables.

use crate::fourier::Product;

/// The transforms between `T` times and `R` products, each `[outputs, inputs]`.
#[derive(Debug)]
pub(super) struct Tables {
    /// From times to inputs of the products, `[R, T]`.
    pub(super) analysis: Vec<f32>,
    /// From outputs of the products to times, `[T, R]`.
    pub(super) synthesis: Vec<f32>,
    /// Transpose of `analysis`, which takes gradients back.
    pub(super) analysis_back: Vec<f32>,
    /// Transpose of `synthesis`.
    pub(super) synthesis_back: Vec<f32>,
}

impl Tables {
    pub(super) fn new(products: &[Product], times: usize) -> Self {
        let analysis = |product: &Product, t| product.analysis(t, times) as f32;
        let synthesis = |product: &Product, t| product.synthesis(t, times) as f32;
        let by_product = |share: &dyn Fn(&Product, usize) -> f32| -> Vec<f32> {
            let row = |product| (0..times).map(move |t| share(product, t));
            products.iter().flat_map(row).collect()
        };
        let by_time = |share: &dyn Fn(&Product, usize) -> f32| -> Vec<f32> {
            let row = |t| products.iter().map(move |product| share(product, t));
            (0..times).flat_map(row).collect()
        };
        Self {
            analysis: by_product(&analysis),
            synthesis: by_time(&synthesis),
            analysis_back: by_time(&analysis),
            synthesis_back: by_product(&synthesis),
        }
    }
}
