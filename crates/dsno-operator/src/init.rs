//! Initial weights: a function of the seed and of a parameter's place, never of the backend.

use burn::module::{Param, ParamId};
use burn::tensor::{Device, Shape, Tensor, TensorData};
use chacha20::ChaCha8Rng;
use chacha20::rand_core::{Rng, SeedableRng};

/// Variance scale of layers that should start at nothing; not 0, as in the authors' code.
pub(crate) const NEAR_ZERO: f64 = 1e-10;

/// Hands out parameters, each with an identifier and a random stream of its own.
///
/// Identifiers count up in building order. An optimiser's stored state is keyed by them, so a
/// network that is built again from the same architecture finds its state again.
#[derive(Debug)]
pub(crate) struct Initializer<'a> {
    seed: u64,
    next: u64,
    device: &'a Device,
}

impl<'a> Initializer<'a> {
    pub(crate) fn new(seed: u64, device: &'a Device) -> Self {
        Self {
            seed,
            next: 1,
            device,
        }
    }

    pub(crate) fn zeros<const D: usize>(&mut self, shape: [usize; D]) -> Param<Tensor<D>> {
        self.lazy(shape, |shape, device, _| Tensor::zeros(shape, device))
    }

    pub(crate) fn ones<const D: usize>(&mut self, shape: [usize; D]) -> Param<Tensor<D>> {
        self.lazy(shape, |shape, device, _| Tensor::ones(shape, device))
    }

    /// Uniform on `[low, high)`.
    pub(crate) fn uniform<const D: usize>(
        &mut self,
        shape: [usize; D],
        low: f64,
        high: f64,
    ) -> Param<Tensor<D>> {
        self.lazy(shape, move |shape, device, mut rng| {
            let values: Vec<f32> = (0..shape.iter().product())
                .map(|_| (low + (high - low) * unit(rng.next_u64())) as f32)
                .collect();
            Tensor::from_data(TensorData::new(values, Shape::from(shape)), device)
        })
    }

    /// Variance scaling over the mean of both fans: uniform with variance `scale / mean(fans)`.
    pub(crate) fn fan_average<const D: usize>(
        &mut self,
        shape: [usize; D],
        fans: [usize; 2],
        scale: f64,
    ) -> Param<Tensor<D>> {
        let bound = (6.0 * scale / (fans[0] + fans[1]) as f64).sqrt();
        self.uniform(shape, -bound, bound)
    }

    fn lazy<const D: usize>(
        &mut self,
        shape: [usize; D],
        make: impl FnOnce([usize; D], &Device, ChaCha8Rng) -> Tensor<D> + Send + Sync + 'static,
    ) -> Param<Tensor<D>> {
        let id = self.next;
        self.next += 1;
        let seed = self.seed;
        let init = move |device: &Device, require_grad: bool| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(id);
            make(shape, device, rng).set_require_grad(require_grad)
        };
        Param::uninitialized(
            ParamId::from(id),
            init,
            self.device.clone(),
            true,
            shape.into(),
        )
    }
}

/// The 53 high bits as a number in `[0, 1)`.
pub(crate) fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
}
