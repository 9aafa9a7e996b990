use super::Var;
use crate::matrix::Covariance;

/// A signal that swings, and one that follows it a row later.
fn rows(count: usize) -> Vec<[f64; 2]> {
    let noise = |row: usize| crate::real(row * 7_919 % 101) / 1_000.0 - 0.05;
    let swing = |row: usize| (crate::real(row) * 0.3).sin() + noise(row);
    (1..=count).map(|row| [swing(row), swing(row - 1) + noise(row + 33)]).collect()
}

fn fitted() -> Var {
    let mut windows = Covariance::new(6);
    for three in rows(500).windows(3) {
        let cells: Vec<f64> = three.iter().rev().flatten().copied().collect();
        windows.add(&cells);
    }
    let mean = windows.mean();
    Var::fit((2, 1e-4, 0.2), &windows.estimate(), &mean, 1e-3).unwrap()
}

#[test]
fn the_next_row_is_forecast_within_its_band() {
    let mut var = fitted();
    for row in rows(600) {
        var.observe(&row.map(Some));
    }
    let next = rows(601).pop().unwrap();
    var.observe(&next.map(Some));
    for (place, value) in next.into_iter().enumerate() {
        let (expected, band) = var.expected(place).unwrap();
        assert!(
            (value - expected).abs() < band && band < 0.5,
            "{place}: {value} {expected} {band}"
        );
    }
}

#[test]
fn a_signal_that_no_longer_follows_is_found_though_it_stays_in_its_range() {
    let mut var = fitted();
    let calm = rows(600).iter().map(|row| var.observe(&row.map(Some)).score).last().unwrap();
    let odd: Vec<_> =
        rows(650)[600..].iter().map(|row| var.observe(&[Some(row[0]), Some(-row[1])])).collect();
    let last = odd.last().unwrap();
    assert!(last.score > 3.0 * calm, "{last:?} {calm}");
}

#[test]
fn a_missing_sample_has_no_error_and_keeps_the_forecast_alive() {
    let (mut whole, mut holed) = (fitted(), fitted());
    for (place, row) in rows(600).into_iter().enumerate() {
        whole.observe(&row.map(Some));
        let hole = place % 50 == 7;
        holed.observe(&[Some(row[0]), Some(row[1]).filter(|_| !hole)]);
    }
    let next = rows(601).pop().unwrap().map(Some);
    let (a, b) = (whole.observe(&next).score, holed.observe(&next).score);
    assert!((a - b).abs() < 0.5 * a.max(1.0), "{a} {b}");
}

#[test]
fn weights_that_do_not_fit_each_other_are_refused() {
    let weights = fitted().weights().clone();
    let spoilt = super::Weights { precision: weights.forecast.clone(), ..weights };
    assert!(Var::from_weights(0.2, spoilt).unwrap_err().contains("precision"));
}
