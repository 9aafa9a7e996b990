use signals::Timestamp;

use super::{FitError, Model};
use crate::frame::SIGNALS_MAX;
use crate::settings::Settings;
use crate::{Family, Row};

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

fn fit(rows: &[Row]) -> Result<Model, FitError> {
    fit_of(Family::Ewma, rows)
}

fn fit_of(family: Family, rows: &[Row]) -> Result<Model, FitError> {
    let count = rows.first().map_or(1, |row| row.values.len());
    Model::fit((family, Settings::default()), &names(count), rows, GAP)
}

/// The scores of the families for one row.
fn scores<const N: usize>(model: &mut Model, values: [f64; N]) -> Vec<f64> {
    model.observe(&values.map(Some)).scores.unwrap()
}

#[test]
fn perfectly_collinear_signals_give_finite_scores() {
    let history = rows(300, |a, _| vec![Some(a), Some(2.0 * a + 1.0), Some(-a)]);
    for family in Family::ALL {
        let mut model = fit_of(family, &history).unwrap().blank();
        for values in [[0.0, 1.0, 0.0], [9.0, -9.0, 9.0]] {
            let scores = scores(&mut model, values);
            assert!(scores.iter().all(|score| score.is_finite()), "{family:?}: {scores:?}");
        }
    }
}

#[test]
fn an_offset_of_ten_million_changes_no_score() {
    let small = rows(300, |a, b| vec![Some(a), Some(b)]);
    let large = rows(300, |a, b| vec![Some(1e7 + a), Some(b)]);
    for family in Family::ALL {
        let (mut near, mut far) =
            (fit_of(family, &small).unwrap(), fit_of(family, &large).unwrap());
        let here = scores(&mut near, [1.0, 0.5]);
        let there = scores(&mut far, [1e7 + 1.0, 0.5]);
        for (a, b) in here.iter().zip(&there) {
            assert!((a - b).abs() < 1e-4 * a, "{family:?}: {a} {b}");
        }
    }
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
    let how = (Family::Ewma, Settings::default());
    let wide = Model::fit(how, &names(SIGNALS_MAX + 1), &[], GAP);
    assert_eq!(wide.unwrap_err(), FitError::Signals(SIGNALS_MAX + 1));
}

#[test]
fn a_row_of_another_width_is_refused() {
    let mut history = rows(300, |a, b| vec![Some(a), Some(b)]);
    history[7].values.pop();
    let how = (Family::Ewma, Settings::default());
    let error = Model::fit(how, &names(2), &history, GAP).unwrap_err();
    assert_eq!(error, FitError::Width { row: 7, found: 1, wanted: 2 });
}

#[test]
fn a_signal_that_is_mostly_missing_is_masked() {
    let model = fit(&rows(300, |a, b| vec![Some(a), Some(b).filter(|b| *b > 0.6)])).unwrap();
    assert!(model.frame().scaling()[0].spread.is_some());
    assert_eq!(model.frame().scaling()[1].spread, None);
}

#[test]
fn the_score_of_a_settled_shift_grows_with_the_shift() {
    let model = fit(&rows(600, |a, b| vec![Some(a), Some(b)])).unwrap();
    let settled = |shift: f64| {
        let mut model = model.blank();
        let scores = (0..200).map(|_| scores(&mut model, [shift, 0.0]));
        scores.last().unwrap()[0]
    };
    assert!(settled(0.5) > settled(0.2) && settled(1.0) > settled(0.5));
}

#[test]
fn the_centre_follows_at_most_three_spreads_at_its_rate() {
    let mut model = fit(&rows(300, |a, b| vec![Some(a), Some(b)])).unwrap().blank();
    let expected = |model: &Model, place| model.expected(0, place).unwrap();
    let before = [expected(&model, 0), expected(&model, 1)];
    model.observe(&[Some(1e9), None]);
    model.follow(3.0);
    let moved = (expected(&model, 0).0 - before[0].0) / (before[0].1 / 3.0);
    assert!((moved - 0.03).abs() < 1e-9, "{moved}");
    assert_eq!(expected(&model, 1), before[1]);
}

#[test]
fn more_than_half_missing_has_no_score() {
    let history = rows(300, |a, b| vec![Some(a), Some(b), Some(a + b)]);
    for family in Family::ALL {
        let mut model = fit_of(family, &history).unwrap();
        assert!(model.observe(&[Some(0.1), Some(0.1), None]).scores.is_some());
        assert_eq!(model.observe(&[Some(0.1), None, None]).scores, None);
    }
}

#[test]
fn rows_before_and_after_a_gap_are_no_neighbours_while_fitting() {
    let whole = rows(600, |a, b| vec![Some(a), Some(b)]);
    let parted: Vec<Row> = whole
        .iter()
        .enumerate()
        .map(|(place, row)| {
            let away = if place < 300 { 0 } else { 3_600 * 1_000_000 };
            Row { ts: Timestamp::from_micros(row.ts.micros() + away), values: row.values.clone() }
        })
        .collect();
    for family in Family::ALL {
        let (one, other) = (fit_of(family, &whole).unwrap(), fit_of(family, &parted).unwrap());
        let last = |model: Model| {
            let mut model = model.blank();
            (0..30).map(|_| scores(&mut model, [3.0, -3.0])).last()
        };
        assert_ne!(last(one), last(other), "{family:?}: windows over the gap were left out");
    }
}

#[test]
fn a_group_of_a_hundred_signals_looks_back_less_far_and_scores() {
    let history = rows(400, |a, b| (0..100).map(|i| Some(a + b * f64::from(i) / 50.0)).collect());
    let mut model = fit_of(Family::Combined, &history).unwrap();
    assert!(model.settings().dpca_lag < Settings::default().dpca_lag, "{:?}", model.settings());
    let scores = model.observe(&vec![Some(0.1); 100]).scores.unwrap();
    assert!(scores.len() == 3 && scores.iter().all(|score| score.is_finite()), "{scores:?}");
}
