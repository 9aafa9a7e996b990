use super::Dpca;
use crate::matrix::Covariance;

const LAG: usize = 3;

/// Rows of two signals that move together, and what a window of them looks like.
fn fitted() -> Dpca {
    let load = |row: usize| crate::real(row * 7_919 % 101) / 50.0 - 1.0;
    let rows: Vec<(bool, Vec<Option<f64>>)> = (0..400)
        .map(|row| (row == 0, vec![Some(load(row)), Some(0.9 * load(row) + 0.1 * load(row + 57))]))
        .collect();
    let mut windows = Covariance::new(2 * LAG);
    for three in rows.windows(LAG) {
        let cells: Vec<f64> =
            three.iter().rev().flat_map(|(_, row)| row.iter().flatten().copied()).collect();
        windows.add(&cells);
    }
    let mean = windows.mean();
    Dpca::fit((LAG, 0.9), &windows.estimate(), &mean, &rows).unwrap()
}

fn settled(dpca: &mut Dpca, row: [Option<f64>; 2]) -> crate::family::Said {
    (0..LAG).map(|_| dpca.observe(&row)).last().unwrap()
}

#[test]
fn a_broken_relation_scores_higher_than_a_greater_load() {
    let together = settled(&mut fitted(), [Some(0.9), Some(0.8)]).score;
    let apart = settled(&mut fitted(), [Some(0.9), Some(-0.8)]).score;
    assert!(apart > 3.0 * together, "{apart} {together}");
}

#[test]
fn the_parts_of_a_score_are_its_square() {
    let said = settled(&mut fitted(), [Some(0.9), Some(-0.8)]);
    let sum: f64 = said.parts.iter().sum();
    assert!((sum / said.score.powi(2) - 1.0).abs() < 1e-3, "{said:?}");
}

#[test]
fn a_missing_signal_is_expected_where_the_other_one_lets_it_be() {
    let mut dpca = fitted();
    settled(&mut dpca, [Some(0.8), Some(0.75)]);
    let said = dpca.observe(&[Some(0.8), None]);
    let (expected, band) = dpca.expected(1).unwrap();
    assert!((expected - 0.7).abs() < 0.3 && band > 0.0, "{expected}");
    assert!(said.score < 3.0, "missing is not unusual: {said:?}");
}

#[test]
fn weights_that_do_not_fit_each_other_or_are_no_numbers_are_refused() {
    let weights = || fitted().weights().clone();
    let spoilt = super::Weights { variances: weights().mean.clone(), ..weights() };
    assert!(Dpca::from_weights(spoilt).unwrap_err().contains("variances"));
    let zero = weights().limits.affine(0.0, 0.0).unwrap();
    let spoilt = super::Weights { limits: zero, ..weights() };
    assert!(Dpca::from_weights(spoilt).unwrap_err().contains("above 0"));
    let wild = weights().mean.affine(f64::INFINITY, 0.0).unwrap();
    let spoilt = super::Weights { mean: wild, ..weights() };
    assert!(Dpca::from_weights(spoilt).unwrap_err().contains("not finite"));
}
