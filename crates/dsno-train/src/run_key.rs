//! What a training is known by: digests of its settings.

use dsno_checkpoint::digest::sha256_bytes;
use serde::Serialize;
use serde_json::Value;

use crate::recipe::TrainingRecipe;

/// Keys of recipes that shape no weights: how often a training logs and saves its state.
pub const COSMETIC: &[&str] = &["checkpoint_images", "log_images"];

/// The key of a recipe that says how long a training is.
pub const LENGTH: &str = "total_images";

/// The digests of a training's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunKey {
    /// Of all settings.
    pub result: String,
    /// Of all that shapes the steps: without how often it logs and saves its state, and without the
    /// length of the training where no step depends on it. A training goes on from the state of a
    /// shorter one of the same lineage.
    pub lineage: String,
}

impl RunKey {
    /// The key of a training with these settings, of which `recipe` is a part.
    ///
    /// # Panics
    ///
    /// If a map in `settings` has keys that are not text.
    ///
    /// # Examples
    ///
    /// ```
    /// use dsno_train::{Adam, Decay, LearningRate, RunKey, TrainingRecipe};
    ///
    /// let recipe = |total_images, log_images| TrainingRecipe {
    ///     total_images,
    ///     batch_size: 32,
    ///     microbatches: 2,
    ///     learning_rate: LearningRate { peak: 1e-3, warmup_images: 0, decay: Decay::Constant {} },
    ///     adam: Adam { beta_1: 0.9, beta_2: 0.999 },
    ///     ema_half_life_images: 1e3,
    ///     checkpoint_images: 3200,
    ///     log_images,
    /// };
    /// let key = |recipe: TrainingRecipe| RunKey::of(&recipe, &recipe);
    /// let (short, long) = (key(recipe(3200, 320)), key(recipe(6400, 320)));
    /// assert_eq!(short.lineage, long.lineage);
    /// assert_ne!(short.result, long.result);
    /// assert_eq!(short.lineage, key(recipe(3200, 640)).lineage);
    /// ```
    pub fn of(settings: &impl Serialize, recipe: &TrainingRecipe) -> Self {
        let json = serde_json::to_vec(settings).expect("invariant: settings are plain data");
        let result = sha256_bytes(&json);
        let mut settings = serde_json::json!(settings);
        remove(&mut settings, COSMETIC);
        if !recipe.learning_rate.depends_on_length() {
            remove(&mut settings, &[LENGTH]);
        }
        let lineage = sha256_bytes(settings.to_string().as_bytes());
        Self { result, lineage }
    }
}

/// Removes keys from settings, however deep they lie.
pub fn remove(settings: &mut Value, keys: &[&str]) {
    match settings {
        Value::Object(table) => {
            table.retain(|key, _| !keys.contains(&key.as_str()));
            table.values_mut().for_each(|value| remove(value, keys));
        }
        Value::Array(values) => values.iter_mut().for_each(|value| remove(value, keys)),
        _ => {}
    }
}
