//! How a teacher's network becomes an operator.

use super::{HeadOutput, Kind, Names, Path, Plan, Stage};
use crate::check::{CHANNELS, check_counts};
use crate::config_error::ConfigError;
use crate::layer_config::TemporalConvConfig;

impl Plan {
    /// The same network with temporal convolutions behind every block, or none, that predicts states.
    ///
    /// A network of ours predicts states with the head that it has; of a joint head, that of the image
    /// is left. One of another family keeps its head, whose prediction its process reads as the clean
    /// image, and has as many channels again for the rest of the state. These start at zero, so that
    /// an operator begins at its teacher's clean prediction at every time.
    pub(crate) fn operator(
        &self,
        temporal: Option<TemporalConvConfig>,
    ) -> Result<Self, ConfigError> {
        let mut plan = self.with_temporal(temporal)?;
        let [image, ..] = self.image_shape;
        match (&self.names, self.head.output) {
            (Names::Own, HeadOutput::ImageAndNoise) => {
                plan.head.channels_out = image;
                plan.head.output = HeadOutput::Prediction;
            }
            (Names::Own, _) => {}
            (Names::Foreign { .. }, _) => {
                plan.head.channels_out = 2 * image;
                plan.head.output = HeadOutput::CleanImageAndRest;
            }
        }
        Ok(plan)
    }

    /// Inserts temporal convolutions behind every block.
    pub(crate) fn with_temporal(
        &self,
        temporal: Option<TemporalConvConfig>,
    ) -> Result<Self, ConfigError> {
        let Some(TemporalConvConfig { n_modes }) = temporal else {
            return Ok(self.clone());
        };
        check_counts(&[("temporal.n_modes", n_modes.min(1), CHANNELS)])?;
        let mut stages = Vec::with_capacity(2 * self.stages.len());
        let mut number = 0;
        for stage in &self.stages {
            let mut stage = stage.clone();
            let ends = std::mem::take(&mut stage.ends_block);
            let size = stage.size;
            let channels = stage.kind.channels_out();
            let mut pushes = false;
            if let (true, Path::Main { pushes: own, .. }) = (ends, &mut stage.path) {
                pushes = std::mem::take(own);
            }
            stages.push(stage);
            if ends {
                stages.push(Stage {
                    name: format!("temporal.{number}"),
                    kind: Kind::Temporal { channels, n_modes },
                    size,
                    path: Path::Main {
                        pops: false,
                        pushes,
                    },
                    ends_block: false,
                });
                number += 1;
            }
        }
        Ok(Self {
            stages,
            ..self.clone()
        })
    }
}
