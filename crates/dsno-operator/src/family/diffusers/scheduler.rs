//! The process that a network was trained on, from `scheduler_config.json`.

use dsno_ode::{DiscreteSchedule, NoiseSchedule, Prediction};
use serde_json::Value;

use super::error::DiffusersConfigError;
use super::keys::Keys;
use super::notice::Notice;
use crate::process::DdpmProcess;

/// The classes whose process is a table of `β` and variance-preserving states, however they sample; and
/// whether they clip the predicted image where the file does not say it, if they can.
const TABLES: [(&str, Option<bool>); 21] = [
    ("DDPMScheduler", Some(true)),
    ("DDPMParallelScheduler", Some(true)),
    ("DDIMScheduler", Some(true)),
    ("DDIMParallelScheduler", Some(true)),
    ("DDIMInverseScheduler", Some(true)),
    ("RePaintScheduler", Some(true)),
    ("UnCLIPScheduler", Some(true)),
    ("PNDMScheduler", None),
    ("LMSDiscreteScheduler", None),
    ("EulerDiscreteScheduler", None),
    ("EulerAncestralDiscreteScheduler", None),
    ("HeunDiscreteScheduler", Some(false)),
    ("KDPM2DiscreteScheduler", None),
    ("KDPM2AncestralDiscreteScheduler", None),
    ("DPMSolverMultistepScheduler", None),
    ("DPMSolverMultistepInverseScheduler", None),
    ("DPMSolverSinglestepScheduler", None),
    ("DPMSolverSDEScheduler", None),
    ("DEISMultistepScheduler", None),
    ("UniPCMultistepScheduler", None),
    ("SASolverScheduler", None),
];

/// Keys that make the process another one unless they have this value, or none.
fn others() -> [(&'static str, Value); 4] {
    [
        ("rescale_betas_zero_snr", false.into()),
        ("use_flow_sigmas", false.into()),
        ("timestep_type", "discrete".into()),
        ("snr_shift_scale", Value::Null),
    ]
}

/// Reads what concerns the network; of what only concerns sampling, says where ours differs.
pub(super) fn process(
    mut keys: Keys,
    notices: &mut Vec<Notice>,
) -> Result<DdpmProcess, DiffusersConfigError> {
    let class: Option<String> = keys.take("_class_name", None)?;
    if class.as_deref() == Some("CMStochasticIterativeScheduler") {
        return Ok(DdpmProcess::Karras {
            sigma_data: keys.take("sigma_data", 0.5)?,
            sigma_min: keys.take("sigma_min", 0.002)?,
        });
    }
    // Files of the first versions do not say the class, and those of Flax have its name before.
    let class = class.unwrap_or_else(|| "DDPMScheduler".to_owned());
    let plain = class.strip_prefix("Flax").unwrap_or(&class);
    let Some(&(_, clips)) = TABLES.iter().find(|(table, _)| *table == plain) else {
        let expected = "a scheduler of a table of β, such as DDPMScheduler";
        return Err(keys.unsupported("_class_name", format!("{class:?}"), expected.to_owned()));
    };
    for (key, expected) in others() {
        let found = keys.take(key, Value::Null)?;
        if !found.is_null() && found != expected {
            let expected = match expected {
                Value::Null => "no such key".to_owned(),
                expected => expected.to_string(),
            };
            return Err(keys.unsupported(key, found.to_string(), expected));
        }
    }
    let prediction = prediction(&mut keys)?;
    let schedule = NoiseSchedule::Discrete(table(&mut keys)?);
    notices.extend(clipping(&mut keys, &class, clips)?);
    Ok(DdpmProcess::Table {
        prediction,
        rescale_timesteps: false,
        schedule,
    })
}

/// What the network predicts: `prediction_type`, or `predict_epsilon` in files of the first versions.
fn prediction(keys: &mut Keys) -> Result<Prediction, DiffusersConfigError> {
    let older = match keys.take::<Option<bool>>("predict_epsilon", None)? {
        None => None,
        Some(true) => Some("epsilon"),
        Some(false) => Some("sample"),
    };
    let supported = ["epsilon", "sample", "v_prediction"];
    let found = keys.only("prediction_type", older.unwrap_or("epsilon"), &supported)?;
    if let Some(older) = older.filter(|older| *older != found) {
        let expected = format!("{older:?}, which is what `predict_epsilon` says");
        return Err(keys.unsupported("prediction_type", format!("{found:?}"), expected));
    }
    Ok(match found.as_str() {
        "sample" => Prediction::X,
        "v_prediction" => Prediction::V,
        _ => Prediction::Epsilon,
    })
}

/// How the scheduler's own samplers hold the predicted image, where that is not to `[-1, 1]`.
fn clipping(
    keys: &mut Keys,
    class: &str,
    clips: Option<bool>,
) -> Result<Option<Notice>, DiffusersConfigError> {
    if keys.take::<Option<bool>>("thresholding", None)? == Some(true) {
        return Ok(Some(Notice::DynamicThreshold));
    }
    let said: Option<bool> = keys.take("clip_sample", None)?;
    let range: Option<f64> = keys.take("clip_sample_range", None)?;
    let because = match (clips, said) {
        (None, _) => class.to_owned(),
        (Some(_), Some(false)) => "`clip_sample` is false".to_owned(),
        (Some(false), None) => format!("{class} without `clip_sample`"),
        (Some(_), _) => {
            let other = range.filter(|range| *range != 1.0);
            return Ok(other.map(|range| Notice::ClippedTo { range }));
        }
    };
    Ok(Some(Notice::NotClipped { because }))
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
