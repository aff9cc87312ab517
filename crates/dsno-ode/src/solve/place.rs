//! Where recorded times lie on a grid.

use super::SolveError;
use crate::TimeGrid;

/// Where a recorded time lies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Place {
    /// At this position of the grid.
    On(usize),
    /// Inside the step with this index.
    Inside { step: usize, time: f64 },
}

/// Finds the place of each recorded time.
pub(super) fn places(grid: &TimeGrid, record: &[f64]) -> Result<Vec<Place>, SolveError> {
    let times = grid.times();
    let place = |&time: &f64| {
        let inside = || {
            let step = times.windows(2).position(|p| p[0] > time && time > p[1])?;
            Some(Place::Inside { step, time })
        };
        let found = grid.position(time).map(Place::On).or_else(inside);
        found.ok_or(SolveError::RecordOutsideGrid {
            time,
            first: times[0],
            last: times[grid.steps()],
        })
    };
    record.iter().map(place).collect()
}

/// Returns the positions in the record of all times at `place`.
pub(super) fn places_equal(places: &[Place], place: Place) -> impl Iterator<Item = usize> + '_ {
    let same = move |(index, &found): (usize, &Place)| (found == place).then_some(index);
    places.iter().enumerate().filter_map(same)
}

/// Returns the different recorded times inside a step, largest first.
pub(super) fn times_inside(places: &[Place], index: usize) -> Vec<f64> {
    let inside = |place: &Place| match *place {
        Place::Inside { step, time } if step == index => Some(time),
        _ => None,
    };
    let mut times: Vec<f64> = places.iter().filter_map(inside).collect();
    times.sort_by(|a, b| b.total_cmp(a));
    times.dedup();
    times
}
