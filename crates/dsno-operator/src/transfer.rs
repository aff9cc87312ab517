//! Starting an operator at its teacher's weights.

use dsno_checkpoint::{StateDict, WeightError};

use crate::plan::{HeadOutput, Kind, Plan};
use crate::unet::UNet;
use crate::weights::{named_parameters, with_parameters};

impl UNet {
    /// Replaces all weights that the teacher has too; temporal convolutions keep theirs.
    ///
    /// Layers are matched by their order with temporal convolutions left out. Of a teacher that predicts
    /// image and noise side by side, an operator that predicts states takes the head of the image. Of
    /// one of another family it takes the head of the prediction, without learned variances, and the
    /// rest of the state starts at zero.
    ///
    /// # Errors
    ///
    /// [`WeightError::Mismatch`] if the networks differ in more than temporal convolutions and the head.
    ///
    /// # Examples
    ///
    /// ```
    /// use burn::tensor::Device;
    /// use dsno_operator::{TemporalConvConfig, UNetConfig};
    ///
    /// let teacher = UNetConfig::new(8, 1).with_base_channels(32);
    /// let student = teacher.clone().with_temporal(Some(TemporalConvConfig { n_modes: 2 }));
    /// let device = Device::flex();
    /// let network = teacher.init(1, &device)?;
    /// let started = student.init(2, &device)?.init_from_teacher(&network)?;
    /// assert_eq!(started.state_dict()["stem.weight"], network.state_dict()["stem.weight"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn init_from_teacher(mut self, teacher: &Self) -> Result<Self, WeightError> {
        let places = numbers(&self.plan, false);
        let theirs = numbers(&teacher.plan, false);
        let renumber = |name: String| {
            let Some(rest) = name.strip_prefix("layers.") else {
                return name;
            };
            let (number, rest) = rest
                .split_once('.')
                .expect("invariant: layers have parameters");
            let order = theirs.iter().position(|n| n.to_string() == number);
            let place = order.and_then(|order| places.get(order));
            place.map_or_else(|| name.clone(), |place| format!("layers.{place}.{rest}"))
        };
        let shared = named_parameters(teacher).into_iter();
        let mut weights: StateDict = shared.map(|(name, t)| (renumber(name), t)).collect();
        let [image, ..] = self.plan.image_shape;
        if self.plan.head.output != teacher.plan.head.output {
            let rows = self.plan.head.channels_out;
            for name in ["head.weight", "head.bias"] {
                let head = weights
                    .get_mut(name)
                    .expect("invariant: every network has a head");
                head.keep_first(image);
                if self.plan.head.output == HeadOutput::CleanImageAndRest {
                    let length = head.values.len() / image * rows;
                    head.values.resize(length, 0.0);
                    head.shape[0] = rows;
                }
            }
        }
        let temporal = numbers(&self.plan, true);
        let temporal: Vec<String> = temporal.iter().map(|n| format!("layers.{n}.")).collect();
        let own = named_parameters(&self).into_iter();
        weights
            .extend(own.filter(|(name, _)| temporal.iter().any(|prefix| name.starts_with(prefix))));
        self.set_buffers(teacher.buffers.clone());
        with_parameters(self, weights)
    }
}

/// Numbers of the layers that are temporal convolutions, or of those that are none.
fn numbers(plan: &Plan, temporal: bool) -> Vec<usize> {
    let is_temporal = |n: &usize| matches!(plan.stages[*n].kind, Kind::Temporal { .. });
    (0..plan.stages.len())
        .filter(|n| is_temporal(n) == temporal)
        .collect()
}

#[cfg(test)]
mod tests;
