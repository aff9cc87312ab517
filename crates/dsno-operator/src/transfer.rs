//! Starting a student at its teacher's weights.

use crate::config::{Output, UNetConfig, UNetConfigError};
use crate::plan::{Kind, Plan};
use crate::unet::UNet;
use dsno_checkpoint::{StateDict, WeightError};

/// Why a student cannot start at a teacher.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransferError {
    /// One of the architectures is impossible.
    #[error(transparent)]
    Architecture(#[from] UNetConfigError),
    /// The architectures differ in more than temporal convolutions.
    #[error(transparent)]
    Weights(#[from] WeightError),
}

impl UNet {
    /// Replaces all weights that the teacher has too; temporal convolutions keep theirs.
    ///
    /// Layers are matched by their order with temporal convolutions left out, since those shift the
    /// numbers of the layers after them. Of a teacher that predicts image and noise side by side, a
    /// student that answers with the state takes the head of the image: the first channels.
    ///
    /// # Errors
    ///
    /// * [`TransferError::UNetConfig`] if `from` or `to` cannot be built;
    /// * [`TransferError::Weights`] if they differ in more than temporal convolutions.
    ///
    /// # Examples
    ///
    /// ```
    /// use burn::tensor::Device;
    /// use dsno_operator::{UNetConfig, TemporalConvConfig};
    /// # use dsno_operator::{Heads, Output};
    /// # let teacher = UNetConfig { image_size: 4, image_channels: 1, base_channels: 8,
    /// #     embedding_channels: 8, channel_multipliers: vec![1], res_blocks: 1,
    /// #     attention_resolutions: vec![], heads: Heads::Count(1), attention_groups: 4,
    /// #     residual_groups: None, classes: 0,
    /// #     dropout: 0.0, temporal: None, output: Output::State };
    /// // With `teacher` an architecture without temporal convolutions:
    /// let student = UNetConfig { temporal: Some(TemporalConvConfig { n_modes: 2 }), ..teacher.clone() };
    /// let device = Device::flex();
    /// let network = teacher.init(1, &device)?;
    /// let started = student.init(2, &device)?.init_from_teacher(&network, &teacher, &student)?;
    /// assert_eq!(started.state_dict()["stem.weight"], network.state_dict()["stem.weight"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn init_from_teacher(
        self,
        teacher: &Self,
        from: &UNetConfig,
        to: &UNetConfig,
    ) -> Result<Self, TransferError> {
        let places: Vec<usize> = spatial(&to.plan()?).collect();
        let numbers: Vec<usize> = spatial(&from.plan()?).collect();
        let renumber = |name: String| {
            let Some(rest) = name.strip_prefix("layers.") else {
                return name;
            };
            let (number, rest) = rest
                .split_once('.')
                .expect("invariant: layers have parameters");
            let order = numbers.iter().position(|n| n.to_string() == number);
            let place = order.and_then(|order| places.get(order));
            place.map_or_else(|| name.clone(), |place| format!("layers.{place}.{rest}"))
        };
        let shared = teacher
            .state_dict()
            .into_iter()
            .map(|(name, t)| (renumber(name), t));
        let mut weights: StateDict = shared.collect();
        if from.output == Output::StateAndNoise && to.output != Output::StateAndNoise {
            for name in ["head.weight", "head.bias"] {
                weights.entry(name.to_owned()).and_modify(|head| {
                    head.keep_first(from.image_channels);
                });
            }
        }
        let temporal = temporal(&to.plan()?);
        let own = self.state_dict().into_iter();
        weights
            .extend(own.filter(|(name, _)| temporal.iter().any(|prefix| name.starts_with(prefix))));
        Ok(self.load_state_dict(weights)?)
    }
}

/// Numbers of the layers that are no temporal convolutions.
fn spatial(plan: &Plan) -> impl Iterator<Item = usize> {
    let stages = plan.stages.iter().enumerate();
    stages
        .filter(|(_, s)| !matches!(s.kind, Kind::Temporal { .. }))
        .map(|(n, _)| n)
}

/// Prefixes of the parameters of temporal convolutions.
fn temporal(plan: &Plan) -> Vec<String> {
    let stages = plan.stages.iter().enumerate();
    stages
        .filter(|(_, stage)| matches!(stage.kind, Kind::Temporal { .. }))
        .map(|(n, _)| format!("layers.{n}."))
        .collect()
}

#[cfg(test)]
mod tests;
