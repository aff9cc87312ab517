//! One interface to everything that turns noise into images.

use burn::tensor::Tensor;
use dsno_ode::{Ddim, GridKind, TimeGrid, solve};
use dsno_operator::{Architecture, ArchitectureError};
use dsno_train::{Student, Teacher};

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

/// A teacher, solved by DDIM on a grid.
#[derive(Debug)]
pub(crate) struct TeacherSampler<'a> {
    teacher: &'a Teacher,
    grid: TimeGrid,
    clamp: bool,
}

impl<'a> TeacherSampler<'a> {
    /// A sampler of `steps` model calls.
    pub(crate) fn new(
        teacher: &'a Teacher,
        grid: GridKind,
        steps: usize,
        clamp: bool,
    ) -> Result<Self, Failure> {
        let grid = TimeGrid::new(grid, steps, &teacher.schedule)
            .or_usage("the teacher's time grid")?;
        Ok(Self {
            teacher,
            grid,
            clamp,
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
        format!("teacher-ddim-{}", self.grid.steps())
    }

    fn nfe(&self) -> usize {
        self.grid.steps()
    }

    fn unet_passes(&self) -> f64 {
        self.grid.steps() as f64
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
        let denoiser = self
            .teacher
            .denoiser(labels.map(<[u32]>::to_vec), self.clamp);
        let solution = solve(
            &denoiser,
            &Ddim,
            &self.teacher.schedule,
            &self.grid,
            noise,
            times,
        )
        .while_doing("solving the teacher's ODE")?;
        Ok(solution.into_trajectory())
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
