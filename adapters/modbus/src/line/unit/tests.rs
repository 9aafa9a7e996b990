use std::time::Duration;

use super::{Jitter, RoundTrips, State, Unit};

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn the_third_unanswered_request_in_a_row_demotes_a_unit() {
    let mut unit = Unit::new(1);
    unit.timed_out(s(1), true);
    unit.timed_out(s(2), true);
    assert_eq!(unit.state(), State::Suspect(2));
    unit.answered();
    unit.timed_out(s(3), true);
    unit.timed_out(s(4), true);
    assert!(!unit.is_demoted());
    unit.timed_out(s(5), true);
    assert!(unit.is_demoted());
}

#[test]
fn probes_come_after_2_5_12_and_29_seconds_give_or_take_a_tenth() {
    let mut unit = Unit::new(7);
    let mut now = s(100);
    unit.timed_out(now, true);
    unit.timed_out(now, true);
    for wanted in [2, 5, 12, 29, 29, 29] {
        unit.timed_out(now, true);
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
    (0..3).for_each(|_| unit.timed_out(s(10), true));
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

#[test]
fn a_unit_without_company_is_asked_on_until_somebody_else_answers() {
    let mut unit = Unit::new(1);
    (0..100).for_each(|_| unit.timed_out(s(1), false));
    assert!(!unit.is_demoted());
    unit.timed_out(s(2), true);
    assert!(unit.is_demoted());
}

#[test]
fn a_dead_unit_gets_at_most_four_probes_in_any_minute() {
    for seed in 0..50 {
        let (mut unit, mut now, mut probes) = (Unit::new(seed), s(0), Vec::new());
        (0..3).for_each(|_| unit.timed_out(now, true));
        while now < s(600) {
            now = unit.probe_at().unwrap();
            probes.push(now);
            unit.timed_out(now, true);
        }
        let most = probes
            .iter()
            .map(|from| probes.iter().filter(|at| (*from..*from + s(60)).contains(*at)).count());
        assert!(most.max() <= Some(4), "{probes:?}");
    }
}
