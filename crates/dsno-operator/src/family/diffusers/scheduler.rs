//! The process that a network was trained on, from `scheduler_config.json`.

use dsno_ode::{DiscreteSchedule, NoiseSchedule, Prediction};

use super::error::DiffusersConfigError;
use super::keys::Keys;
use crate::process::DdpmProcess;

/// Reads what concerns the network, and leaves what only concerns sampling.
pub(super) fn process(mut keys: Keys) -> Result<DdpmProcess, DiffusersConfigError> {
    let class: String = keys.take("_class_name", String::new())?;
    if class == "CMStochasticIterativeScheduler" {
        return Ok(DdpmProcess::Karras {
            sigma_data: keys.take("sigma_data", 0.5)?,
            sigma_min: keys.take("sigma_min", 0.002)?,
        });
    }
    if keys.take("rescale_betas_zero_snr", false)? {
        let (value, expected) = ("true".to_owned(), "false".to_owned());
        return Err(keys.unsupported("rescale_betas_zero_snr", value, expected));
    }
    // Files of the first versions have no such key, and predict the noise.
    let supported = ["epsilon", "sample", "v_prediction"];
    let prediction = keys.only("prediction_type", "epsilon", &supported)?;
    Ok(DdpmProcess::Table {
        prediction: match prediction.as_str() {
            "sample" => Prediction::X,
            "v_prediction" => Prediction::V,
            _ => Prediction::Epsilon,
        },
        rescale_timesteps: false,
        schedule: NoiseSchedule::Discrete(table(&mut keys)?),
    })
}

fn table(keys: &mut Keys) -> Result<DiscreteSchedule, DiffusersConfigError> {
    let betas: Option<Vec<f64>> = keys.take("trained_betas", None)?;
    if let Some(betas) = betas {
        return Ok(DiscreteSchedule::from_betas(&betas)?);
    }
    let entries = keys.needed("num_train_timesteps")?;
    let supported = ["linear", "scaled_linear", "squaredcos_cap_v2", "sigmoid"];
    let kind = keys.needed("beta_schedule")?;
    let kind = keys.one_of("beta_schedule", &kind, &supported)?;
    if kind == "squaredcos_cap_v2" {
        return Ok(DiscreteSchedule::squared_cosine(entries)?);
    }
    let (start, end) = (keys.needed("beta_start")?, keys.needed("beta_end")?);
    Ok(match kind.as_str() {
        "linear" => DiscreteSchedule::linear(entries, start, end)?,
        "scaled_linear" => DiscreteSchedule::scaled_linear(entries, start, end)?,
        _ => {
            // Refuses a number of entries that is none before there are so many.
            DiscreteSchedule::squared_cosine(entries)?;
            DiscreteSchedule::from_betas(&sigmoid(entries, start, end))?
        }
    })
}

/// `β` along a logistic curve from −6 to 6, as GeoDiff has it (Xu et al. 2022, arXiv:2203.02923).
fn sigmoid(entries: usize, start: f64, end: f64) -> Vec<f64> {
    let intervals = entries.saturating_sub(1).max(1) as f64;
    (0..entries)
        .map(|i| {
            let x = 12.0 * i as f64 / intervals - 6.0;
            start + (end - start) / (1.0 + (-x).exp())
        })
        .collect()
}
