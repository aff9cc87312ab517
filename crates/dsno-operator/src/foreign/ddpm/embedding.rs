//! The embedding of times and classes.

use burn::module::{Module, Param};
use burn::tensor::{Device, Int, Tensor, TensorData};

use super::blueprint::{Blueprint, ClassInput};
use super::layer::Linear;
use super::network::Condition;
use super::sinusoids::Sinusoids;
use crate::init::Initializer;
use crate::layer::silu;

/// Time and class to a vector of width `E`.
#[derive(Module, Debug)]
pub(super) struct Embedding {
    time_0: Linear,
    time_1: Linear,
    class_table: Option<Table>,
    class_map: Option<Numbers>,
    #[module(skip)]
    class: ClassInput,
    #[module(skip)]
    sinusoids: Sinusoids,
}

/// One vector per class.
#[derive(Module, Debug)]
struct Table {
    /// `[classes, E]`
    weight: Param<Tensor<2>>,
}

/// Labels embedded as times are.
#[derive(Module, Debug)]
struct Numbers {
    class_0: Linear,
    class_1: Linear,
}

impl Embedding {
    pub(super) fn new(init: &mut Initializer<'_>, plan: &Blueprint) -> Self {
        let (width, e) = (plan.sinusoids.width, plan.embedding);
        Self {
            time_0: Linear::new(init, width, e),
            time_1: Linear::new(init, e, e),
            class_table: match plan.class {
                ClassInput::Table { classes } => Some(Table {
                    weight: init.fan_average([classes, e], [e, e], 1.0),
                }),
                _ => None,
            },
            class_map: (plan.class == ClassInput::Numbers).then(|| Numbers {
                class_0: Linear::new(init, width, e),
                class_1: Linear::new(init, e, e),
            }),
            class: plan.class,
            sinusoids: plan.sinusoids,
        }
    }

    /// `SiLU(e)`, `[N, E]`, with one row if neither times nor conditions differ between samples.
    pub(super) fn forward(
        &self,
        times: &[f64],
        condition: Option<Condition<'_>>,
        device: &Device,
    ) -> Tensor<2> {
        let table = self.sinusoids.tensor(times, device);
        let time = self.time_1.forward(silu(self.time_0.forward(table)));
        let class = match (self.class, condition) {
            (ClassInput::None, None) => return silu(time),
            (ClassInput::None, Some(_)) => panic!("a condition for an unconditional network"),
            (ClassInput::Vectors, Some(Condition::Vectors(vectors))) => vectors.clone(),
            (ClassInput::Vectors, _) => panic!("this network needs one vector per sample"),
            (_, Some(Condition::Labels(labels))) => self.of_labels(labels, device),
            (_, _) => panic!("this network needs one label per sample"),
        };
        silu(time + class)
    }
}

impl Embedding {
    fn of_labels(&self, labels: &[u32], device: &Device) -> Tensor<2> {
        if let Some(table) = &self.class_table {
            return table.forward(labels, device);
        }
        let map = self
            .class_map
            .as_ref()
            .expect("invariant: labels have a table or a map");
        let numbers: Vec<f64> = labels.iter().copied().map(f64::from).collect();
        let table = self.sinusoids.tensor(&numbers, device);
        map.class_1.forward(silu(map.class_0.forward(table)))
    }
}

impl Table {
    fn forward(&self, labels: &[u32], device: &Device) -> Tensor<2> {
        let weight = self.weight.val();
        let classes = weight.dims()[0];
        let index = |&label: &u32| {
            assert!(
                (label as usize) < classes,
                "label {label} of {classes} classes"
            );
            label as i32
        };
        let indices: Vec<i32> = labels.iter().map(index).collect();
        let n = indices.len();
        let indices = Tensor::<1, Int>::from_data(TensorData::new(indices, [n]), device);
        weight.select(0, indices)
    }
}
