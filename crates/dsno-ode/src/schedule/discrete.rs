use std::f64::consts::FRAC_PI_2;
use std::sync::Arc;

use super::{Schedule, ScheduleError};

/// A table of noise levels, as published DDPM-type checkpoints were trained on.
///
/// Entry `i` of `N` (usually 1000) lies at time `t = (i + 1)/N`, so that the last entry is `t = 1`.
/// Between entries `λ` is linear in `t`, which is the interpolation in `ln(σ/α)` of k-diffusion and
/// diffusers. Before the first entry the noise variance falls linearly to none at `t = 0`.
///
/// ```text
/// ᾱ_i = Π_{j ≤ i} (1 − β_j)       λ_i = ln(ᾱ_i/(1 − ᾱ_i))       α = √ᾱ,  σ = √(1 − ᾱ)
/// σ²(t) = (1 − ᾱ_0) N t           for t < 1/N
/// ```
///
/// `dλ/dt` jumps at the entries; at an entry it is that of the noisier side.
///
/// Ho et al. 2020 (arXiv:2006.11239) for the linear table, Rombach et al. 2022 (arXiv:2112.10752)
/// for the scaled-linear one, Nichol and Dhariwal 2021 (arXiv:2102.09672) for the squared cosine.
///
/// # Examples
///
/// ```
/// use dsno_ode::{DiscreteSchedule, Schedule};
///
/// let ddpm = DiscreteSchedule::linear(1000, 1e-4, 0.02)?;
/// assert!((ddpm.at(0.001).sigma() - 0.01).abs() < 1e-12);
/// assert_eq!(ddpm.index_at(ddpm.log_snr(0.3)), 299.0);
/// assert_eq!(ddpm.log_snr(0.0), f64::INFINITY);
/// # Ok::<(), dsno_ode::ScheduleError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct DiscreteSchedule {
    /// `λ` of every entry, falling.
    log_snr: Arc<[f64]>,
    /// `1 − ᾱ_0`
    first_variance: f64,
    /// How the table was made, so that a file can say it in a few numbers.
    origin: Origin,
}

/// How a table of noise levels was made.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Origin {
    /// `β` from the first to the second value in equal steps.
    Linear(f64, f64),
    /// `√β` in equal steps, from the root of the first value to that of the second.
    ScaledLinear(f64, f64),
    /// The squared cosine.
    SquaredCosine,
    /// The `β` themselves.
    Betas(Arc<[f64]>),
}

/// The largest table that is made: a thousand times the usual one.
const MOST_ENTRIES: usize = 1_000_000;

impl DiscreteSchedule {
    /// Makes the table of DDPM: `β` goes linearly from `beta_start` to `beta_end` in `entries` entries.
    ///
    /// # Errors
    ///
    /// * [`ScheduleError::EntryCount`] for fewer than two entries, or more than a million.
    /// * [`ScheduleError::Beta`] for the first `β` that is not in `(0, 1)`.
    pub fn linear(entries: usize, beta_start: f64, beta_end: f64) -> Result<Self, ScheduleError> {
        let origin = Origin::Linear(beta_start, beta_end);
        Self::of(origin, entries, |i| {
            spread(i, entries, beta_start, beta_end)
        })
    }

    /// Makes the table of latent diffusion: `√β` rises linearly.
    ///
    /// # Errors
    ///
    /// Those of [`linear`](Self::linear).
    pub fn scaled_linear(
        entries: usize,
        beta_start: f64,
        beta_end: f64,
    ) -> Result<Self, ScheduleError> {
        let origin = Origin::ScaledLinear(beta_start, beta_end);
        let root = |i| spread(i, entries, beta_start.sqrt(), beta_end.sqrt());
        Self::of(origin, entries, |i| root(i) * root(i))
    }

    /// Makes the squared-cosine table: `ᾱ(u) = cos²((u + 0.008)/1.008 · π/2)`, `β` at most 0.999.
    ///
    /// # Errors
    ///
    /// * [`ScheduleError::EntryCount`] for fewer than two entries, or more than a million.
    pub fn squared_cosine(entries: usize) -> Result<Self, ScheduleError> {
        let alpha_bar = |i: usize| {
            let u = i as f64 / entries as f64;
            ((u + 0.008) / 1.008 * FRAC_PI_2).cos().powi(2)
        };
        let beta = |i: usize| (1.0 - alpha_bar(i + 1) / alpha_bar(i)).min(0.999);
        Self::of(Origin::SquaredCosine, entries, beta)
    }

    /// Makes the table of the given `β`, first entry (least noise) first.
    ///
    /// # Errors
    ///
    /// Those of [`linear`](Self::linear).
    pub fn from_betas(betas: &[f64]) -> Result<Self, ScheduleError> {
        Self::of(Origin::Betas(betas.into()), betas.len(), |i| betas[i])
    }

