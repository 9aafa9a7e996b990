use std::time::Duration;

use signals::Timestamp;

use super::{Learner, Lessons, Place, REST};
use crate::area::{Address, Area};
use crate::plan::Span;
use crate::scan::{Cut, Limits, Read};

const NOON: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

fn read(start: u16, count: u16) -> Read {
    Read { area: Area::Holding, start, count }
}

fn cut(whole: Read, before: (u16, u16), after: (u16, u16)) -> Cut {
    let span = |(start, count)| Span { start, count };
    Cut { whole, before: span(before), after: span(after) }
}

/// Answers trials as a device does; returns how many there were.
fn try_all(learner: &mut Learner, is_answered: impl Fn(Read) -> bool) -> usize {
    let mut trials = 0;
    while let Some(read) = learner.trial() {
        learner.tried(is_answered(read));
        trials += 1;
    }
    trials
}

#[test]
fn an_undeclared_limit_is_found_exactly() {
    let mut learner = Learner::default();
    (0..4).for_each(|part| assert!(!learner.answered(read(part * 20, 20))));
    let cuts = [
        cut(read(0, 80), (39, 1), (40, 1)),
        cut(read(0, 40), (19, 1), (20, 1)),
        cut(read(40, 40), (59, 1), (60, 1)),
    ];
    learner.take(&cuts, NOON);
    let trials = try_all(&mut learner, |read| read.count <= 32);
    assert_eq!(learner.lessons.registers_max, Some(32));
    assert!(learner.lessons.holes.is_empty() && learner.lessons.borders.is_empty());
    assert!(trials <= 7, "{trials} trials");
}

#[test]
fn a_hole_between_values_is_told_from_one_among_the_values() {
    let lacks =
        |read: Read| (read.start..read.start + read.count).any(|a| matches!(a, 10..14 | 20..25));
    let mut learner = Learner::default();
    learner.answered(read(0, 10));
    learner.answered(read(14, 6));
    learner.lacks(read(22, 1), (NOON, Duration::ZERO));
    let cuts = [
        cut(read(0, 29), (8, 2), (14, 1)),
        cut(read(14, 15), (18, 2), (22, 1)),
        cut(read(22, 7), (22, 1), (25, 4)),
    ];
    learner.take(&cuts, NOON);
    assert_eq!(try_all(&mut learner, |read| !lacks(read)), 2);
    let Lessons { registers_max, holes, missing, .. } = learner.lessons;
    assert_eq!((registers_max, holes, missing), (None, vec![read(10, 4)], vec![read(22, 1)]));
}

#[test]
fn a_device_that_does_not_read_over_an_inner_border_teaches_the_border() {
    let mut learner = Learner::default();
    learner.answered(read(100, 60));
    learner.take(&[cut(read(0, 20), (9, 1), (10, 1))], NOON);
    learner.tried(false);
    assert_eq!(learner.trial(), None, "longer reads are answered: length is not the cause");
    assert_eq!(learner.lessons.borders, [Address { area: Area::Holding, offset: 10 }]);
}

#[test]
fn refusals_that_do_not_come_again_teach_nothing() {
    let mut learner = Learner::default();
    learner.answered(read(0, 10));
    learner.take(&[cut(read(0, 20), (9, 1), (12, 1))], NOON);
    assert_eq!(learner.trial(), Some(read(0, 20)));
    assert_eq!(try_all(&mut learner, |_| true), 1);
    assert!(learner.lessons.is_empty());
}

#[test]
fn a_missing_value_rests_and_is_believed_when_it_answers_again() {
    let mut learner = Learner::default();
    let missing = read(7, 2);
    learner.lacks(missing, (NOON, Duration::from_secs(5)));
    assert!(learner.rests(missing, Duration::from_secs(6)));
    assert!(!learner.rests(missing, Duration::from_secs(5) + REST));
    assert!(learner.answered(missing));
    assert!(learner.lessons.is_empty() && learner.is_new);
}

#[test]
fn lessons_outlive_a_restart_and_are_not_believed_of_another_device() {
    let lessons = Lessons {
        registers_max: Some(32),
        bits_max: None,
        holes: vec![read(10, 4)],
        missing: vec![read(22, 1)],
        borders: vec![Address { area: Area::Input, offset: 9 }],
        since: Some(NOON),
    };
    let place = Place { device: "Pump 3".to_owned(), line: "10.0.0.5:502".to_owned(), unit: 3 };
    let page = lessons.to_page(&place);
    assert_eq!(Lessons::of_page(&page, &place), Some(lessons.clone()));
    assert_eq!(place.page(), "modbus_pump_3");
    let other = Place { unit: 4, ..place };
    assert_eq!(Lessons::of_page(&page, &other), None);
    assert_eq!(Lessons::of_page("not a page", &other), None);
    assert_eq!(
        lessons.told(),
        "at most 32 registers at once; lacks holding:10-13, holding:22; \
         no read over the start of input:9"
    );
}

#[test]
fn what_was_learned_narrows_what_was_configured_and_never_widens_it() {
    let lessons =
        Lessons { registers_max: Some(100), holes: vec![read(3, 2)], ..Lessons::default() };
    let hole = Address { area: Area::Holding, offset: 4 };
    let configured = Limits {
        registers_max: 64,
        bits_max: 2000,
        holes: vec![hole],
        cost: crate::plan::CostModel::network(Duration::from_millis(1)),
    };
    let within = lessons.within(&configured);
    assert_eq!((within.registers_max, within.holes.len()), (64, 2));
}
