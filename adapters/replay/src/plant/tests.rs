use std::time::Duration;

use super::*;

mod configuration;
mod detection;
mod faults;
mod physics;
mod scenario;

/// 2026-03-02T08:00:00Z, a Monday.
pub(super) const START: Timestamp = Timestamp::from_micros(1_772_438_400_000_000);

pub(super) fn seconds(span: u64) -> Duration {
    Duration::from_secs(span)
}

/// Values of `tag` once a second after the plant's present time, for `span` seconds.
pub(super) fn series(plant: &mut Plant, path: &str, span: u64) -> Vec<f64> {
    let start = plant.now();
    (1..=span)
        .map(|second| {
            plant.advance_to(start.plus(seconds(second)));
            plant.value(path).unwrap()
        })
        .collect()
}

pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / count(values.len())
}

pub(super) fn count(of: usize) -> f64 {
    f64::from(u32::try_from(of).unwrap())
}

pub(super) fn deviation(values: &[f64]) -> f64 {
    let centre = mean(values);
    mean(&values.iter().map(|v| (v - centre).powi(2)).collect::<Vec<_>>()).sqrt()
}
