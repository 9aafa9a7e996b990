use std::time::Duration;

use tokio::time::Instant;

use super::DepthControl;
use crate::config::Depth;
use crate::wire::{Fault, Outcome, Strays};

/// A device in front of a controller: what it makes of requests at a depth.
struct Line {
    control: DepthControl,
    now: Instant,
    strays: Strays,
}

impl Line {
    fn new(depth: Depth) -> Self {
        Self { control: DepthControl::new(depth), now: Instant::now(), strays: Strays::default() }
    }

    /// A round of 32 requests that take `each` per request; `fault` is what one of them gets.
    fn round(&mut self, each: Duration, fault: Option<Fault>) {
        let (sent, ended) = (self.now, self.now + 32 * each);
        let outcome = Outcome { words: Ok(0..1), sent: Some(sent), ended };
        let mut outcomes = vec![outcome; 32];
        if let Some(fault) = fault {
            outcomes[5].words = Err(fault);
        }
        self.now = ended;
        self.control.note(&outcomes, self.strays);
    }

    /// Rounds of a device that takes as many requests at once as `room`, a millisecond each.
    fn rounds(&mut self, count: usize, room: usize) {
        for _ in 0..count {
            let together = u32::try_from(self.control.depth().min(room)).unwrap();
            self.round(Duration::from_millis(1) / together, None);
        }
    }
}

#[test]
fn auto_rises_to_the_depth_that_still_makes_requests_faster() {
    for (room, settles_at) in [(1, 1), (2, 2), (4, 4), (8, 8), (16, 16), (64, 16)] {
        let mut line = Line::new(Depth::Auto);
        assert_eq!(line.control.depth(), 1);
        line.rounds(40, room);
        assert_eq!(line.control.depth(), settles_at, "a device with room for {room}");
    }
}

#[test]
fn a_declared_depth_stays_whatever_the_speed() {
    let mut line = Line::new(Depth::Fixed(4));
    line.rounds(40, 1);
    assert_eq!(line.control.depth(), 4);
}

#[test]
fn a_device_that_refuses_overlapping_requests_is_spared_for_a_day() {
    let faults = [Fault::Exception(6), Fault::Quantity, Fault::Unit(9), Fault::Framing("")];
    for fault in faults {
        for depth in [Depth::Fixed(4), Depth::Auto] {
            let mut line = Line::new(depth);
            line.rounds(8, 16);
            assert!(line.control.depth() > 1);
            line.round(Duration::from_millis(1), Some(fault));
            line.rounds(100, 16);
            assert_eq!(line.control.depth(), 1);
            line.now += Duration::from_hours(24);
            line.rounds(20, 16);
            assert!(line.control.depth() > 1);
        }
    }
}

#[test]
fn an_id_that_was_never_sent_counts_as_a_refusal_and_other_exceptions_do_not() {
    let mut line = Line::new(Depth::Fixed(4));
    line.round(Duration::from_millis(1), Some(Fault::Exception(2)));
    assert_eq!(line.control.depth(), 4);
    line.strays.foreign = 1;
    line.rounds(1, 4);
    assert_eq!(line.control.depth(), 1);
}

#[test]
fn timeouts_that_go_away_at_depth_1_are_the_depth_s_fault() {
    let mut line = Line::new(Depth::Fixed(4));
    line.round(Duration::from_millis(1), Some(Fault::Timeout));
    assert_eq!(line.control.depth(), 1);
    line.rounds(20, 1);
    assert_eq!(line.control.depth(), 1);
    line.now += Duration::from_hours(1);
    line.rounds(1, 1);
    assert_eq!(line.control.depth(), 4);
}

#[test]
fn the_third_connection_in_an_hour_that_ends_is_the_depth_s_fault_and_one_a_day_is_not() {
    let mut line = Line::new(Depth::Fixed(4));
    for _ in 0..5 {
        line.round(Duration::from_millis(1), Some(Fault::Closed));
        assert_eq!(line.control.depth(), 4);
        line.now += Duration::from_hours(24);
    }
    for wanted in [4, 4, 1] {
        line.round(Duration::from_millis(1), Some(Fault::Closed));
        assert_eq!(line.control.depth(), wanted);
    }
}

#[test]
fn timeouts_that_stay_at_depth_1_are_not_the_depth_s_fault() {
    let mut line = Line::new(Depth::Fixed(4));
    line.round(Duration::from_millis(1), Some(Fault::Timeout));
    line.round(Duration::from_millis(1), Some(Fault::Timeout));
    for _ in 0..10 {
        assert_eq!(line.control.depth(), 4);
        line.round(Duration::from_millis(1), Some(Fault::Timeout));
    }
}

#[test]
fn rounds_without_more_requests_than_the_depth_teach_nothing() {
    let mut line = Line::new(Depth::Auto);
    for _ in 0..1000 {
        let outcome = Outcome { words: Ok(0..1), sent: Some(line.now), ended: line.now };
        line.control.note(&[outcome], Strays::default());
        line.control.note(&[], Strays::default());
    }
    assert_eq!(line.control.depth(), 1);
}
