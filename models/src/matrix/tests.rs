use super::{Covariance, Square};

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
