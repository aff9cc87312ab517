//! Teachers in closed form, for `dsno collect`: a TOML file instead of a model folder.
//!
//! ```toml
//! kind = "gaussian-mixture"
//! weights = [0.5, 0.5]
//! means = [[1.0, 0.5], [-1.2, 0.8]]
//! stds = [0.25, 0.4]
//! shape = [2, 1, 1]                 # optional: channels, height, width; one pixel if left out
//!
//! [schedule]                        # optional: cosine from −20 to 20 if left out
//! kind = "cosine"
//! log_snr_min = -20.0
//! log_snr_max = 20.0
//! ```

use std::path::Path;

use burn::tensor::Tensor;
use dsno_ode::analytic::AnalyticTeacher;
use dsno_ode::{CosineSchedule, GridKind, NoiseSchedule, SolverKind, TimeGrid, initial_state};
use toml::{Table, Value};

use crate::failure::{Failure, While};

/// A teacher in closed form and what it needs besides.
#[derive(Debug)]
pub(super) struct Analytic {
    teacher: AnalyticTeacher,
    schedule: NoiseSchedule,
    shape: [usize; 3],
}

impl Analytic {
    /// Reads the file.
    ///
    /// # Errors
    ///
    /// A preflight failure if there is none; a usage failure that names the key that is wrong.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let place = path.display().to_string();
        let text = std::fs::read_to_string(path).or_preflight(format!("cannot read {place}"))?;
        let wrong =
            |error: toml::de::Error| Failure::usage(format!("{place}: {}", error.message()));
        // Some editors begin a file with a byte order mark.
        let text = text.trim_start_matches('\u{feff}');
        let mut table: Table = text.parse().map_err(wrong)?;
        let schedule = table
            .remove("schedule")
            .map(Value::try_into::<NoiseSchedule>);
        let shape = table.remove("shape").map(Value::try_into::<[usize; 3]>);
        let teacher: AnalyticTeacher = table.try_into().map_err(wrong)?;
        let schedule = schedule.transpose().map_err(wrong)?;
        let shape = shape.transpose().map_err(wrong)?;
        let shape = shape.unwrap_or([teacher.dimensions(), 1, 1]);
        let values = shape
            .iter()
            .try_fold(1, |product: usize, &n| product.checked_mul(n));
        if values != Some(teacher.dimensions()) {
            return Err(Failure::usage(format!(
                "{place}: shape is {shape:?}, expected {} values, as many as a mean has",
                teacher.dimensions()
            )));
        }
        let schedule = schedule.unwrap_or_else(|| CosineSchedule::default().into());
        Ok(Self {
            teacher,
            schedule,
            shape,
        })
    }

    /// Channels, height and width of its images.
    pub(super) fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// The grid of its schedule.
    ///
    /// # Errors
    ///
    /// A usage failure if there is no such grid.
    pub(super) fn grid(&self, kind: GridKind, steps: usize) -> Result<TimeGrid, Failure> {
        TimeGrid::new(kind, steps, &self.schedule).or_usage("--steps")
    }

    /// States `[B, T, C, H, W]` at the recorded times.
    pub(super) fn trajectory(
        &self,
        noise: Tensor<4>,
        solver: SolverKind,
        grid: &TimeGrid,
        record: &[f64],
    ) -> Result<Tensor<5>, Failure> {
        let z_1 = initial_state(noise, &self.schedule);
        let solution = solver.solve(&self.teacher, &self.schedule, grid, z_1, record);
        Ok(solution
            .while_doing("solving the teacher's ODE")?
            .into_trajectory())
    }
}
