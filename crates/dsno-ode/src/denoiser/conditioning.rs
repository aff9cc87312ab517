use std::sync::Arc;

use crate::{DiscreteSchedule, NoiseLevel, Schedule};

/// The number by which a network is conditioned on the noise level, and the units of its input.
///
/// | network                    | conditioning                        | number           | input             |
/// |----------------------------|-------------------------------------|------------------|-------------------|
/// | progressive distillation   | [`log_snr`](Self::log_snr)          | `λ`              | `α x + σ ε`       |
/// | DDPM, latent diffusion     | [`index`](Self::index)              | table index      | `α x + σ ε`       |
/// | score SDE (VP), flows      | [`time`](Self::time)                | `t`              | as the schedule   |
/// | EDM, score SDE (VE)        | [`sigma`](Self::sigma)              | `σ/α`            | `x + (σ/α) ε`     |
///
/// A network's output is in the units of its input. Whatever else it is conditioned on (`ln σ`,
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
    /// What the number is, for debugging.
    quantity: &'static str,
    /// The number at a log-SNR.
    value: Arc<dyn Fn(f64) -> f64 + Send + Sync>,
    /// Any level of the process in whose units the input is.
    process: NoiseLevel,
}

impl Conditioning {
    fn of(quantity: &'static str, value: impl Fn(f64) -> f64 + Send + Sync + 'static) -> Self {
        let process = NoiseLevel::from_log_snr(0.0);
        Self {
            quantity,
            value: Arc::new(value),
            process,
        }
    }

    /// Conditions on `λ` in nats; the input preserves variance.
    pub fn log_snr() -> Self {
        Self::of("log-SNR", |log_snr| log_snr)
    }

    /// Conditions on the noise-to-signal ratio `σ/α`; the input is `x + (σ/α) ε`.
    pub fn sigma() -> Self {
        Self::of("sigma", |log_snr| (-0.5 * log_snr).exp()).exploding()
    }

    /// Conditions on the time at which `schedule` has the level; the input is of the schedule's process.
    pub fn time(schedule: impl Schedule + 'static) -> Self {
        let process = schedule.level(0.0);
        Self {
            process,
            ..Self::of("time", move |log_snr| schedule.time_at(log_snr))
        }
    }

    /// Conditions on the index in a table, with a fraction between entries; the input preserves variance.
    ///
    /// Levels beyond the table have the index of its nearest entry.
    pub fn index(table: DiscreteSchedule) -> Self {
        Self::of("index", move |log_snr| table.index_at(log_snr))
    }

    /// Conditions on the nearest index in a table, for networks that look the index up.
    pub fn rounded_index(table: DiscreteSchedule) -> Self {
        Self::of("rounded index", move |log_snr| {
            table.index_at(log_snr).round()
        })
    }

    /// Makes the input `x + (σ/α) ε`.
    #[must_use]
    pub fn exploding(mut self) -> Self {
        self.process = NoiseLevel::variance_exploding(1.0);
        self
    }

    /// Makes the input `α x + σ ε` with `α² + σ² = 1`.
    #[must_use]
    pub fn preserving(mut self) -> Self {
        self.process = NoiseLevel::from_log_snr(0.0);
        self
    }

    /// Returns the number for log-SNR `log_snr` (nats).
    pub fn value(&self, log_snr: f64) -> f64 {
        (self.value)(log_snr)
    }

    /// Returns the amplitudes of the network's input at log-SNR `log_snr` (nats).
    pub const fn level(&self, log_snr: f64) -> NoiseLevel {
        self.process.with_log_snr(log_snr)
    }
}

debug_without_closure!(Conditioning, quantity);
