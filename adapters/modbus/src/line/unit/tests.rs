use std::time::Duration;

use super::{Jitter, RoundTrips, State, Unit};

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn the_third_unanswered_request_in_a_row_demotes_a_unit() {
    let mut unit = Unit::new(1);
    unit.timed_out(s(1));
    unit.timed_out(s(2));
    assert_eq!(unit.state(), State::Suspect(2));
    unit.answered();
    unit.timed_out(s(3));
    unit.timed_out(s(4));
    assert!(!unit.is_demoted());
    unit.timed_out(s(5));
    assert!(unit.is_demoted());
}

#[test]
fn probes_come_after_1_2_4_and_at_most_30_seconds_give_or_take_a_tenth() {
    let mut unit = Unit::new(7);
    let mut now = s(100);
    unit.timed_out(now);
    unit.timed_out(now);
    for wanted in [1, 2, 4, 8, 16, 30, 30, 30] {
        unit.timed_out(now);
        let pause = unit.probe_at().unwrap().saturating_sub(now);
        let share = pause.as_secs_f64() / s(wanted).as_secs_f64();
        assert!((0.9..=1.1).contains(&share), "{pause:?} instead of {wanted} s");
        now += pause;
    }
    unit.answered();
    assert!(unit.is_ok() && unit.probe_at().is_none());
}

#[test]
fn a_new_connection_brings_a_demoted_unit_its_probe_at_once() {
    let mut unit = Unit::new(7);
    (0..3).for_each(|_| unit.timed_out(s(10)));
    unit.reconnected(s(10));
    assert_eq!(unit.probe_at(), Some(s(10)));
}

#[test]
fn a_probe_waits_three_slow_round_trips_and_never_longer_than_the_unit_s_timeout() {
    let mut trips = RoundTrips::default();
    assert_eq!(trips.probe_timeout(s(1)), s(1), "nothing is known yet");
    trips.note(Duration::from_millis(1));
    assert_eq!(trips.probe_timeout(s(1)), Duration::from_millis(20));
    trips.note(Duration::from_millis(100));
    assert_eq!(trips.probe_timeout(s(1)), Duration::from_millis(300));
    assert_eq!(trips.probe_timeout(Duration::from_millis(50)), Duration::from_millis(50));
}

#[test]
fn jitter_of_equal_seeds_is_equal_and_of_others_is_not() {
    let draw = |seed| -> Vec<Duration> {
        let mut jitter = Jitter::new(seed);
        (0..8).map(|_| jitter.around(s(10))).collect()
    };
    assert_eq!(draw(4), draw(4));
    assert_ne!(draw(4), draw(6));
}
