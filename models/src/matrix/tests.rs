use super::{Covariance, Eigen, Square};

fn covariance_of(vectors: &[[f64; 2]]) -> Square {
    let mut gathered = Covariance::new(2);
    for vector in vectors {
        gathered.add(vector);
    }
    gathered.estimate()
}

#[test]
fn covariance_of_a_large_offset_keeps_its_digits() {
    let near_zero = covariance_of(&[[1.0, 2.0], [-1.0, -2.0], [1.0, -2.0], [-1.0, 2.0]]);
    let far =
        covariance_of(&[[1e7 + 1.0, 2.0], [1e7 - 1.0, -2.0], [1e7 + 1.0, -2.0], [1e7 - 1.0, 2.0]]);
    for (a, b) in near_zero.into_cells().iter().zip(far.into_cells()) {
        assert!((a - b).abs() < 1e-9, "{a} {b}");
    }
}

#[test]
fn a_matrix_times_its_inverse_is_one() {
    let mut square = covariance_of(&[[1.0, 2.0], [-1.0, -1.0], [2.0, -2.0], [0.5, 2.0]]);
    square.shrink(1e-3);
    let inverse = square.inverse().unwrap();
    for row in 0..2 {
        for column in 0..2 {
            let cell: f64 = (0..2).map(|k| square.at(row, k) * inverse.at(k, column)).sum();
            let wanted = if row == column { 1.0 } else { 0.0 };
            assert!((cell - wanted).abs() < 1e-9, "{cell}");
        }
    }
}

#[test]
fn perfectly_collinear_vectors_can_be_inverted_after_shrinking() {
    let mut square = covariance_of(&[[1.0, 2.0], [-1.0, -2.0], [3.0, 6.0], [0.5, 1.0]]);
    square.shrink(1e-3);
    assert!(square.inverse().is_some());
}

#[test]
fn a_matrix_that_is_not_positive_definite_has_no_inverse_here() {
    assert!(Square::zero(3).inverse().is_none());
}

#[test]
fn eigenvectors_rebuild_the_matrix_and_stand_upright_on_each_other() {
    let size = 40;
    let mut square = Square::zero(size);
    for row in 0..size {
        for column in 0..=row {
            let cell = crate::real((row * 31 + column * 17) % 23) / 7.0 - 1.5;
            square.put(row, column, cell);
            square.put(column, row, cell);
        }
    }
    let eigen = Eigen::of(&square).unwrap();
    assert!(eigen.values.is_sorted_by(|a, b| a >= b));
    for row in 0..size {
        for column in 0..size {
            let parts = eigen.values.iter().zip(&eigen.vectors);
            let cell: f64 = parts.map(|(value, vector)| value * vector[row] * vector[column]).sum();
            assert!((cell - square.at(row, column)).abs() < 1e-9, "{row} {column}");
            let dot: f64 =
                eigen.vectors[row].iter().zip(&eigen.vectors[column]).map(|(a, b)| a * b).sum();
            let wanted = if row == column { 1.0 } else { 0.0 };
            assert!((dot - wanted).abs() < 1e-9, "{row} {column}: {dot}");
        }
    }
}

#[test]
fn a_matrix_of_rank_one_and_one_of_zeros_have_eigenvalues_and_one_of_nan_has_none() {
    let one = covariance_of(&[[1.0, 2.0], [-1.0, -2.0], [3.0, 6.0]]);
    let eigen = Eigen::of(&one).unwrap();
    assert!(eigen.values[0] > 1.0 && eigen.values[1].abs() < 1e-12, "{eigen:?}");
    assert_eq!(Eigen::of(&Square::zero(3)).unwrap().values, [0.0; 3]);
    let mut wild = Square::zero(2);
    wild.put(0, 0, f64::NAN);
    assert_eq!(Eigen::of(&wild), None);
}

#[test]
fn a_covariance_summed_in_chunks_is_that_of_all_vectors() {
    let vectors: Vec<[f64; 2]> =
        (0..1_000_u32).map(|i| [f64::from(i * 7_919 % 101), f64::from(i * 104_729 % 89)]).collect();
    let mut gathered = Covariance::new(2);
    for vector in &vectors {
        gathered.add(vector);
    }
    let found = gathered.estimate();
    let mean = gathered.mean();
    let cross: f64 = vectors.iter().map(|v| (v[0] - mean[0]) * (v[1] - mean[1])).sum();
    assert!((found.at(1, 0) - cross / 999.0).abs() < 1e-9, "{found:?}");
}
