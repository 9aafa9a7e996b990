use proptest::prelude::*;
use signals::Timestamp;

use super::{Alarm, AlarmState, Senseless, Turn};
use AlarmState::{Acknowledged, Latched, LatchedUnacknowledged, Normal, Returned, Unacknowledged};

const UNTIL: Turn = Turn::Shelved { until: Timestamp::from_micros(1_000_000) };

/// The states that these turns lead through.
fn walk(latches: bool, turns: &[(Turn, AlarmState)]) -> Alarm {
    let mut alarm = Alarm::default();
    for (turn, expected) in turns {
        alarm.take(turn, latches).expect("a turn that makes sense");
        assert_eq!(alarm.state, *expected, "after {turn:?}");
    }
    alarm
}

#[test]
fn an_alarm_that_is_seen_and_then_returns_is_over() {
    walk(
        false,
        &[
            (Turn::Raised, Unacknowledged),
            (Turn::Acknowledged, Acknowledged),
            (Turn::Cleared, Normal),
        ],
    );
}

#[test]
fn an_alarm_that_returns_unseen_stays_until_it_is_acknowledged() {
    walk(
        false,
        &[(Turn::Raised, Unacknowledged), (Turn::Cleared, Returned), (Turn::Acknowledged, Normal)],
    );
    walk(
        false,
        &[
            (Turn::Raised, Unacknowledged),
            (Turn::Cleared, Returned),
            (Turn::Raised, Unacknowledged),
        ],
    );
}

#[test]
fn an_alarm_that_latches_waits_for_its_reset_seen_or_unseen() {
    walk(
        true,
        &[
            (Turn::Raised, Unacknowledged),
            (Turn::Cleared, LatchedUnacknowledged),
            (Turn::Acknowledged, Latched),
            (Turn::Reset, Normal),
            (Turn::Raised, Unacknowledged),
            (Turn::Acknowledged, Acknowledged),
            (Turn::Cleared, Latched),
            (Turn::Raised, Unacknowledged),
        ],
    );
}

#[test]
fn nothing_can_be_acknowledged_twice_or_reset_before_it_was_seen() {
    let mut alarm = Alarm::default();
    let nothing = |state| Err(Senseless::NothingToAcknowledge(state));
    assert_eq!(alarm.take(&Turn::Acknowledged, true), nothing(Normal));
    alarm.take(&Turn::Raised, true).expect("a condition");
    alarm.take(&Turn::Acknowledged, true).expect("there is something");
    assert_eq!(alarm.take(&Turn::Acknowledged, true), nothing(Acknowledged));
    assert_eq!(alarm.take(&Turn::Reset, true), Err(Senseless::NothingToReset(Acknowledged)));
    assert_eq!(alarm.take(&Turn::Unshelved, true), Err(Senseless::NotShelved));
    assert_eq!(alarm.take(&Turn::InService, true), Err(Senseless::InServiceAlready));
}

#[test]
fn silence_hides_an_alarm_and_its_end_makes_it_unacknowledged_again() {
    for (silent, loud) in [
        (UNTIL, Turn::Unshelved),
        (Turn::Suppressed, Turn::Unsuppressed),
        (Turn::OutOfService, Turn::InService),
    ] {
        let mut alarm = walk(
            false,
            &[
                (Turn::Raised, Unacknowledged),
                (Turn::Acknowledged, Acknowledged),
                (silent, Acknowledged),
            ],
        );
        assert!(!alarm.is_told());
        alarm.take(&loud, false).expect("it was silent");
        assert_eq!(alarm.state, Unacknowledged, "nobody who looks now has seen it");
        assert!(alarm.is_told());
    }
}

#[test]
fn what_came_and_went_in_silence_leaves_nothing_to_do() {
    let alarm = walk(
        false,
        &[
            (UNTIL, Normal),
            (Turn::Raised, Unacknowledged),
            (Turn::Cleared, Returned),
            (Turn::Unshelved, Normal),
        ],
    );
    assert!(!alarm.is_told());
}

#[test]
fn one_reason_for_silence_is_enough_for_it() {
    let mut alarm = walk(
        false,
        &[(UNTIL, Normal), (Turn::OutOfService, Normal), (Turn::Raised, Unacknowledged)],
    );
    alarm.take(&Turn::Unshelved, false).expect("shelved");
    assert!(!alarm.is_told(), "still out of service");
    alarm.take(&Turn::InService, false).expect("out of service");
    assert!(alarm.is_told());
}

fn turn() -> impl Strategy<Value = Turn> {
    prop::sample::select(vec![
        Turn::Raised,
        Turn::Cleared,
        Turn::Acknowledged,
        Turn::Reset,
        UNTIL,
        Turn::Unshelved,
        Turn::Suppressed,
        Turn::Unsuppressed,
        Turn::OutOfService,
        Turn::InService,
    ])
}

proptest! {
    /// What every engineer may rely on, whatever happens in whatever order.
    #[test]
    fn the_promises_of_an_alarm_hold_for_all_turns(
        turns in prop::collection::vec(turn(), 0..60),
        latches: bool,
    ) {
        let mut alarm = Alarm::default();
        for turn in turns {
            let before = alarm.clone();
            let taken = alarm.take(&turn, latches);
            // AL-2: what makes no sense changes nothing, and no condition is ever refused.
            if taken.is_err() {
                prop_assert_eq!(&alarm, &before);
                prop_assert!(!matches!(turn, Turn::Raised | Turn::Cleared));
            }
            // A condition that is met is never forgotten.
            let open = matches!(alarm.state, Unacknowledged | Acknowledged);
            prop_assert_eq!(alarm.is_met, open, "{:?} {:?}", alarm, turn);
            // Only a person turns an alarm that wants an answer into one that does not, or the end
            // of a silence in which it went.
            if before.state.wants_acknowledgement() && !alarm.state.wants_acknowledgement() {
                let ends_silence = before.is_silent() && !alarm.is_silent();
                prop_assert!(turn == Turn::Acknowledged || ends_silence, "{:?}", turn);
            }
            // A latch is left by a reset or by the condition alone.
            if before.state == Latched && alarm.state != Latched {
                prop_assert!(matches!(turn, Turn::Reset | Turn::Raised));
            }
            if !latches {
                prop_assert!(!matches!(alarm.state, Latched | LatchedUnacknowledged));
            }
            // Raised anew: nobody has seen it.
            if turn == Turn::Raised && !before.is_met {
                prop_assert_eq!(alarm.state, Unacknowledged);
            }
            // In every state, a restart goes on where it was.
            let saved = serde_json::to_string(&alarm).expect("plain");
            let again: Alarm = serde_json::from_str(&saved).expect("as saved");
            prop_assert_eq!(&again, &alarm);
        }
    }
}
