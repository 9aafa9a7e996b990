use super::Lags;

fn filled() -> Lags {
    let mut lags = Lags::new(3, 2);
    for row in [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]] {
        lags.push(row.into_iter());
    }
    lags
}

#[test]
fn the_newest_row_comes_first_and_the_oldest_goes() {
    assert_eq!(filled().window(), [7.0, 8.0, 5.0, 6.0, 3.0, 4.0]);
    assert_eq!((filled().lag(), filled().age_rows()), (3, 4));
}

#[test]
fn only_the_newest_row_can_be_amended() {
    let mut lags = filled();
    lags.amend(1, 0.5);
    lags.amend(2, 0.5);
    assert_eq!(lags.window(), [7.0, 0.5, 5.0, 6.0, 3.0, 4.0]);
}

#[test]
fn a_cleared_window_holds_nothing_of_before() {
    let mut lags = filled();
    lags.clear();
    assert_eq!(lags.window(), [0.0; 6]);
    assert_eq!(lags.age_rows(), 0);
}

#[test]
fn stored_cells_go_on_and_those_of_another_window_are_refused() {
    let mut lags = Lags::new(3, 2);
    assert!(lags.recall(&filled().to_cells(), 4));
    assert_eq!(lags.window(), filled().window());
    assert!(!lags.recall(&[1.0], 4) && !lags.recall(&[f64::NAN; 6], 4));
}
