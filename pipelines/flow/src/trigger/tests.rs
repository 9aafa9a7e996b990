use std::time::Duration;

use proptest::prelude::*;
use signals::Timestamp;

use super::{Change, Trigger, TriggerSettings, Verdict};

const YES: Verdict = Verdict { raise: Some(true), clear: Some(false) };
const NO: Verdict = Verdict { raise: Some(false), clear: Some(true) };
const BETWEEN: Verdict = Verdict { raise: Some(false), clear: Some(false) };
const UNKNOWN: Verdict = Verdict { raise: None, clear: None };
const BOTH: Verdict = Verdict { raise: Some(true), clear: Some(true) };

fn settings(on_for: u64, off_for: u64) -> TriggerSettings {
    TriggerSettings {
        on_for: Duration::from_secs(on_for),
        off_for: Duration::from_secs(off_for),
        unknown_max: Duration::from_secs(10),
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(1_000_000_000 + second * 1_000_000)
}

#[expect(clippy::unnecessary_wraps, reason = "what a step gives")]
fn started(second: i64) -> Option<Change> {
    Some(Change::Started { since: at(second) })
}

#[expect(clippy::unnecessary_wraps, reason = "what a step gives")]
fn ended(second: i64) -> Option<Change> {
    Some(Change::Ended { since: at(second) })
}

/// Steps through `(second, verdict, what it brings)`.
fn walk(settings: TriggerSettings, steps: &[(i64, Verdict, Option<Change>)]) {
    let mut trigger = Trigger::default();
    for (second, verdict, expected) in steps {
        let change = trigger.step(&settings, at(*second), *verdict);
        assert_eq!(change, *expected, "at second {second}");
    }
}

#[test]
fn it_starts_and_ends_at_the_edges_and_nowhere_else() {
    let quiet = None;
    walk(
        settings(0, 0),
        &[(0, NO, quiet), (1, YES, started(1)), (2, YES, quiet), (3, NO, ended(3)), (4, NO, quiet)],
    );
}

#[test]
fn between_the_two_conditions_of_a_hysteresis_nothing_changes() {
    walk(
        settings(0, 0),
        &[
            (0, BETWEEN, None),
            (1, YES, started(1)),
            (2, BETWEEN, None),
            (3, NO, ended(3)),
            (4, BETWEEN, None),
        ],
    );
}

#[test]
fn where_both_conditions_are_met_it_stays_on() {
    walk(settings(0, 0), &[(0, BOTH, started(0)), (1, BOTH, None), (2, NO, ended(2))]);
}

#[test]
fn a_condition_must_hold_as_long_as_it_says_and_a_break_begins_anew() {
    walk(
        settings(3, 0),
        &[
            (0, YES, None),
            (2, YES, None),
            (3, NO, None),
            (4, YES, None),
            (6, YES, None),
            (7, YES, started(4)),
        ],
    );
}

#[test]
fn the_end_waits_for_its_own_time() {
    walk(
        settings(0, 5),
        &[
            (0, YES, started(0)),
            (1, NO, None),
            (3, YES, None),
            (4, NO, None),
            (8, NO, None),
            (9, NO, ended(4)),
        ],
    );
}

#[test]
fn what_is_not_known_neither_starts_nor_ends_anything() {
    walk(
        settings(0, 0),
        &[
            (0, UNKNOWN, None),
            (1, YES, started(1)),
            (2, UNKNOWN, None),
            (500, UNKNOWN, None),
            (501, NO, ended(501)),
        ],
    );
}

#[test]
fn a_short_unknown_stretch_does_not_break_a_duration_and_a_long_one_does() {
    walk(settings(6, 0), &[(0, YES, None), (2, UNKNOWN, None), (7, YES, started(0))]);
    walk(
        settings(6, 0),
        &[(0, YES, None), (2, UNKNOWN, None), (11, YES, None), (17, YES, started(11))],
    );
}

#[test]
fn a_clock_that_steps_proves_no_duration() {
    walk(settings(5, 0), &[(0, YES, None), (3_600, YES, None), (3_605, YES, started(3_600))]);
    walk(
        settings(5, 0),
        &[(3_600, YES, None), (0, YES, None), (4, YES, None), (5, YES, started(0))],
    );
}

#[test]
fn what_was_saved_in_the_middle_of_a_stretch_goes_on_there() {
    let settings = settings(5, 0);
    let mut trigger = Trigger::default();
    assert_eq!(trigger.step(&settings, at(0), YES), None);
    let saved = serde_json::to_string(&trigger).expect("plain");
    let mut trigger: Trigger = serde_json::from_str(&saved).expect("as saved");
    assert_eq!(trigger.step(&settings, at(5), YES), started(0));
}

proptest! {
    /// Against the plain reading: on at a sample when every known sample of the last `on_for` is
    /// true, no two of them are too far apart, and they reach back far enough.
    #[test]
    fn starts_are_those_of_the_plain_reading(
        steps in prop::collection::vec((1_i64..14, prop::option::of(any::<bool>())), 1..60),
        on_for in 0_u64..12,
    ) {
        let settings = settings(on_for, 0);
        let mut trigger = Trigger::default();
        let mut second = 0;
        let mut seen: Vec<(i64, bool)> = Vec::new();
        for (apart, raise) in steps {
            second += apart;
            // Nothing ends it here: only the first start is compared.
            let change = trigger.step(&settings, at(second), Verdict { raise, clear: Some(false) });
            seen.extend(raise.map(|raise| (second, raise)));
            let mut since = None;
            let mut next: Option<i64> = None;
            for (at, raise) in seen.iter().rev() {
                if !raise || next.is_some_and(|next| next - at > 10) {
                    break;
                }
                since = Some(*at);
                next = Some(*at);
            }
            let is_on = raise == Some(true)
                && since.is_some_and(|since| second - since >= i64::try_from(on_for).expect("small"));
            prop_assert_eq!(change.is_some(), is_on);
            if is_on {
                break;
            }
        }
    }
}
