use proptest::prelude::*;

use super::*;

fn at(seconds: f64) -> Timestamp {
    #[expect(clippy::cast_possible_truncation, reason = "small numbers of a test")]
    Timestamp::from_micros((seconds * 1e6) as i64)
}

/// The summary of a window from 10 s to 20 s; `None` is a sample without a value.
fn told(carried: Option<f64>, samples: &[(f64, Option<f64>)]) -> Summary {
    let mut tally = Tally::default();
    for (second, value) in samples {
        match value {
            Some(value) => tally.add(at(*second), *value, true),
            None => tally.lose(at(*second)),
        }
    }
    tally.close((at(10.0), at(20.0)), carried)
}

#[test]
fn labels_use_the_greatest_unit_that_leaves_no_fraction() {
    let labels = [500, 10_000, 60_000, 90_000, 3_600_000, 86_400_000]
        .map(|millis| label(Duration::from_millis(millis)));
    assert_eq!(labels, ["500ms", "10s", "1m", "90s", "1h", "1d"]);
}

#[test]
fn a_sample_at_the_end_of_a_window_belongs_to_the_next_one() {
    let length = Duration::from_secs(10);
    assert_eq!(around(at(19.999), length), (at(10.0), at(20.0)));
    assert_eq!(around(at(20.0), length), (at(20.0), at(30.0)));
}

#[test]
fn a_window_without_samples_tells_only_what_held_on() {
    assert_eq!(told(None, &[]), Summary::default());
    assert_eq!(told(Some(4.0), &[]), Summary { twa: Some(4.0), ..Summary::default() });
}

#[test]
fn a_value_weighs_as_long_as_it_holds() {
    let summary = told(None, &[(10.0, Some(0.0)), (19.0, Some(100.0))]);
    assert_eq!((summary.mean, summary.twa), (Some(50.0), Some(10.0)));
}

#[test]
fn the_value_before_the_window_holds_until_its_first_sample() {
    assert_eq!(told(Some(1.0), &[(15.0, Some(3.0))]).twa, Some(2.0));
    assert_eq!(told(None, &[(15.0, Some(3.0))]).twa, Some(3.0));
}

#[test]
fn time_without_a_value_does_not_count() {
    let summary = told(Some(1.0), &[(12.0, None), (18.0, Some(5.0))]);
    assert_eq!((summary.count, summary.twa), (1, Some(3.0)));
}

#[test]
fn not_a_number_ends_what_held_and_is_no_value() {
    let summary = told(None, &[(10.0, Some(1.0)), (15.0, Some(f64::NAN))]);
    assert_eq!((summary.count, summary.mean, summary.twa), (1, Some(1.0), Some(1.0)));
}

#[test]
fn a_sample_older_than_the_one_before_counts_but_weighs_nothing() {
    let summary = told(None, &[(10.0, Some(1.0)), (15.0, Some(3.0)), (12.0, Some(50.0))]);
    assert_eq!((summary.count, summary.max, summary.twa), (3, Some(50.0), Some(2.0)));
}

#[test]
fn a_mean_keeps_what_a_plain_sum_would_round_away() {
    let summary = told(None, &[(10.0, Some(1e16)), (11.0, Some(1.0)), (12.0, Some(-1e16))]);
    assert_eq!(summary.mean, Some(1.0 / 3.0));
}

#[test]
fn a_single_value_does_not_deviate() {
    assert_eq!(told(None, &[(10.0, Some(7.5))]).stddev, Some(0.0));
}

#[test]
fn a_counter_far_from_zero_keeps_its_deviation_also_when_tallies_are_joined() {
    let of = |seconds: std::ops::Range<u32>| {
        let mut tally = Tally::default();
        for second in seconds {
            let at = Timestamp::from_micros(i64::from(second) * 1_000_000);
            tally.add(at, 4e9 + f64::from(second) * 2.0, true);
        }
        tally
    };
    // The deviation of n numbers that are 2 apart is the root of (n² - 1) / 3.
    let wanted = ((3_600.0_f64.powi(2) - 1.0) / 3.0).sqrt();
    let mut joined = of(0..1_800);
    joined.join(&of(1_800..3_600));
    for tally in [of(0..3_600), joined] {
        let told = tally.close((at(0.0), at(3_600.0)), None).stddev.unwrap();
        assert!((told - wanted).abs() <= 1e-12 * wanted, "{told}, not {wanted}");
    }
}

proptest! {
    #[test]
    fn mean_and_deviation_are_those_of_the_two_pass_formulas(
        values in prop::collection::vec(-1e9..1e9_f64, 1..200),
    ) {
        #[expect(clippy::cast_precision_loss, reason = "small numbers of a test")]
        let samples: Vec<_> =
            values.iter().enumerate().map(|(i, v)| (10.0 + i as f64 / 100.0, Some(*v))).collect();
        let summary = told(None, &samples);
        #[expect(clippy::cast_precision_loss, reason = "small numbers of a test")]
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let deviation = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
        prop_assert!((summary.mean.unwrap() - mean).abs() <= 1e-9 * 1e9);
        prop_assert!((summary.stddev.unwrap() - deviation).abs() <= 1e-9 * (deviation + 1.0));
    }
}
