//! One interface to everything that turns noise into images.

use burn::tensor::Tensor;
use dsno_ode::{GridError, GridKind, SolveError, SolverKind, TimeGrid, initial_state};
use dsno_operator::{ConfigError, OperatorConfig};

use serde::{Deserialize, Serialize};

use crate::{Student, Teacher};

/// Why noise could not be turned into images.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SampleError {
    /// There is no such time grid.
    #[error("the teacher's time grid: {0}")]
    Grid(#[from] GridError),
    /// The teacher's ODE could not be solved.
    #[error("solving the teacher's ODE: {0}")]
    Solve(#[from] SolveError),
    /// A sampler from outside this crate failed.
    #[error(transparent)]
    Sampler(Box<dyn std::error::Error + Send + Sync>),
}

/// A teacher with a solver, or a student.
pub trait Sampler: Sync {
    /// Name in reports.
    fn name(&self) -> String;

    /// Model evaluations per image.
    fn nfe(&self) -> usize;

    /// Cost of one image in forward passes of the teacher's U-Net, by multiply-adds.
    fn unet_passes(&self) -> f64;

    /// The times whose states [`Self::trajectory`] gives if asked for no others.
    fn times(&self) -> Vec<f64>;

    /// States `[B, T, C, H, W]` at `times`, from noise `[B, C, H, W]`.
    ///
    /// # Errors
    ///
    /// [`SampleError`] if the noise cannot be turned into them.
    fn trajectory(
        &self,
        noise: Tensor<4>,
        labels: Option<&[u32]>,
        times: &[f64],
    ) -> Result<Tensor<5>, SampleError>;

    /// Images `[B, C, H, W]`: the states at time 0.
    ///
    /// # Errors
    ///
    /// As [`Self::trajectory`].
    fn images(&self, noise: Tensor<4>, labels: Option<&[u32]>) -> Result<Tensor<4>, SampleError> {
        let shape = noise.dims();
        Ok(self.trajectory(noise, labels, &[0.0])?.reshape(shape))
    }
}

/// How a teacher's ODE is solved.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Solve {
    /// The solver.
    pub solver: SolverKind,
    /// How its steps are spaced in time.
    pub grid: GridKind,
    /// Its steps.
    pub steps: usize,
    /// Whether predicted images are clamped to `[-1, 1]`.
    pub clamp: bool,
}

impl Solve {
    /// Name of the sampler in reports: solver and steps, and the grid unless it is uniform.
    pub fn name(&self) -> String {
        let grid = match self.grid {
            GridKind::Uniform => String::new(),
            other => format!("-{other}"),
        };
        let unclamped = if self.clamp { "" } else { "-unclamped" };
        format!("teacher-{}-{}{grid}{unclamped}", self.solver, self.steps)
    }
}

/// A teacher with a solver.
#[derive(Debug)]
pub struct TeacherSampler<'a> {
    teacher: &'a Teacher,
    solve: Solve,
    grid: TimeGrid,
    calls: usize,
}

impl<'a> TeacherSampler<'a> {
    /// A sampler that solves the teacher's ODE.
    ///
    /// # Errors
    ///
    /// [`SampleError::Grid`] if there is no such grid; [`SampleError::Solve`] if the solver cannot take it.
    pub fn new(teacher: &'a Teacher, solve: Solve) -> Result<Self, SampleError> {
        let schedule = &teacher.schedule;
        let grid = TimeGrid::new(solve.grid, solve.steps, schedule)?;
        let calls = solve.solver.calls(schedule, &grid, &[])?;
        Ok(Self {
            teacher,
            solve,
            grid,
            calls,
        })
    }

    /// At most `count` times of the grid, evenly spread, both ends among them.
    pub fn thinned_times(&self, count: usize) -> Vec<f64> {
        let times = self.grid.times();
        let steps = times.len() - 1;
        let stride = (1..=steps).find(|s| steps.is_multiple_of(*s) && steps / s < count);
        let stride = stride.unwrap_or(steps);
        times.iter().step_by(stride).copied().collect()
    }
}

impl Sampler for TeacherSampler<'_> {
    fn name(&self) -> String {
        self.solve.name()
    }

    fn nfe(&self) -> usize {
        self.calls
    }

    fn unet_passes(&self) -> f64 {
        self.calls as f64
    }

    fn times(&self) -> Vec<f64> {
        self.grid.times().to_vec()
    }

    fn trajectory(
        &self,
        noise: Tensor<4>,
        labels: Option<&[u32]>,
        times: &[f64],
    ) -> Result<Tensor<5>, SampleError> {
        let labels = labels.map(<[u32]>::to_vec);
        let denoiser = self.teacher.denoiser(labels, self.solve.clamp);
        let schedule = &self.teacher.schedule;
        let solver = self.solve.solver;
        let z_1 = initial_state(noise, schedule);
        let solution = solver.solve(denoiser.as_ref(), schedule, &self.grid, z_1, times)?;
        Ok(solution.into_trajectory())
    }
}

/// A student: one call for all times.
#[derive(Debug)]
pub struct StudentSampler<'a> {
    name: String,
    student: &'a Student,
}

impl<'a> StudentSampler<'a> {
    /// A sampler of one model call.
    pub fn new(name: &str, student: &'a Student) -> Self {
        Self {
            name: name.to_owned(),
            student,
        }
    }
}

impl Sampler for StudentSampler<'_> {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn nfe(&self) -> usize {
        1
    }

    fn unet_passes(&self) -> f64 {
        cost_in_passes(&self.student.config, self.student.times.len()).unwrap_or(f64::NAN)
    }

    fn times(&self) -> Vec<f64> {
        self.student.times.clone()
    }

    fn trajectory(
        &self,
        noise: Tensor<4>,
        labels: Option<&[u32]>,
        times: &[f64],
    ) -> Result<Tensor<5>, SampleError> {
        Ok(self.student.trajectory_at(times, noise, labels))
    }

    fn images(&self, noise: Tensor<4>, labels: Option<&[u32]>) -> Result<Tensor<4>, SampleError> {
        Ok(self.student.sample(noise, labels))
    }
}

/// Multiply-adds of one call for `times` times, over those of the same network at one time without
/// temporal convolutions.
fn cost_in_passes(config: &OperatorConfig, times: usize) -> Result<f64, ConfigError> {
    let backbone = OperatorConfig {
        network: config.network.clone(),
        temporal: None,
    };
    let call = config.multiply_adds(times)?;
    Ok(call as f64 / backbone.multiply_adds(1)? as f64)
}
