use signals::Timestamp;

use super::{Events, Points, average_precision, stretches, vus_pr};

fn labels() -> Vec<bool> {
    (0..600).map(|row| (100..140).contains(&row) || (450..500).contains(&row)).collect()
}

/// A deterministic score that knows a little.
fn scores() -> Vec<f64> {
    let wander = |row: usize| crate::real(row * 7_919 % 101) / 100.0;
    (0..600)
        .map(|row| wander(row) + if labels()[row] && row % 3 != 0 { 0.7 } else { 0.0 })
        .collect()
}

#[test]
fn stretches_have_their_first_and_last_rows() {
    assert_eq!(stretches(&[true, true, false, true]), [(0, 1), (3, 3)]);
    assert_eq!(stretches(&[]), []);
}

#[test]
fn nothing_to_find_or_nothing_else_has_no_volume() {
    assert_eq!(vus_pr(&[0.1, 0.2], &[false, false], 100), None);
    assert_eq!(vus_pr(&[0.1, 0.2], &[true, true], 100), None);
    assert_eq!(average_precision(&[0.1], &[false]), None);
}

/// What `vus_pr` and `auc_pr` of the reference implementation in Python (TSB-AD's definition,
/// numpy) give for the same lists.
#[test]
fn volume_and_precision_are_those_of_the_reference_implementation() {
    for (range, wanted) in [(100, VUS_100), (0, VUS_0)] {
        let found = vus_pr(&scores(), &labels(), range).unwrap();
        assert!((found - wanted).abs() < 1e-9, "{range}: {found}");
    }
    let found = average_precision(&scores(), &labels()).unwrap();
    assert!((found - PRECISION).abs() < 1e-9, "{found}");
}

const VUS_100: f64 = 0.749_458_019_958_299_4;
const VUS_0: f64 = 0.652_214_480_452_266_2;
const PRECISION: f64 = 0.654_382_757_177_512_6;

#[test]
fn an_alarm_that_stands_when_an_event_begins_is_no_hit() {
    let ts: Vec<Timestamp> = (0..600).map(|s| Timestamp::from_micros(s * 1_000_000)).collect();
    let standing: Vec<bool> = (0..600).map(|row| row > 20).collect();
    let mut events = Events::default();
    events.add(&ts, &standing, &labels());
    assert_eq!((events.events, events.hits, events.false_episodes), (2, 0, 1));
    let prompt: Vec<bool> = (0..600).map(|row| (105..130).contains(&row) || row == 250).collect();
    let mut events = Events::default();
    events.add(&ts, &prompt, &labels());
    assert_eq!((events.events, events.hits, events.false_episodes), (2, 1, 1));
    assert_eq!(events.delay_s(), Some(5.0));
}

#[test]
fn alarms_less_than_a_minute_apart_are_one_episode() {
    let ts: Vec<Timestamp> = (0..600).map(|s| Timestamp::from_micros(s * 1_000_000)).collect();
    let nervous: Vec<bool> = (0..600).map(|row| row % 50 == 0 && row > 150 && row < 440).collect();
    let mut events = Events::default();
    events.add(&ts, &nervous, &labels());
    assert_eq!(events.false_episodes, 1);
}

#[test]
fn points_are_counted_by_what_was_said_and_what_was_so() {
    let mut points = Points::default();
    points.add(&[true, true, false, false, false], &[true, false, true, false, false]);
    assert_eq!(points, Points { hits: 1, false_alarms: 1, missed: 1, quiet: 2 });
    assert!((points.f1() - 0.5).abs() < 1e-12 && (points.missed_percent() - 50.0).abs() < 1e-12);
    assert!((points.false_alarm_percent() - 100.0 / 3.0).abs() < 1e-12);
}
