use std::sync::Arc;

use arrow_array::{Array, BooleanArray, Float32Array, Float64Array, StringArray, UInt32Array};

use super::*;

fn noisy(row: u32) -> f64 {
    f64::from(row.wrapping_mul(2_654_435_761) >> 4)
}

fn check(column: impl Array + 'static, default: Choice, compact: Choice) {
    let column: ArrayRef = Arc::new(column);
    let mut seen = Seen::new();
    assert_eq!(choice(&column, Profile::Default, &mut seen), default);
    assert_eq!(choice(&column, Profile::Compact, &mut seen), compact);
}

#[test]
fn scaled_values_that_repeat_get_a_dictionary() {
    let values = (0..3_600).map(|row| f64::from(700 + row * 7 % 150) * 0.1);
    check(Float64Array::from_iter_values(values), Choice::Dictionary, Choice::Dictionary);
}

#[test]
fn noise_is_plain_by_default_and_split_when_compact() {
    let values = (0..3_600).map(noisy);
    check(Float64Array::from_iter_values(values), Choice::Plain, Choice::Split);
    #[expect(clippy::cast_possible_truncation, reason = "some number")]
    let values = (0..3_600).map(|row| noisy(row) as f32);
    check(Float32Array::from_iter_values(values), Choice::Plain, Choice::Split);
}

#[test]
fn counters_get_differences_and_states_a_dictionary() {
    let counter = (0..3_600).map(|row| 1_000_000 + row * 2);
    check(UInt32Array::from_iter_values(counter), Choice::Deltas, Choice::Deltas);
    let state = (0..3_600).map(|row| row / 400 % 3 * 100_000);
    check(UInt32Array::from_iter_values(state), Choice::Dictionary, Choice::Dictionary);
}

#[test]
fn constants_texts_and_columns_without_values_get_a_dictionary() {
    let constant = Float64Array::from(vec![21.5; 100]);
    check(constant, Choice::Dictionary, Choice::Dictionary);
    let texts = StringArray::from(vec!["on"; 100]);
    check(texts, Choice::Dictionary, Choice::Dictionary);
    let nothing = Float64Array::from(vec![None; 100]);
    check(nothing, Choice::Dictionary, Choice::Dictionary);
}

#[test]
fn truth_values_are_plain() {
    check(BooleanArray::from(vec![true; 100]), Choice::Plain, Choice::Plain);
}

#[test]
fn a_column_is_looked_at_as_if_it_were_the_first() {
    let mut seen = Seen::new();
    let noise: ArrayRef = Arc::new(Float64Array::from_iter_values((0..3_600).map(noisy)));
    let scaled = (0..3_600).map(|row| f64::from(700 + row * 7 % 150) * 0.1);
    let scaled: ArrayRef = Arc::new(Float64Array::from_iter_values(scaled));
    for _ in 0..2 {
        assert_eq!(choice(&noise, Profile::Default, &mut seen), Choice::Plain);
        assert_eq!(choice(&scaled, Profile::Default, &mut seen), Choice::Dictionary);
    }
}

#[test]
fn values_that_come_again_after_512_rows_get_a_dictionary_all_the_same() {
    // 400 values that differ, then the same again and again.
    let values = (0..3_600).map(|row| noisy(row % 400));
    check(Float64Array::from_iter_values(values), Choice::Dictionary, Choice::Dictionary);
}
