use std::fmt;
use std::sync::Arc;

use crate::{DiscreteSchedule, NoiseLevel, Schedule};

/// What a network is told of the noise level, and in which units it sees the state.
///
/// | network                    | conditioning                        | told             | sees              |
/// |----------------------------|-------------------------------------|------------------|-------------------|
/// | progressive distillation   | [`log_snr`](Self::log_snr)          | `λ`              | `α x + σ ε`       |
/// | DDPM, latent diffusion     | [`index`](Self::index)              | table index      | `α x + σ ε`       |
/// | score SDE (VP), flows      | [`time`](Self::time)                | `t`              | as the schedule   |
/// | EDM, score SDE (VE)        | [`sigma`](Self::sigma)              | `σ/α`            | `x + (σ/α) ε`     |
///
/// A network answers in the units in which it sees the state. Whatever else it is told (`ln σ`,
/// `1000 t`, a sinusoid) is a function of this number and belongs to the network's closure.
/// [`exploding`](Self::exploding) and [`preserving`](Self::preserving) change the units alone.
///
/// # Examples
///
/// ```
/// use dsno_ode::{Conditioning, DiscreteSchedule};
///
/// let edm = Conditioning::sigma();
/// assert_eq!(edm.value(0.0), 1.0);
/// assert_eq!(edm.level(0.0).alpha(), 1.0);
///
/// let table = DiscreteSchedule::linear(1000, 1e-4, 0.02)?;
/// let halfway = table.index_at(0.0);
/// assert!(halfway.fract() > 0.0);
/// assert_eq!(Conditioning::index(table.clone()).value(0.0), halfway);
/// assert_eq!(Conditioning::rounded_index(table).value(0.0), halfway.round());
/// # Ok::<(), dsno_ode::ScheduleError>(())
/// ```
#[derive(Clone)]
pub struct Conditioning {
    told: Told,
    /// Any level of the process in whose units the state is seen.
    process: NoiseLevel,
}

#[derive(Clone)]
enum Told {
    LogSnr,
    Sigma,
    Time(Arc<dyn Schedule>),
    Index(DiscreteSchedule),
    RoundedIndex(DiscreteSchedule),
}

impl Conditioning {
    const fn of(told: Told) -> Self {
        Self {
            told,
            process: NoiseLevel::from_log_snr(0.0),
        }
    }

    /// Tells `λ` in nats; the state preserves variance.
    pub const fn log_snr() -> Self {
        Self::of(Told::LogSnr)
    }

    /// Tells the noise-to-signal ratio `σ/α`; the state is `x + (σ/α) ε`.
    pub fn sigma() -> Self {
        Self::of(Told::Sigma).exploding()
    }

    /// Tells the time at which `schedule` has the level; the state is that of the schedule's process.
    pub fn time(schedule: impl Schedule + 'static) -> Self {
        let process = schedule.level(0.0);
        let told = Told::Time(Arc::new(schedule));
        Self { told, process }
    }

    /// Tells the index in a table, with a fraction between entries; the state preserves variance.
    ///
    /// Levels beyond the table are told as its nearest entry.
    pub const fn index(table: DiscreteSchedule) -> Self {
        Self::of(Told::Index(table))
    }

    /// Tells the nearest index in a table, for networks that look the index up.
    pub const fn rounded_index(table: DiscreteSchedule) -> Self {
        Self::of(Told::RoundedIndex(table))
    }

    /// Shows the state as `x + (σ/α) ε`.
    #[must_use]
    pub fn exploding(self) -> Self {
        Self {
            process: NoiseLevel::variance_exploding(1.0),
            ..self
        }
    }

    /// Shows the state as `α x + σ ε` with `α² + σ² = 1`.
    #[must_use]
    pub fn preserving(self) -> Self {
        Self {
            process: NoiseLevel::from_log_snr(0.0),
            ..self
        }
    }

    /// Returns the number that the network is told at log-SNR `log_snr` (nats).
    pub fn value(&self, log_snr: f64) -> f64 {
        match &self.told {
            Told::LogSnr => log_snr,
            Told::Sigma => (-0.5 * log_snr).exp(),
            Told::Time(schedule) => schedule.time_at(log_snr),
            Told::Index(table) => table.index_at(log_snr),
            Told::RoundedIndex(table) => table.index_at(log_snr).round(),
        }
    }

    /// Returns the amplitudes of the state that the network sees at log-SNR `log_snr` (nats).
    pub const fn level(&self, log_snr: f64) -> NoiseLevel {
        self.process.with_log_snr(log_snr)
    }
}

impl fmt::Debug for Conditioning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = match &self.told {
            Told::LogSnr => "log-SNR",
            Told::Sigma => "sigma",
            Told::Time(_) => "time",
            Told::Index(_) => "index",
            Told::RoundedIndex(_) => "rounded index",
        };
        f.debug_struct("Conditioning")
            .field("told", &told)
            .finish_non_exhaustive()
    }
}
