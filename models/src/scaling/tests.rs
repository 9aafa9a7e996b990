use super::{Scaling, Z_MAX};

fn alternating(centre: f64) -> Vec<f64> {
    (0..100).map(|i| if i % 2 == 0 { centre + 1.0 } else { centre - 1.0 }).collect()
}

#[test]
fn one_wild_row_in_a_hundred_hardly_changes_the_spread() {
    let clean: Vec<f64> = (0..100).map(|i| f64::from(i % 21)).collect();
    let spread = Scaling::of(clean.clone()).spread.unwrap();
    let disturbed = Scaling::of([clean, vec![1e9]].concat()).spread.unwrap();
    assert!((1.0..1.4).contains(&(disturbed / spread)), "{spread} {disturbed}");
}

#[test]
fn an_offset_of_ten_million_keeps_a_spread_of_one() {
    let scaling = Scaling::of(alternating(1e7));
    assert!((scaling.spread.unwrap() - 1.0).abs() < 1e-9);
    assert!((scaling.centre - 1e7).abs() < 1e-6);
}

#[test]
fn a_signal_that_does_not_move_is_masked() {
    for value in [0.0, 7.3, -1e7, 1e300] {
        let scaling = Scaling::of(vec![value; 50]);
        assert_eq!(scaling.spread, None, "{value}");
        assert_eq!(scaling.standardise(Some(value + 1.0)), None);
    }
}

#[test]
fn a_signal_that_moves_in_one_row_of_fifty_has_a_spread() {
    let mut values = vec![1.0; 98];
    values.extend([2.0, 2.0]);
    assert!(Scaling::of(values).spread.is_some());
}

#[test]
fn nothing_seen_is_masked_and_not_finite_is_not_seen() {
    assert_eq!(Scaling::of(vec![]).spread, None);
    assert_eq!(Scaling::of(vec![f64::NAN, f64::INFINITY]).spread, None);
}

#[test]
fn no_value_is_further_from_the_centre_than_the_clip() {
    let scaling = Scaling::of(alternating(0.0));
    for wild in [1e9, f64::MAX, -f64::MAX] {
        assert!((scaling.standardise(Some(wild)).unwrap().abs() - Z_MAX).abs() < 1e-12);
    }
    for absent in [None, Some(f64::NAN), Some(f64::INFINITY)] {
        assert_eq!(scaling.standardise(absent), None);
    }
}
