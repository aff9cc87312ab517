//! What a user decides about a run: complete, serialisable, checked before anything starts.

mod collect;
mod distill;
mod teacher;
mod training;

pub use collect::{CollectRecipe, StoreDtype};
pub use distill::{DistillRecipe, TimeWeight};
pub use teacher::{TeacherRecipe, Weighting};
pub use training::TrainingRecipe;

use serde::{Deserialize, Serialize};

use crate::learning_rate::{Decay, LearningRate};

/// Moment decay rates of Adam (Kingma & Ba 2015, arXiv:1412.6980v9); its ε is 1e-8.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adam {
    /// Decay of the mean gradient, in `[0, 1)`.
    pub beta_1: f64,
    /// Decay of the mean squared gradient, in `[0, 1)`.
    pub beta_2: f64,
}

/// A recipe that cannot be followed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RecipeError {
    /// A number is outside its range.
    #[error("`{key}` is {found}, expected {expected}")]
    Range {
        /// Key inside the recipe's table.
        key: &'static str,
        /// The value found.
        found: String,
        /// The values that work.
        expected: &'static str,
    },
    /// Times are not on the solver's grid or not falling.
    #[error("`record` holds {found:?}, expected falling times from 1 to 0, the first of them 1")]
    Record {
        /// The times found.
        found: Vec<f64>,
    },
}

/// Fails with [`RecipeError::Range`] unless `ok`.
fn range<T: std::fmt::Debug>(
    ok: bool,
    key: &'static str,
    found: &T,
    expected: &'static str,
) -> Result<(), RecipeError> {
    if ok {
        Ok(())
    } else {
        Err(RecipeError::Range {
            key,
            found: format!("{found:?}"),
            expected,
        })
    }
}

/// Checks a number of things; more than a quadrillion of anything is a slip of the pen.
fn count(key: &'static str, found: u64) -> Result<(), RecipeError> {
    let ok = (1..=1_000_000_000_000_000).contains(&found);
    range(ok, key, &found, "1 to 1e15")
}

/// Checks how many things are in memory together.
fn batch(key: &'static str, found: usize) -> Result<(), RecipeError> {
    range((1..=1 << 30).contains(&found), key, &found, "1 to 2^30")
}

impl Adam {
    fn validate(self) -> Result<(), RecipeError> {
        let rate = |key, found: f64| {
            let ok = (0.0..1.0).contains(&found);
            range(ok, key, &found, "at least 0, less than 1")
        };
        rate("adam.beta_1", self.beta_1)?;
        rate("adam.beta_2", self.beta_2)
    }
}

impl LearningRate {
    fn validate(&self) -> Result<(), RecipeError> {
        let peak = self.peak;
        let ok = peak > 0.0 && peak.is_finite();
        range(ok, "learning_rate.peak", &peak, "a positive number")?;
        if let Decay::Step { factor, .. } = self.decay {
            let (ok, key) = (factor > 0.0 && factor <= 1.0, "learning_rate.decay.factor");
            range(ok, key, &factor, "more than 0, at most 1")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRAINING: &str = "total_images = 2048\nbatch_size = 32\n\
        adam = { beta_1 = 0.9, beta_2 = 0.99 }\n\
        learning_rate = { peak = 4e-3, warmup_images = 256, decay = { kind = 'linear' } }\n\
        ema_half_life_images = 256\ncheckpoint_images = 2048\nlog_images = 512\n";
    const DISTILL: &str = "distance = 'l1'\nweight = { kind = 'uniform' }\n";
    const COLLECT: &str = "trajectories = 4\nsolver = 'ddim'\nsteps = 2\ngrid = 'uniform'\n\
        record = [1.0, 0.0]\nclamp = true\nbatch_size = 4\nshard_trajectories = 4\n";

    fn distill(keys: &str) -> Result<DistillRecipe, toml::de::Error> {
        toml::from_str(&format!("{DISTILL}{TRAINING}{keys}"))
    }

    #[test]
    fn names_of_earlier_versions_are_read_and_kept_in_keys_of_runs() {
        // What the first version wrote; keys of runs that exist are digests of it.
        let training = r#""total_images":2048,"batch_size":32,"shards":2,"learning_rate":{"peak":0.004,"warmup_images":256,"decay":{"kind":"linear"}},"adam":{"beta_1":0.9,"beta_2":0.99},"ema_half_life_images":256.0,"checkpoint_images":2048,"log_images":512}"#;
        for name in ["shards", "microbatches"] {
            let key = format!("{name} = 2");
            let found = serde_json::to_string(&distill(&key).unwrap()).unwrap();
            let expected = r#"{"distance":"l1","weight":{"kind":"uniform"},"#;
            assert_eq!(found, format!("{expected}{training}"));

            let text =
                format!("prediction = 'v'\nweighting = {{ kind = 'native' }}\n{TRAINING}{key}");
            let recipe: TeacherRecipe = toml::from_str(&text).unwrap();
            let expected = r#"{"prediction":"v","weighting":{"kind":"native"},"#;
            let found = serde_json::to_string(&recipe).unwrap();
            assert_eq!(found, format!("{expected}{training}"));
        }
        for name in ["precision", "dtype"] {
            let recipe: CollectRecipe =
                toml::from_str(&format!("{COLLECT}{name} = 'f32'")).unwrap();
            let found = serde_json::to_string(&recipe).unwrap();
            assert!(found.ends_with(r#""precision":"f32"}"#), "{found}");
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let recipe = distill("microbatches = 2").unwrap();
        let text = toml::to_string(&recipe).unwrap();
        assert_eq!(toml::from_str::<DistillRecipe>(&text).unwrap(), recipe);
        let text = toml::to_string(&recipe.training).unwrap();
        assert_eq!(
            toml::from_str::<TrainingRecipe>(&text).unwrap(),
            recipe.training
        );
    }

    #[test]
    fn errors_name_the_key_that_is_wrong() {
        let refused = |keys: &str| distill(keys).unwrap_err().to_string();
        assert!(refused("").contains("missing field `microbatches`"));
        assert!(refused("bach_size = 3\nmicrobatches = 2").contains("unknown field `bach_size`"));
        let error = refused("microbatches = 'two'");
        assert!(
            error.contains("microbatches = 'two'") && error.contains("expected usize"),
            "{error}"
        );
        assert!(refused("microbatches = 2\nshards = 2").contains("duplicate field `microbatches`"));
    }
}
