//! How a teacher's trajectories are made.

use dsno_model::Solve;
use dsno_ode::{GridKind, SolverKind};
use serde::{Deserialize, Serialize};

use super::{RecipeError, batch, count};

/// Solving the probability-flow ODE for many noises, keeping the states at a few times.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CollectRecipe {
    /// Number of trajectories.
    pub trajectories: u64,
    /// The solver.
    pub solver: SolverKind,
    /// Steps of the solver; how many calls of the teacher one costs depends on the solver.
    pub steps: usize,
    /// Where the steps lie in time.
    pub grid: GridKind,
    /// Times to keep, falling from 1 (the noise) to 0 (the image); one that is not on the grid costs
    /// a step of its own.
    pub record: Vec<f64>,
    /// Clamp the predicted clean image to `[-1, 1]` in every step.
    pub clamp: bool,
    /// Trajectories solved at once.
    pub batch_size: usize,
    /// Trajectories per file; what a killed run loses at most.
    pub shard_trajectories: u64,
    /// How states are stored.
    ///
    /// Written as `precision`, its earlier name, so that keys of runs stay what they were.
    #[serde(rename(serialize = "precision"), alias = "precision")]
    pub dtype: StoreDtype,
}

/// Number formats of stored states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StoreDtype {
    /// 16-bit floats: half the disk, a rounding of at most 2⁻¹¹ of the value.
    F16,
    /// 32-bit floats.
    F32,
}

impl CollectRecipe {
    /// How the teacher's ODE is solved.
    pub fn solve(&self) -> Solve {
        Solve {
            solver: self.solver,
            grid: self.grid,
            steps: self.steps,
            clamp: self.clamp,
        }
    }

    /// Checks every value.
    ///
    /// # Errors
    ///
    /// [`RecipeError`] names the first key whose value cannot work.
    pub fn validate(&self) -> Result<(), RecipeError> {
        count("trajectories", self.trajectories)?;
        count("steps", self.steps as u64)?;
        batch("batch_size", self.batch_size)?;
        count("shard_trajectories", self.shard_trajectories)?;
        let falling = self.record.windows(2).all(|pair| pair[0] > pair[1]);
        let whole = self.record.first() == Some(&1.0) && self.record.last() == Some(&0.0);
        if falling && whole && self.record.len() >= 2 {
            Ok(())
        } else {
            Err(RecipeError::Record {
                found: self.record.clone(),
            })
        }
    }
}