    fn of(
        origin: Origin,
        entries: usize,
        beta: impl Fn(usize) -> f64,
    ) -> Result<Self, ScheduleError> {
        if !(2..=MOST_ENTRIES).contains(&entries) {
            return Err(ScheduleError::EntryCount { count: entries });
        }
        let mut log_alpha_bar = 0.0;
        let mut log_snr = Vec::with_capacity(entries);
        for index in 0..entries {
            let beta = beta(index);
            // Not `beta <= 0 || beta >= 1`: NaN must not pass.
            let inside = beta > 0.0 && beta < 1.0;
            if !inside {
                return Err(ScheduleError::Beta { index, beta });
            }
            log_alpha_bar += (-beta).ln_1p();
            log_snr.push(log_alpha_bar - (-log_alpha_bar.exp_m1()).ln());
        }
        Ok(Self {
            log_snr: log_snr.into(),
            first_variance: beta(0),
            origin,
        })
    }

    pub(super) const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Returns the number of entries `N`.
    pub fn entries(&self) -> usize {
        self.log_snr.len()
    }

    /// Returns the table index that has the given `λ`, with a fraction between entries.
    ///
    /// Discrete-time networks are conditioned on it. Levels beyond the table give its nearest entry,
    /// NaN gives NaN.
    pub fn index_at(&self, log_snr: f64) -> f64 {
        if log_snr.is_nan() {
            return f64::NAN;
        }
        let last = self.entries() - 1;
        let above = self.log_snr.partition_point(|&entry| entry > log_snr);
        if above == 0 {
            return 0.0;
        }
        if above > last {
            return last as f64;
        }
        let (high, low) = (self.log_snr[above - 1], self.log_snr[above]);
        (above - 1) as f64 + (high - log_snr) / (high - low)
    }

    /// Returns the time `(index + 1)/N` of a table index, which may have a fraction.
    pub fn time_of(&self, index: f64) -> f64 {
        (index + 1.0) / self.entries() as f64
    }

    /// Returns the entry before or at time `t ≥ 1/N` and how far `t` is past it, in entries.
    fn segment(&self, t: f64) -> (usize, f64) {
        let position = t * self.entries() as f64 - 1.0;
        // Times that were computed as (i + 1)/N are that entry to the last digit.
        let nearest = position.round();
        let position = if (position - nearest).abs() < 1e-9 {
            nearest
        } else {
            position
        };
        let entry = (position.floor() as usize).min(self.entries() - 2);
        (entry, position - entry as f64)
    }

    fn is_before_table(&self, t: f64) -> bool {
        t * (self.entries() as f64) < 1.0 - 1e-9
    }
}

impl Schedule for DiscreteSchedule {
    fn log_snr(&self, t: f64) -> f64 {
        if self.is_before_table(t) {
            let variance = self.first_variance * self.entries() as f64 * t;
            return (-variance).ln_1p() - variance.ln();
        }
        let (entry, fraction) = self.segment(t);
        let (high, low) = (self.log_snr[entry], self.log_snr[entry + 1]);
        high + fraction * (low - high)
    }

    fn time_at(&self, log_snr: f64) -> f64 {
        if log_snr > self.log_snr[0] {
            // σ² = sigmoid(−λ)
            let variance = 1.0 / (1.0 + log_snr.exp());
            return variance / (self.first_variance * self.entries() as f64);
        }
        let last = self.log_snr[self.entries() - 1];
        if log_snr < last {
            return 1.0 + (log_snr - last) / self.log_snr_rate(1.0);
        }
        self.time_of(self.index_at(log_snr))
    }

    fn log_snr_rate(&self, t: f64) -> f64 {
        let entries = self.entries() as f64;
        if self.is_before_table(t) {
            let variance_rate = self.first_variance * entries;
            let variance = variance_rate * t;
            return -variance_rate / (variance * (1.0 - variance));
        }
        let (entry, _) = self.segment(t);
        (self.log_snr[entry + 1] - self.log_snr[entry]) * entries
    }

    fn rates(&self, t: f64) -> (f64, f64) {
        let level = self.at(t);
        if self.is_before_table(t) {
            // From σ² = (1 − ᾱ_0) N t directly: ∞ for σ where there is no noise.
            let half = 0.5 * self.first_variance * self.entries() as f64;
            return (-half / level.alpha(), half / level.sigma());
        }
        level.rates(self.log_snr_rate(t))
    }
}

/// Returns value `i` of `count` values from `first` to `last` at equal distances.
fn spread(i: usize, count: usize, first: f64, last: f64) -> f64 {
    let intervals = count.saturating_sub(1).max(1) as f64;
    first + (last - first) * i as f64 / intervals
}
