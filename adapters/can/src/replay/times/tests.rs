use signals::ManualClock;

use super::*;

const HOUR: i64 = 3_600_000_000;

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

fn times(time: ReplayTime, speed: f64) -> (Times, ManualClock) {
    let clock = ManualClock::new(at(9 * HOUR));
    (Times::begin(&clock, time, speed), clock)
}

#[test]
fn rebased_times_are_those_of_the_start_and_original_ones_those_of_the_recording() {
    let (mut rebased, clock) = times(ReplayTime::Rebased, 1.0);
    assert_eq!(rebased.of(250, at(7), &clock).0, at(9 * HOUR + 250));
    let (mut original, clock) = times(ReplayTime::Original, 1.0);
    assert_eq!(original.of(250, at(7), &clock), (at(7), ClockState::Synced));
}

#[test]
fn a_recorder_that_was_set_back_costs_no_order_is_counted_and_not_trusted() {
    let (mut times, clock) = times(ReplayTime::Original, 1.0);
    let given: Vec<_> = [2 * HOUR, HOUR, HOUR + 1_000, 3 * HOUR]
        .into_iter()
        .map(|recorded| times.of(0, at(recorded), &clock))
        .collect();
    assert!(given.is_sorted_by_key(|(time, _)| *time), "{given:?}");
    let states: Vec<_> = given.iter().map(|(_, state)| *state).collect();
    let (trusted, not) = (ClockState::Synced, ClockState::Unsynced);
    assert_eq!(states, [trusted, not, not, trusted]);
    assert_eq!(times.steps_back(), Some(1));
    assert_eq!(given[3].0, at(3 * HOUR), "caught up");
}

#[test]
fn frames_of_two_channels_that_change_places_are_no_step() {
    let (mut times, clock) = times(ReplayTime::Original, 1.0);
    for recorded in [1_000_000, 900_000, 1_100_000] {
        assert_eq!(times.of(0, at(recorded), &clock).1, ClockState::Synced);
    }
    assert_eq!(times.steps_back(), Some(0));
}

#[test]
fn silence_is_measured_in_the_time_of_the_recording() {
    let (mut times, clock) = times(ReplayTime::Original, 4.0);
    assert_eq!(times.now(&clock), None);
    times.of(0, at(5), &clock);
    clock.advance(Duration::from_secs(2));
    let (wall, steady, _) = times.now(&clock).unwrap();
    assert_eq!((wall, steady), (at(5), Duration::from_secs(8)));
}
