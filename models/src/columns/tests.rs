use signals::Timestamp;

use crate::Family;

use super::{ScoreError, ScoreRequest, ScoredRow, score_columns};

fn names() -> Vec<String> {
    vec!["a".to_owned(), "b".to_owned()]
}

fn times(count: i64) -> Vec<Timestamp> {
    (0..count).map(|second| Timestamp::from_micros(second * 1_000_000)).collect()
}

/// Two signals; `b` jumps at row 300 of 400.
fn columns() -> Vec<Vec<Option<f64>>> {
    let wander = |row: usize, factor: usize| crate::real(row * factor % 101) / 50.0;
    let a = (0..400).map(|row| Some(wander(row, 7_919))).collect();
    let b = (0..400).map(|row| Some(wander(row, 104_729) + if row < 300 { 0.0 } else { 5.0 }));
    vec![a, b.collect()]
}

fn score(fit_rows: usize, calibrate_rows: usize) -> Result<Vec<ScoredRow>, ScoreError> {
    score_with(Family::Ewma, fit_rows, calibrate_rows)
}

fn score_with(
    family: Family,
    fit_rows: usize,
    calibrate_rows: usize,
) -> Result<Vec<ScoredRow>, ScoreError> {
    score_columns(ScoreRequest {
        ts: &times(400),
        names: &names(),
        columns: &columns(),
        fit_rows,
        calibrate_rows,
        family,
    })
}

#[test]
fn fitted_rows_have_no_score_calibrated_ones_no_probability_and_the_rest_both() {
    let rows = score(150, 100).unwrap();
    assert_eq!(rows.len(), 400);
    assert!(rows[..150].iter().all(|row| row.score.is_none() && row.p.is_none()));
    assert!(rows[150..250].iter().all(|row| row.score.is_some() && row.p.is_none()));
    assert!(rows[250..].iter().all(|row| row.score.is_some() && row.p.is_some()));
}

#[test]
fn the_jump_is_alarmed_with_its_signal_first_and_nothing_before_it() {
    for family in Family::ALL {
        let rows = score_with(family, 150, 100).unwrap();
        assert!(rows[..300].iter().all(|row| !row.alarm), "{family:?}");
        let found = |row: &ScoredRow| row.alarm && row.top[0].signal == "b";
        assert!(rows[320..].iter().all(found), "{family:?}");
    }
}

#[test]
fn nothing_left_to_score_is_refused() {
    let refused = ScoreError::NothingLeft { rows: 400, fit: 300, calibrate: 100 };
    assert_eq!(score(300, 100), Err(refused));
    assert!(matches!(score(usize::MAX, 1), Err(ScoreError::NothingLeft { .. })));
}

#[test]
fn a_column_of_another_length_is_named() {
    let mut columns = columns();
    columns[1].pop();
    let refused = score_columns(ScoreRequest {
        ts: &times(400),
        names: &names(),
        columns: &columns,
        fit_rows: 150,
        calibrate_rows: 100,
        family: Family::Ewma,
    });
    let wanted = ScoreError::Length { column: "b".to_owned(), found: 399, wanted: 400 };
    assert_eq!(refused, Err(wanted));
}
