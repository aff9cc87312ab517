//! The exponential moving average of weights.

use std::any::Any;
use std::collections::HashMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::Tensor;
use dsno_operator::UNet;

/// Share of the old average that one step keeps, so that it halves in `half_life_images`.
///
/// ```text
/// rate = 2^(−batch / half-life)         0 where the half-life is 0: the average is the newest weight
/// ```
///
/// ```
/// // The paper's rate of 0.9999 at a batch of 256 halves in 1.77 million images.
/// let rate = dsno_train::ema_rate(256, 1_774_400.0);
/// assert!((rate - 0.9999).abs() < 1e-8);
/// ```
pub fn ema_rate(batch_size: usize, half_life_images: f64) -> f64 {
    if half_life_images == 0.0 {
        0.0
    } else {
        (-(batch_size as f64) / half_life_images).exp2()
    }
}

/// Averaged weights, kept off the autodiff graph.
#[derive(Debug)]
pub struct Ema {
    average: UNet,
    rate: f64,
}

impl Ema {
    /// Starts the average at the weights of `average`, a network on a device without autodiff.
    pub fn new(average: UNet, rate: f64) -> Self {
        Self { average, rate }
    }

    /// The averaged network.
    pub fn network(&self) -> &UNet {
        &self.average
    }

    /// Gives the averaged network back.
    pub fn into_network(self) -> UNet {
        self.average
    }

    /// Moves the average towards `newest`: `average ← newest + rate · (average − newest)`.
    #[must_use]
    pub fn update(self, newest: &UNet) -> Self {
        if self.rate == 0.0 {
            return Self {
                average: newest.valid(),
                rate: self.rate,
            };
        }
        let mut reader = Reader::default();
        newest.valid().visit(&mut reader);
        let mut mover = Mover {
            newest: reader.0,
            rate: self.rate,
        };
        Self {
            average: self.average.map(&mut mover),
            rate: self.rate,
        }
    }
}

/// Tensors by identifier, each a `Tensor<D>` of its own rank.
#[derive(Debug, Default)]
struct Reader(HashMap<ParamId, Box<dyn Any>>);

impl ModuleVisitor for Reader {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.insert(param.id, Box::new(param.val()));
    }
}

struct Mover {
    newest: HashMap<ParamId, Box<dyn Any>>,
    rate: f64,
}

impl ModuleMapper for Mover {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let newest = self
            .newest
            .remove(&param.id)
            .and_then(|tensor| tensor.downcast().ok());
        let newest: Tensor<D> = *newest.expect("invariant: both networks have the same parameters");
        let rate = self.rate;
        param.map(|average| newest.clone() + (average - newest) * rate)
    }
}
