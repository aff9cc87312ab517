//! One interface to everything that turns noise into images.

use burn::tensor::Tensor;
use dsno_ode::{GridKind, Method, TimeGrid};
use dsno_operator::{Architecture, ArchitectureError};
use dsno_train::{CollectRecipe, Student, Teacher, first_state};
use serde::{Deserialize, Serialize};

use crate::failure::{Failure, While};

/// A teacher with a solver, or a student.
pub(crate) trait Sampler: Sync {
    /// Name in reports.
    fn name(&self) -> String;

    /// Model evaluations per image.
    fn nfe(&self) -> usize;

    /// Cost of one image in forward passes of the teacher's U-Net, by multiply-adds.
    fn unet_passes(&self) -> f64;

    /// The times whose states [`Self::trajectory`] gives if asked for no others.
    fn times(&self) -> Vec<f64>;

    /// States `[B, T, C, H, W]` at `times`, from noise `[B, C, H, W]`.
    fn trajectory(
        &self,
        noise: Tensor<4>,
        labels: Option<&[u32]>,
        times: &[f64],
    ) -> Result<Tensor<5>, Failure>;

    /// Images `[B, C, H, W]`: the states at time 0.
    fn images(&self, noise: Tensor<4>, labels: Option<&[u32]>) -> Result<Tensor<4>, Failure>;
}

/// How a teacher's ODE is solved.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Solve {
    /// The solver.
    pub(crate) solver: Method,
    /// How its steps are spaced in time.
    pub(crate) grid: GridKind,
    /// Its steps.
    pub(crate) steps: usize,
    /// Whether predicted images are clamped to `[-1, 1]`.
    pub(crate) clamp: bool,
}

impl From<&CollectRecipe> for Solve {
    fn from(recipe: &CollectRecipe) -> Self {
        Self {
            solver: recipe.solver,
            grid: recipe.grid,
            steps: recipe.steps,
            clamp: recipe.clamp,
        }
    }
}

impl Solve {
    /// Name of the sampler in reports: solver and steps, and the grid unless it is uniform.
    pub(crate) fn name(&self) -> String {
        let Self {
            solver,
            grid,
            steps,
            clamp,
        } = self;
        let grid = match grid {
            GridKind::Uniform => String::new(),
            other => format!("-{other}"),
        };
        let unclamped = if *clamp { "" } else { "-unclamped" };
        format!("teacher-{solver}-{steps}{grid}{unclamped}")
    }
}

/// A teacher with a solver.
#[derive(Debug)]
pub(crate) struct TeacherSampler<'a> {
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
    /// A usage failure if there is no such grid.
    pub(crate) fn new(teacher: &'a Teacher, solve: Solve) -> Result<Self, Failure> {
        let schedule = &teacher.schedule;
        let grid = TimeGrid::new(solve.grid, solve.steps, schedule);
        let grid = grid.or_usage("the teacher's time grid")?;
        let calls = solve.solver.calls(schedule, &grid, &[]);
        let calls = calls.while_doing("planning the solve")?;
        Ok(Self {
            teacher,
            solve,
            grid,
            calls,
        })
    }

    /// At most `count` times of the grid, evenly spread, both ends among them.
    pub(crate) fn thinned_times(&self, count: usize) -> Vec<f64> {
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
    ) -> Result<Tensor<5>, Failure> {
        let labels = labels.map(<[u32]>::to_vec);
        let denoiser = self.teacher.denoiser(labels, self.solve.clamp);
        let schedule = &self.teacher.schedule;
        let solver = self.solve.solver;
        let z_1 = first_state(noise, schedule);
        let solution = solver.solve(denoiser.as_ref(), schedule, &self.grid, z_1, times);
        Ok(solution
            .while_doing("solving the teacher's ODE")?
            .into_trajectory())
    }

    fn images(&self, noise: Tensor<4>, labels: Option<&[u32]>) -> Result<Tensor<4>, Failure> {
        let [b, c, h, w] = noise.dims();
        Ok(self
            .trajectory(noise, labels, &[0.0])?
            .reshape([b, c, h, w]))
    }
}

/// A student: one call for all times.
#[derive(Debug)]
pub(crate) struct StudentSampler<'a> {
    name: String,
    student: &'a Student,
}

impl<'a> StudentSampler<'a> {
    /// A sampler of one model call.
    pub(crate) fn new(name: &str, student: &'a Student) -> Self {
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
        cost_in_passes(&self.student.architecture, self.student.times.len()).unwrap_or(f64::NAN)
    }

    fn times(&self) -> Vec<f64> {
        self.student.times.clone()
    }

    fn trajectory(
        &self,
        noise: Tensor<4>,
        labels: Option<&[u32]>,
        times: &[f64],
    ) -> Result<Tensor<5>, Failure> {
        Ok(self.student.trajectory_at(times, noise, labels))
    }

    fn images(&self, noise: Tensor<4>, labels: Option<&[u32]>) -> Result<Tensor<4>, Failure> {
        Ok(self.student.sample(noise, labels))
    }
}

/// Multiply-adds of one call for `times` times, over those of the same U-Net at one time without
/// temporal convolutions.
fn cost_in_passes(architecture: &Architecture, times: usize) -> Result<f64, ArchitectureError> {
    let backbone = Architecture {
        temporal: None,
        ..architecture.clone()
    };
    let call = architecture.multiply_adds(times)?;
    Ok(call as f64 / backbone.multiply_adds(1)? as f64)
}
