use proptest::prelude::*;
use signals::Reason;

use super::*;

const HEARTBEAT_US: i64 = 60_000_000;

fn rule(method: Method, error: f64) -> Rule {
    let heartbeat = Duration::from_micros(HEARTBEAT_US.unsigned_abs());
    Rule { method, error, heartbeat }
}

fn sample(micros: i64, value: Option<f64>) -> Sample {
    let quality = if value.is_some() { Quality::GOOD } else { Quality::bad(Reason::Timeout) };
    Sample { ts: Timestamp::from_micros(micros), value, quality }
}

fn reduce(rule: Rule, samples: &[Sample]) -> Vec<Sample> {
    let mut reducer = Reducer::new(rule);
    let mut kept: Vec<Sample> = Vec::new();
    for sample in samples {
        let more = reducer.push(*sample);
        kept.extend(more.before.into_iter().chain(more.this));
    }
    kept
}

/// Values of a signal at whole seconds, all good.
fn seconds(values: &[f64]) -> Vec<Sample> {
    (0..).zip(values).map(|(second, value)| sample(second * 1_000_000, Some(*value))).collect()
}

fn values(kept: &[Sample]) -> Vec<f64> {
    kept.iter().filter_map(|sample| sample.value).collect()
}

#[test]
fn a_deadband_drops_a_change_of_exactly_its_error_and_keeps_a_greater_one() {
    let kept =
        reduce(rule(Method::Deadband, 0.5), &seconds(&[1.0, 1.5, 0.5, 1.25, 1.75, 1.5, 1.0]));
    assert_eq!(values(&kept), [1.0, 1.75, 1.0]);
}

#[test]
fn a_slow_drift_does_not_slip_through_a_deadband() {
    let drift: Vec<f64> = (0..50).map(|second| f64::from(second) / 8.0).collect();
    let kept = reduce(rule(Method::Deadband, 1.0), &seconds(&drift));
    assert_eq!(values(&kept), [0.0, 1.125, 2.25, 3.375, 4.5, 5.625]);
}

#[test]
fn a_swinging_door_keeps_the_corners_of_straight_lines_alone() {
    let roof: Vec<f64> = (0..20).map(|second| f64::from(20 - (second - 10_i32).abs())).collect();
    let kept = reduce(rule(Method::SwingingDoor, 0.1), &seconds(&roof));
    assert_eq!(values(&kept), [10.0, 20.0], "the end is held back");
}

#[test]
fn a_signal_that_stands_still_is_seen_once_a_heartbeat() {
    let still: Vec<Sample> = (0..600).map(|i| sample(i * 1_000_000, Some(7.0))).collect();
    let kept = reduce(rule(Method::Deadband, 0.0), &still);
    let times: Vec<i64> = kept.iter().map(|kept| kept.ts.micros() / 1_000_000).collect();
    let begins: Vec<i64> = times.iter().copied().filter(|at| at % 60 == 0).collect();
    assert_eq!(begins, [0, 60, 120, 180, 240, 300, 360, 420, 480, 540]);
    assert_eq!(times.len(), 19, "and the last of each stretch");
}

#[test]
fn a_change_of_quality_is_kept_with_the_sample_before_it() {
    let mut samples = seconds(&[1.0; 9]);
    samples[3] = sample(3_000_000, None);
    samples[4] = sample(4_000_000, None);
    samples[5] = sample(5_000_000, None);
    samples[7].quality = Quality::uncertain(Reason::RangeHigh);
    for method in [Method::Deadband, Method::SwingingDoor] {
        let kept = reduce(rule(method, 10.0), &samples);
        let times: Vec<i64> = kept.iter().map(|kept| kept.ts.micros() / 1_000_000).collect();
        assert_eq!(times, [0, 2, 3, 5, 6, 7, 8], "{method:?}");
    }
}

#[test]
fn what_is_not_a_number_is_no_value() {
    let mut samples = seconds(&[1.0, f64::NAN, f64::INFINITY, 1.0]);
    samples[1].quality = Quality::GOOD;
    let kept = reduce(rule(Method::SwingingDoor, 10.0), &samples);
    let values: Vec<Option<f64>> = kept.iter().map(|kept| kept.value).collect();
    assert_eq!(values, [Some(1.0), None, None, Some(1.0)]);
}

#[test]
fn a_sample_that_is_not_newer_is_counted_and_left_out() {
    let mut reducer = Reducer::new(rule(Method::Deadband, 0.0));
    reducer.push(sample(5_000_000, Some(1.0)));
    assert_eq!(reducer.push(sample(5_000_000, Some(2.0))), Kept::default());
    assert_eq!(reducer.push(sample(4_000_000, Some(2.0))), Kept::default());
    assert_eq!(reducer.late(), 2);
}

