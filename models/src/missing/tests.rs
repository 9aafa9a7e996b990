use candle_core::{Device, Tensor};

use super::Filler;

/// The inverse of [[1, 0.9], [0.9, 1]].
fn filler() -> Filler {
    let cells = vec![1.0 / 0.19, -0.9 / 0.19, -0.9 / 0.19, 1.0 / 0.19];
    Filler::of(&Tensor::from_vec(cells, (2, 2), &Device::Cpu).unwrap()).unwrap()
}

#[test]
fn a_missing_signal_is_where_its_neighbour_lets_it_be() {
    let mut vector = [2.0, 0.0];
    filler().fill(&mut vector, &[Some(2.0), None]);
    assert!((vector[1] - 1.8).abs() < 1e-9, "{vector:?}");
}

#[test]
fn what_is_there_is_not_touched() {
    let mut vector = [2.0, -5.0];
    filler().fill(&mut vector, &[Some(2.0), Some(-5.0)]);
    let same = vector.iter().zip([2.0, -5.0]).all(|(a, b)| a.total_cmp(&b).is_eq());
    assert!(same, "{vector:?}");
}

#[test]
fn a_diagonal_with_a_zero_is_refused() {
    let zero = Tensor::from_vec(vec![0.0; 4], (2, 2), &Device::Cpu).unwrap();
    assert!(Filler::of(&zero).is_err());
}
