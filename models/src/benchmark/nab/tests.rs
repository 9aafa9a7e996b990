use super::{Series, probation_rows, score};

fn series(alarms: &[usize]) -> Series {
    let in_window = (0..1_000).map(|row| (500..600).contains(&row)).collect();
    let scores = (0..1_000).map(|row| if alarms.contains(&row) { 1.0 } else { 0.0 }).collect();
    Series { scores, in_window }
}

#[test]
fn the_first_row_of_the_window_is_worth_all_and_silence_nothing() {
    assert!((score(&[series(&[500])]).unwrap() - 100.0).abs() < 0.01);
    let early = score(&[series(&[510])]).unwrap();
    let late = score(&[series(&[590])]).unwrap();
    assert!(early > 97.0 && late > 50.0 && late < 75.0, "{early} {late}");
    assert!(score(&[series(&[])]).unwrap() <= 0.01);
}

#[test]
fn false_detections_cost_the_more_the_further_they_are_behind_a_window() {
    let near = score(&[series(&[500, 602])]).unwrap();
    let far = score(&[series(&[500, 950])]).unwrap();
    assert!(far < near && near < 100.0, "{near} {far}");
}

#[test]
fn rows_of_the_probation_are_not_judged_and_no_window_has_no_score() {
    assert_eq!((probation_rows(1_000), probation_rows(100_000)), (150, 750));
    assert!((score(&[series(&[10, 500])]).unwrap() - 100.0).abs() < 0.01);
    assert_eq!(score(&[Series { scores: vec![0.0; 100], in_window: vec![false; 100] }]), None);
}
