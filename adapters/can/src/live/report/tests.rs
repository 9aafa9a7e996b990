use std::sync::{Arc, Mutex};

use signals::{Batch, Intake};

use super::*;
use crate::live::errors::Cause;

/// Keeps what it is told.
#[derive(Default)]
struct Desk(Mutex<Vec<Notice>>);

impl Intake for Desk {
    fn offer(&self, batch: Batch) -> Result<(), Box<Batch>> {
        Err(Box::new(batch))
    }

    fn tell(&self, notice: Notice) -> Result<(), Box<Notice>> {
        self.0.lock().unwrap().push(notice);
        Ok(())
    }
}

impl Desk {
    fn events(&self) -> Vec<Event> {
        let all = self.0.lock().unwrap();
        let event = |notice: &Notice| match notice {
            Notice::Event(event) => Some(event.clone()),
            Notice::Gap(_) => None,
        };
        all.iter().filter_map(event).collect()
    }

    fn gaps(&self) -> Vec<Gap> {
        let all = self.0.lock().unwrap();
        let gap = |notice: &Notice| match notice {
            Notice::Gap(gap) => Some(gap.clone()),
            Notice::Event(_) => None,
        };
        all.iter().filter_map(gap).collect()
    }
}

fn reporter() -> (Arc<Desk>, Reporter) {
    let desk = Arc::new(Desk::default());
    let notices = Notices::new(Arc::<Desk>::clone(&desk));
    (desk, Reporter::new("Truck", "can0", notices))
}

fn at(millis: u64) -> Moment {
    let steady = Duration::from_millis(millis);
    Moment { wall: Timestamp::default().plus(steady), steady }
}

fn enter(reporter: &mut Reporter, state: BusState, millis: u64) {
    reporter.state(state, None, (at(millis), json!({ "tec": 0 })));
}

#[test]
fn every_state_is_told_once_in_order_and_the_time_without_frames_is_one_gap() {
    let (desk, mut reporter) = reporter();
    let states = [BusState::Active, BusState::Active, BusState::Down, BusState::Absent];
    for (state, second) in states.into_iter().zip(0..) {
        enter(&mut reporter, state, second * 1_000);
    }
    enter(&mut reporter, BusState::Active, 5_000);
    let told: Vec<_> = desk.events().iter().map(|e| e.details["to"].clone()).collect();
    assert_eq!(told, ["active", "down", "absent", "active"]);
    assert_eq!(desk.events()[1].severity, Severity::Alarm);
    let gaps = desk.gaps();
    let Gap { table, start, end, cause, detail } = &gaps[0];
    assert_eq!((gaps.len(), table.as_str(), *cause), (1, "truck_*", "interface_down"));
    assert_eq!((*start, *end), (Some(at(2_000).wall), Some(at(5_000).wall)));
    assert_eq!(detail, "can0 was down, then absent");
}

#[test]
fn a_gap_begins_with_the_last_frame_and_ends_at_the_stop_at_the_latest() {
    let (desk, mut reporter) = reporter();
    reporter.state(BusState::BusOff, Some(at(700).wall), (at(1_000), Value::Null));
    assert!(desk.gaps().is_empty());
    reporter.finish(at(9_000));
    let gaps = desk.gaps();
    assert_eq!((gaps[0].start, gaps[0].end), (Some(at(700).wall), Some(at(9_000).wall)));
    assert_eq!(gaps[0].cause, "bus_off");
}

#[test]
fn a_bus_that_flaps_writes_a_bounded_number_of_rows_and_ends_in_the_state_it_has() {
    let (desk, mut reporter) = reporter();
    for millis in 0..10_000 {
        let state = if millis % 2 == 0 { BusState::BusOff } else { BusState::Active };
        enter(&mut reporter, state, millis);
    }
    let events = desk.events().len();
    assert!(events <= 31, "{events} rows in ten seconds");
    assert!(desk.gaps().len() <= 31);
    enter(&mut reporter, BusState::Passive, 12_000);
    let last = desk.events().pop().unwrap();
    assert_eq!(last.details["to"], "passive");
    let untold = last.details["untold_changes"].as_u64().unwrap();
    assert!(untold > 100, "{untold}");
}

#[test]
fn the_lost_frames_of_one_burst_are_one_event_and_one_gap() {
    let (desk, mut reporter) = reporter();
    for (frames, millis) in [(100, 1_000), (20, 1_200), (3, 1_900)] {
        reporter.lost(Stage::Socket, frames, (at(900).wall, at(millis)));
        reporter.settle(at(millis));
    }
    assert!(desk.events().is_empty(), "it may go on");
    reporter.settle(at(2_900));
    reporter.settle(at(9_000));
    let (events, gaps) = (desk.events(), desk.gaps());
    assert_eq!((events.len(), gaps.len()), (1, 1));
    assert_eq!(events[0].details["frames"], 123);
    assert_eq!((gaps[0].start, gaps[0].end), (Some(at(900).wall), Some(at(1_900).wall)));
    assert_eq!(gaps[0].cause, "rx_queue_overflow");
    reporter.lost(Stage::Controller, 1, (at(9_000).wall, at(9_100)));
    reporter.finish(at(9_200));
    assert_eq!(desk.gaps()[1].cause, "controller_overrun");
}

#[test]
fn a_loss_without_end_is_told_once_a_minute() {
    let (desk, mut reporter) = reporter();
    for second in 0..180 {
        reporter.lost(Stage::Socket, 1, (at(second * 1_000).wall, at(second * 1_000)));
        reporter.settle(at(second * 1_000));
    }
    assert_eq!(desk.events().len(), 2);
    reporter.finish(at(180_000));
    let frames: Vec<_> =
        desk.events().iter().map(|e| e.details["frames"].as_u64().unwrap()).collect();
    assert_eq!(frames.iter().sum::<u64>(), 180, "{frames:?}");
}

#[test]
fn a_storm_of_error_frames_is_two_events_with_its_causes() {
    let (desk, mut reporter) = reporter();
    let mut counts = CauseCounts::default();
    for second in 0..20 {
        let rate = if second < 10 { 10_000.0 } else { 0.0 };
        if second < 10 {
            (0..100).for_each(|_| counts.count(Cause::Stuff));
        }
        reporter.errors(&counts, rate, at(second * 1_000));
    }
    let events = desk.events();
    let kinds: Vec<_> = events.iter().map(|e| e.kind.as_str()).collect();
    assert_eq!(kinds, ["can_error_storm", "can_error_storm_ended"]);
    assert_eq!(events[1].details["causes"], json!({ "stuff": 900 }));
}

#[test]
fn a_step_of_the_clock_is_an_event_with_its_size() {
    let (desk, mut reporter) = reporter();
    reporter.clock_step(-3_600_000_000, at(1_000));
    let event = desk.events().pop().unwrap();
    assert_eq!(
        (event.kind.as_str(), &event.details["step_us"]),
        ("clock_step", &json!(-3_600_000_000_i64))
    );
    assert!(event.message.contains("back by 3600s"), "{}", event.message);
}
