//! The options that the DPM-Solver family and its relatives share.

use serde::{Deserialize, Serialize};

/// Which prediction an exponential integrator takes for a polynomial over a step.
///
/// The flow is linear in the state, and the rest is one prediction under an integral. With
/// `ℓ = λ/2 = ln(α/σ)` it can be written with either:
///
/// ```text
/// z_s = σ_s/σ_t z_t + σ_s ∫ e^ℓ  x̂(ℓ) dℓ        DpmSolverPlusPlus    exact for a constant x̂
/// z_s = α_s/α_t z_t − α_s ∫ e^−ℓ ε̂(ℓ) dℓ        DpmSolver            exact for a constant ε̂
/// ```
///
/// Data prediction is the stable one in few steps and under guidance, because `x̂` stays in the range of
/// images. Noise prediction divides by `α`: it needs signal to start from, and from almost pure noise
/// its rounding grows. Over 32 equal times on the cosine schedule, from λ = −20, images in f32 are
/// within 2e-6 of those in f64 with data prediction and within 2e-4 with noise prediction. The two agree
/// at first order, where both are [`Ddim`](crate::Ddim).
///
/// Lu et al. 2022 (arXiv:2211.01095), section on the two parametrisations; `algorithm_type` of the
/// authors' code and of diffusers. In files: `"data"`, `"noise"`.
///
/// # Examples
///
/// ```
/// use dsno_ode::AlgorithmType;
///
/// assert_ne!(AlgorithmType::DpmSolverPlusPlus, AlgorithmType::DpmSolver);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AlgorithmType {
    /// DPM-Solver++: the clean prediction `x̂`.
    #[serde(rename = "data")]
    DpmSolverPlusPlus,
    /// DPM-Solver: the noise `ε̂`.
    #[serde(rename = "noise")]
    DpmSolver,
}

impl AlgorithmType {
    /// Both.
    pub const ALL: [Self; 2] = [Self::DpmSolverPlusPlus, Self::DpmSolver];
}

/// The order of a solver that exists in three of them.
///
/// In files: `"first"`, `"second"`, `"third"`.
///
/// # Examples
///
/// ```
/// use dsno_ode::SolverOrder;
///
/// assert_eq!(SolverOrder::Third.get(), 3);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SolverOrder {
    /// Order 1.
    First,
    /// Order 2.
    Second,
    /// Order 3.
    Third,
}

impl SolverOrder {
    /// All three, in order.
    pub const ALL: [Self; 3] = [Self::First, Self::Second, Self::Third];

    /// Returns the order as a number.
    pub const fn get(self) -> usize {
        match self {
            Self::First => 1,
            Self::Second => 2,
            Self::Third => 3,
        }
    }
}

/// How a second-order DPM-Solver weights the slope of the prediction over a step of length `h`.
///
/// ```text
/// ½ (1 − e^−h)             SolverType::Midpoint    the prediction half-way stands for the step
/// (e^−h − 1 + h)/h         SolverType::Heun        exact if the prediction is linear in λ
/// ```
///
/// Shown for DPM-Solver++; DPM-Solver has `e^h` in their place. Both are of second order. `solver_type`
/// of the authors' code and of diffusers. In files: `"midpoint"`, `"heun"`.
///
/// # Examples
///
/// ```
/// use dsno_ode::solver::SolverType;
///
/// assert_eq!(SolverType::default(), SolverType::Midpoint);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SolverType {
    /// The published default.
    #[default]
    Midpoint,
    /// The exact integral of a linear prediction.
    Heun,
}