/// Samples of a signal that rests, drifts, jumps and is lost.
fn signal() -> impl Strategy<Value = Vec<Sample>> {
    let change = prop_oneof![
        4 => Just(0.0),
        4 => -0.3..0.3_f64,
        2 => -5.0..5.0_f64,
        1 => -1e6..1e6_f64,
    ];
    let quality = prop_oneof![
        20 => Just(Some(Quality::GOOD)),
        1 => Just(Some(Quality::uncertain(Reason::RangeHigh))),
        1 => Just(None),
    ];
    let step = prop_oneof![12 => 1_000..2_000_000_i64, 1 => 2_000_000..200_000_000_i64];
    prop::collection::vec((step, change, quality), 1..250).prop_map(|steps| {
        let (mut now, mut value) = (1_000_000_000_i64, 50.0);
        let mut samples = Vec::new();
        for (step, change, quality) in steps {
            now += step;
            value += change;
            let ts = Timestamp::from_micros(now);
            samples.push(match quality {
                Some(quality) => Sample { ts, value: Some(value), quality },
                None => sample(now, None),
            });
        }
        samples
    })
}

fn method() -> impl Strategy<Value = Method> {
    prop_oneof![Just(Method::Deadband), Just(Method::SwingingDoor)]
}

/// What the kept samples say at a time: R-1.
fn reconstructed(method: Method, kept: &[Sample], at: Timestamp) -> Option<f64> {
    let after = kept.partition_point(|kept| kept.ts <= at);
    let before = kept[after - 1];
    match (method, kept.get(after)) {
        (Method::SwingingDoor, Some(next)) if next.quality == before.quality => {
            let (from, to) = (before.value?, next.value?);
            let share = at.since(before.ts).as_secs_f64() / next.ts.since(before.ts).as_secs_f64();
            Some(from + (to - from) * share)
        }
        _ => before.value,
    }
}

proptest! {
    #[test]
    fn every_dropped_sample_is_within_the_error_of_what_the_kept_ones_say(
        samples in signal(),
        method in method(),
        error in prop_oneof![Just(0.0), 0.01..3.0_f64],
    ) {
        let kept = reduce(rule(method, error), &samples);
        let last = kept.last().unwrap().ts;
        // Behind the last one kept a line is still open.
        let settled = samples.iter().filter(|s| method == Method::Deadband || s.ts <= last);
        for sample in settled {
            let told = reconstructed(method, &kept, sample.ts);
            match (sample.value, told) {
                // What doubles are off by: a few units in the last place of the greatest value
                // there can be, 250 steps of 10^6.
                (Some(value), Some(told)) => {
                    let rounding = 1e-15 * 2.5e8;
                    prop_assert!((value - told).abs() <= error + rounding, "{sample:?}: {told}, error {error}");
                }
                (value, told) => prop_assert_eq!(value, told, "{:?}", sample),
            }
        }
    }

    #[test]
    fn what_is_kept_are_samples_in_order_each_once(samples in signal(), method in method()) {
        let kept = reduce(rule(method, 0.5), &samples);
        prop_assert!(kept.windows(2).all(|pair| pair[0].ts < pair[1].ts));
        prop_assert!(kept.iter().all(|kept| samples.contains(kept)));
    }

    #[test]
    fn every_change_of_quality_and_the_first_sample_of_every_stretch_are_kept(
        samples in signal(),
        method in method(),
    ) {
        let kept = reduce(rule(method, 2.0), &samples);
        let stretch = |sample: &Sample| sample.ts.micros().div_euclid(HEARTBEAT_US);
        for pair in samples.windows(2) {
            if pair[0].quality != pair[1].quality || stretch(&pair[0]) != stretch(&pair[1]) {
                prop_assert!(kept.contains(&pair[0]) && kept.contains(&pair[1]), "{:?}", pair);
            }
        }
    }

    #[test]
    fn who_begins_with_a_stretch_keeps_the_same_from_there_on(
        samples in signal(),
        method in method(),
        begin in 0..250_usize,
    ) {
        let kept = reduce(rule(method, 0.5), &samples);
        let stretch = |sample: &Sample| sample.ts.micros().div_euclid(HEARTBEAT_US);
        let from = stretch(&samples[begin % samples.len()]);
        let later: Vec<Sample> = samples.iter().filter(|s| stretch(s) >= from).copied().collect();
        let wanted: Vec<Sample> = kept.iter().filter(|s| stretch(s) >= from).copied().collect();
        prop_assert_eq!(reduce(rule(method, 0.5), &later), wanted);
    }
}
