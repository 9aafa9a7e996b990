use signals::Timestamp;

use super::{Ewma, FitError, SIGNALS_MAX, Settings};
use crate::Row;

const GAP: i64 = 5_000_000;

fn names(count: usize) -> Vec<String> {
    (0..count).map(|place| format!("s{place}")).collect()
}

/// Rows of one second whose values come from a wandering number in -1..1.
fn rows(count: i64, values: impl Fn(f64, f64) -> Vec<Option<f64>>) -> Vec<Row> {
    let mut seed = 1_u32;
    let mut next = move || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(seed >> 8) / f64::from(1_u32 << 23) - 1.0
    };
    (0..count)
        .map(|second| Row {
            ts: Timestamp::from_micros(second * 1_000_000),
            values: values(next(), next()),
        })
        .collect()
}

fn fit(rows: &[Row]) -> Result<Ewma, FitError> {
    let count = rows.first().map_or(1, |row| row.values.len());
    Ewma::fit(&names(count), rows, Settings::default(), GAP).map(|(model, _)| model)
}

#[test]
fn perfectly_collinear_signals_give_finite_scores() {
    let history = rows(300, |a, _| vec![Some(a), Some(2.0 * a + 1.0), Some(-a)]);
    let model = fit(&history).unwrap();
    let mut memory = model.blank();
    for values in [[0.0, 1.0, 0.0], [9.0, -9.0, 9.0]] {
        assert!(model.observe(&mut memory, &values.map(Some)).score.unwrap().is_finite());
    }
}

#[test]
fn an_offset_of_ten_million_changes_no_score() {
    let small = rows(300, |a, b| vec![Some(a), Some(b)]);
    let large = rows(300, |a, b| vec![Some(1e7 + a), Some(b)]);
    let (near, far) = (fit(&small).unwrap(), fit(&large).unwrap());
    let (mut here, mut there) = (near.blank(), far.blank());
    let a = near.observe(&mut here, &[Some(1.0), Some(0.5)]).score.unwrap();
    let b = far.observe(&mut there, &[Some(1e7 + 1.0), Some(0.5)]).score.unwrap();
    assert!((a - b).abs() < 1e-6 * a, "{a} {b}");
}

#[test]
fn what_is_missing_while_fitting_is_said() {
    assert_eq!(
        fit(&rows(2, |a, b| vec![Some(a), Some(b)])).unwrap_err(),
        FitError::TooFewRows { rows: 2, usable: 2, needed: 60 }
    );
    assert_eq!(
        fit(&rows(300, |_, _| vec![Some(4.0), None])).unwrap_err(),
        FitError::NothingMoves { signals: 2 }
    );
    assert_eq!(
        fit(&rows(300, |_, _| vec![Some(f64::NAN), Some(f64::INFINITY)])).unwrap_err(),
        FitError::NothingMoves { signals: 2 }
    );
    assert_eq!(fit(&rows(300, |_, _| vec![])).unwrap_err(), FitError::Signals(0));
    let wide = Ewma::fit(&names(SIGNALS_MAX + 1), &[], Settings::default(), GAP);
    assert_eq!(wide.unwrap_err(), FitError::Signals(SIGNALS_MAX + 1));
}

#[test]
fn a_row_of_another_width_is_refused() {
    let mut history = rows(300, |a, b| vec![Some(a), Some(b)]);
    history[7].values.pop();
    let error = Ewma::fit(&names(2), &history, Settings::default(), GAP).unwrap_err();
    assert_eq!(error, FitError::Width { row: 7, found: 1, wanted: 2 });
}

#[test]
fn a_signal_that_is_mostly_missing_is_masked() {
    let model = fit(&rows(300, |a, b| vec![Some(a), Some(b).filter(|b| *b > 0.6)])).unwrap();
    assert!(model.scaling()[0].spread.is_some());
    assert_eq!(model.scaling()[1].spread, None);
}

#[test]
fn the_score_of_a_settled_shift_grows_with_the_shift() {
    let model = fit(&rows(600, |a, b| vec![Some(a), Some(b)])).unwrap();
    let settled = |shift: f64| {
        let mut memory = model.blank();
        let scores = (0..200).map(|_| model.observe(&mut memory, &[Some(shift), Some(0.0)]));
        scores.last().unwrap().score.unwrap()
    };
    assert!(settled(0.5) > settled(0.2) && settled(1.0) > settled(0.5));
}

#[test]
fn the_centre_follows_at_most_three_spreads_at_its_rate() {
    let model = fit(&rows(300, |a, b| vec![Some(a), Some(b)])).unwrap();
    let mut memory = model.blank();
    model.observe(&mut memory, &[Some(1e9), None]);
    Ewma::follow(&mut memory, 0.01);
    let (_, centre, _) = memory.to_parts();
    assert!((centre[0] - 0.03).abs() < 1e-12 && centre[1].abs() < 1e-12, "{centre:?}");
}

#[test]
fn more_than_half_missing_has_no_score() {
    let model = fit(&rows(300, |a, b| vec![Some(a), Some(b), Some(a + b)])).unwrap();
    let mut memory = model.blank();
    assert!(model.observe(&mut memory, &[Some(0.1), Some(0.1), None]).score.is_some());
    assert_eq!(model.observe(&mut memory, &[Some(0.1), None, None]).score, None);
}
