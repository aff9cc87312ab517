//! Distances between predicted and stored states.

use std::fmt;

use burn::tensor::Tensor;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A distance between predicted and stored states; what distillation minimises.
///
/// A loss with a network of its own, such as a perceptual one, holds it as a field.
///
/// ```
/// use burn::tensor::Tensor;
/// use dsno_train::{StateLoss, mean_per_time};
///
/// /// Mean absolute difference, smooth around zero.
/// #[derive(Debug)]
/// struct Charbonnier(f64);
///
/// impl StateLoss for Charbonnier {
///     fn per_time(&self, predicted: Tensor<5>, target: Tensor<5>) -> Tensor<1> {
///         mean_per_time(((predicted - target).square() + self.0 * self.0).sqrt())
///     }
///
///     fn key(&self) -> String {
///         format!("charbonnier {}", self.0)
///     }
/// }
/// ```
pub trait StateLoss: fmt::Debug + Sync {
    /// Mean distance over the batch at each time, `[T]`, of states `[B, T, C, H, W]`; not yet
    /// weighted by time. `predicted` is on a graph.
    fn per_time(&self, predicted: Tensor<5>, target: Tensor<5>) -> Tensor<1>;

    /// Names the loss with all that shapes it; part of the run's key, so that a run is not resumed
    /// with another loss.
    fn key(&self) -> String;
}

/// Mean over batch, channels and pixels of `[B, T, C, H, W]`: `[T]`.
pub fn mean_per_time(values: Tensor<5>) -> Tensor<1> {
    per_image(values)
        .mean_dim(2)
        .squeeze_dim::<2>(2)
        .mean_dim(0)
        .squeeze_dim(0)
}

fn per_image(values: Tensor<5>) -> Tensor<3> {
    let [b, t, c, h, w] = values.dims();
    values.reshape([b, t, c * h * w])
}

/// Distances that a recipe can name.
///
/// In a file, `"l1"`, `"l2"`, or `{ kind = "pseudo-huber", c = 0.03 }`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Distance {
    /// Mean absolute difference.
    L1,
    /// Mean squared difference.
    L2,
    /// `√(‖Δ‖² + c²) − c` with the Euclidean norm over channels and pixels (Song & Dhariwal 2023,
    /// arXiv:2310.14189, section 3.3): quadratic near zero, linear beyond `c`.
    PseudoHuber {
        /// Where it turns, positive; the paper's is `0.00054 √(C·H·W)`, 0.03 for CIFAR-10.
        c: f64,
    },
}

impl StateLoss for Distance {
    fn per_time(&self, predicted: Tensor<5>, target: Tensor<5>) -> Tensor<1> {
        let error = predicted - target;
        match *self {
            Self::L1 => mean_per_time(error.abs()),
            Self::L2 => mean_per_time(error.square()),
            Self::PseudoHuber { c } => {
                let norm_squared = per_image(error.square()).sum_dim(2).squeeze_dim::<2>(2);
                let distance = (norm_squared + c * c).sqrt() - c;
                distance.mean_dim(0).squeeze_dim(0)
            }
        }
    }

    fn key(&self) -> String {
        serde_json::to_string(self).expect("invariant: a distance is plain data")
    }
}

/// A distance as a table of a file.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
enum Table {
    L1 {},
    L2 {},
    PseudoHuber { c: f64 },
}

impl Serialize for Distance {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Self::L1 => serializer.serialize_str("l1"),
            Self::L2 => serializer.serialize_str("l2"),
            Self::PseudoHuber { c } => Table::PseudoHuber { c }.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Distance {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrTable;

        impl<'de> Visitor<'de> for TextOrTable {
            type Value = Distance;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`l1`, `l2` or a table with `kind`")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Distance, E> {
                match text {
                    "l1" => Ok(Distance::L1),
                    "l2" => Ok(Distance::L2),
                    other => Err(E::unknown_variant(other, &["l1", "l2"])),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Distance, A::Error> {
                Ok(match Table::deserialize(MapAccessDeserializer::new(map))? {
                    Table::L1 {} => Distance::L1,
                    Table::L2 {} => Distance::L2,
                    Table::PseudoHuber { c } => Distance::PseudoHuber { c },
                })
            }
        }

        deserializer.deserialize_any(TextOrTable)
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData, Tolerance};

    use super::*;

    #[test]
    fn distances_are_means_over_batch_channels_and_pixels_at_each_time() {
        // Two samples of two times with the differences 3 and 4, then 0 and −2.
        let device = Device::flex();
        let states = |values: [f32; 8]| {
            Tensor::<5>::from_data(TensorData::new(values.to_vec(), [2, 2, 1, 1, 2]), &device)
        };
        let (predicted, target) = (
            states([3.0, 4.0, 1.0, -1.0, 3.0, 4.0, 1.0, -1.0]),
            states([0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0]),
        );
        for (distance, expected) in [
            (Distance::L1, [3.5, 1.0]),
            (Distance::L2, [12.5, 2.0]),
            (
                Distance::PseudoHuber { c: 0.5 },
                [25.25_f32.sqrt() - 0.5, 4.25_f32.sqrt() - 0.5],
            ),
        ] {
            let found = distance.per_time(predicted.clone(), target.clone());
            found.into_data().assert_approx_eq::<f32>(
                &TensorData::from(expected),
                // A handful of roundings of f32.
                Tolerance::relative(1e-6),
            );
        }
    }

    #[test]
    fn distances_are_read_as_text_and_as_tables() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct Recipe {
            distance: Distance,
        }
        let read = |text: &str| toml::from_str::<Recipe>(&format!("distance = {text}"));
        for (text, distance) in [
            ("'l1'", Distance::L1),
            ("'l2'", Distance::L2),
            ("{ kind = 'l2' }", Distance::L2),
            (
                "{ kind = 'pseudo-huber', c = 0.03 }",
                Distance::PseudoHuber { c: 0.03 },
            ),
        ] {
            let recipe = Recipe { distance };
            assert_eq!(read(text).unwrap(), recipe);
            let written = toml::to_string(&recipe).unwrap();
            assert_eq!(toml::from_str::<Recipe>(&written).unwrap(), recipe);
        }
        assert_eq!(Distance::L1.key(), "\"l1\"");
        let refused = |text: &str| read(text).unwrap_err().to_string();
        assert!(refused("'l3'").contains("unknown variant `l3`, expected `l1` or `l2`"));
        assert!(refused("3").contains("expected `l1`, `l2` or a table with `kind`"));
        assert!(refused("{ kind = 'pseudo-huber' }").contains("missing field `c`"));
        assert!(refused("{ kind = 'l1', c = 1 }").contains("unknown field `c`"));
    }
}
