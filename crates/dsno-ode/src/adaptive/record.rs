//! The recorded times that the solve has not reached yet.

use std::collections::VecDeque;

use burn::tensor::Tensor;

use super::flow::{Flow, Place};
use crate::grid::SAME_TIME;
use crate::solve::{Recorded, SolveError};

/// A time to be recorded.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    index: usize,
    time: f64,
    place: Place,
}

/// Recorded times in the order in which the solve meets them, and where their states go.
pub(super) struct Record<'a> {
    wanted: VecDeque<Wanted>,
    keep: &'a mut dyn FnMut(Recorded),
}

impl<'a> Record<'a> {
    /// Finds the place of every recorded time between `start` and `end`.
    pub(super) fn new(
        flow: &Flow<'_>,
        (start, end): (Place, Place),
        record: &[f64],
        keep: &'a mut dyn FnMut(Recorded),
    ) -> Result<Self, SolveError> {
        let place = |time: f64| {
            let is = |place: Place| (place.t - time).abs() <= SAME_TIME;
            if is(start) {
                Some(start)
            } else if is(end) {
                Some(end)
            } else {
                (start.t > time && time > end.t).then(|| flow.at_time(time))
            }
        };
        let want = |(index, &time)| {
            let place = place(time).ok_or(SolveError::RecordOutsideGrid {
                time,
                first: start.t,
                last: end.t,
            })?;
            // A schedule that is not monotone, or NaN there.
            if !(end.angle..=start.angle).contains(&place.angle) {
                return Err(SolveError::LevelNotIncreasing {
                    t: time,
                    log_snr: place.log_snr,
                    previous: start.log_snr,
                });
            }
            Ok(Wanted { index, time, place })
        };
        let wanted: Result<Vec<Wanted>, SolveError> = record.iter().enumerate().map(want).collect();
        let mut wanted = wanted?;
        wanted.sort_by(|a, b| b.place.angle.total_cmp(&a.place.angle));
        Ok(Self {
            wanted: wanted.into(),
            keep,
        })
    }

    /// Hands over every state down to the place `to`; `z_t` gives the one at a place.
    pub(super) fn pass(&mut self, to: Place, z_t: impl Fn(Place) -> Tensor<4>) {
        while let Some(wanted) = self
            .wanted
            .pop_front_if(|next| next.place.angle >= to.angle)
        {
            (self.keep)(Recorded {
                index: wanted.index,
                time: wanted.time,
                state: z_t(wanted.place),
            });
        }
    }
}
