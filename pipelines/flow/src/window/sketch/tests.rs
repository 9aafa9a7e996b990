#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "small numbers of a test"
)]

use proptest::prelude::*;

use super::*;

/// The value of rank `⌊q·(n-1)⌋`.
fn exact(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[(share * (sorted.len() as f64 - 1.0)) as usize]
}

fn is_within(told: f64, exact: f64) -> bool {
    (told - exact).abs() <= RELATIVE_ERROR * exact.abs() + ABSOLUTE_ERROR
}

fn sketch_of(values: &[f64]) -> Sketch {
    let mut sketch = Sketch::new();
    for value in values {
        sketch.add(*value);
    }
    sketch
}

/// Measured values of all kinds: around a setpoint, of both signs, zero, over many decades.
fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => -1e3..1e3_f64,
        2 => (-6.0..9.0_f64).prop_map(|exponent| 10_f64.powf(exponent)),
        2 => (-6.0..9.0_f64).prop_map(|exponent| -10_f64.powf(exponent)),
        1 => Just(0.0),
        1 => 1e6..1.000_01e6_f64,
    ]
}

proptest! {
    #[test]
    fn a_quantile_is_within_its_error_of_the_value_of_that_rank(
        values in prop::collection::vec(value(), 1..300),
        share in 0.000_01..1.0_f64,
    ) {
        let sketch = sketch_of(&values);
        let (told, exact) = (sketch.quantile(share).unwrap(), exact(&values, share));
        prop_assert!(is_within(told, exact), "{told}, exact {exact}");
    }

    #[test]
    fn sketches_of_parts_together_say_what_one_of_the_whole_says(
        parts in prop::collection::vec(prop::collection::vec(value(), 0..60), 1..8),
        share in 0.000_01..1.0_f64,
    ) {
        let (mut whole, mut joined) = (Sketch::new(), Sketch::new());
        for part in &parts {
            let mut sketch = Sketch::new();
            for value in part {
                sketch.add(*value);
                whole.add(*value);
            }
            joined.merge(&sketch);
        }
        prop_assert_eq!(whole.quantile(share).map(f64::to_bits), joined.quantile(share).map(f64::to_bits));
    }

    #[test]
    fn no_finite_value_breaks_a_sketch_or_makes_it_grow_for_ever(
        values in prop::collection::vec(any::<f64>().prop_filter("finite", |v| v.is_finite()), 1..400),
        share in 0.0..=1.0_f64,
    ) {
        let (mut all, mut odd) = (Sketch::new(), Sketch::new());
        for (place, value) in values.iter().enumerate() {
            if place % 2 == 0 { all.add(*value) } else { odd.add(*value) }
        }
        all.merge(&odd);
        prop_assert!(all.quantile(share).is_some());
        prop_assert!(all.0.length() <= BINS_MAX as usize);
    }
}

#[test]
fn without_a_value_there_is_no_quantile() {
    assert_eq!(Sketch::new().quantile(0.5), None);
}

#[test]
fn seventeen_powers_of_ten_in_one_window_keep_their_error() {
    let values: Vec<f64> =
        (0..=170).map(|tenth| 10_f64.powf(f64::from(tenth) / 10.0 - 8.9)).collect();
    let sketch = sketch_of(&values);
    for share in [0.000_01, 0.25, 0.5, 0.75, 0.999] {
        let (told, exact) = (sketch.quantile(share).unwrap(), exact(&values, share));
        assert!(is_within(told, exact), "{share}: {told}, exact {exact}");
    }
}
