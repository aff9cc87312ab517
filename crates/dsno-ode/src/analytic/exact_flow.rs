use burn::tensor::{DType, Tensor};

use crate::{Denoiser, Dopri5, Schedule, SolveError, solve_adaptive};

/// Follows the flow of a teacher so closely that other solvers can be measured against it.
///
/// No mixture of more than one component has a flow in closed form. This is a solve in f64 with
/// [`Dopri5`] at a tolerance of `1e-11`: for [`GaussianMixture`](super::GaussianMixture) the states
/// are within `1e-9` of those of SciPy's DOP853 at `1e-12`. It takes about a thousand calls, which is
/// nothing for an analytic teacher and too much for a network.
///
/// # Shapes
///
/// | value    | shape               | range and unit                                     |
/// |----------|---------------------|----------------------------------------------------|
/// | `z_1`    | `[B, C, H, W]`      | noise at `t = 1`; any float type, solved in f64     |
/// | `times`  | any number          | times in `[0, 1]`, any order                       |
/// | returned | `[B, C, H, W]` each | one state per time, f64, pixel units               |
///
/// # Errors
///
/// Those of [`solve_adaptive`].
///
/// # Examples
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use dsno_ode::CosineSchedule;
/// use dsno_ode::analytic::{GaussianMixture, exact_flow};
///
/// // One component: the flow scales a state by s(t) = √(α² s² + σ²).
/// let normal = GaussianMixture::new(vec![1.0], vec![vec![0.0; 4]], vec![0.5])?;
/// let z_1 = Tensor::<4>::ones([1, 1, 2, 2], &Device::flex());
/// let sample = exact_flow(&normal, &CosineSchedule::default(), z_1, &[0.0])?;
/// assert!((sample[0].clone().mean().into_scalar::<f64>() - 0.5).abs() < 1e-8);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn exact_flow(
    teacher: &dyn Denoiser,
    schedule: &dyn Schedule,
    z_1: Tensor<4>,
    times: &[f64],
) -> Result<Vec<Tensor<4>>, SolveError> {
    let last = times.iter().copied().fold(1.0, f64::min);
    let end = if last < 1.0 { last } else { 0.0 };
    let method = Dopri5::with_tolerance(1e-11);
    let z_1 = z_1.cast(DType::F64);
    Ok(solve_adaptive(teacher, &method, schedule, (1.0, end), z_1, times)?.states)
}
