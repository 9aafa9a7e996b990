use tokio::time::Instant;

use super::{
    ECHO, LOST_AFTER, LOST_AFTER_ECHO, Outstanding, PACE, ReadPdu, SHAPES_MAX, Step, Wanted,
};
use crate::wire::rtu::shape::{Frame, Shape};
use crate::wire::trace::Fate;

fn read(start: u8, count: u8) -> (ReadPdu, Shape) {
    let pdu = [3, 0, start, 0, count];
    (pdu, Shape::of(1, &pdu).unwrap())
}

fn echo() -> Shape {
    Shape::of(1, &[ECHO, 0, 0, 0, 7]).unwrap()
}

fn wanted<'a>(shape: &'a Shape, pdu: &'a [u8]) -> Wanted<'a> {
    Wanted { shape, pdu, may_echo: true, is_paced: false }
}

/// The step before a read, on a line where function 8 can be told from an echo.
fn step(outstanding: &mut Outstanding, (pdu, shape): (ReadPdu, Shape), now: Instant) -> Step {
    outstanding.step(&wanted(&shape, &pdu), now)
}

#[test]
fn a_read_of_another_length_goes_out_at_once_and_settles_the_older_one() {
    let (mut outstanding, now) = (Outstanding::default(), Instant::now());
    let (four, two) = (read(0, 4), read(0, 2));
    assert!(outstanding.ask(&four.1, now));
    assert_eq!(step(&mut outstanding, two, now), Step::Ask);
    assert!(!outstanding.ask(&two.1, now), "a refusal could be that of the older read");
    outstanding.answered(&two.1, true);
    assert_eq!(step(&mut outstanding, four, now), Step::Ask);
}

#[test]
fn the_fence_is_a_read_that_was_answered_before_else_the_least_part_of_the_read() {
    let (mut outstanding, now) = (Outstanding::default(), Instant::now());
    let four = read(0, 4);
    outstanding.ask(&four.1, now);
    assert_eq!(step(&mut outstanding, four, now), Step::Read(read(0, 1).0));
    outstanding.ask(&read(0, 1).1, now);
    assert_eq!(step(&mut outstanding, four, now), Step::Read(read(0, 2).0));
    outstanding.knows(1, read(9, 30).0);
    outstanding.knows(1, read(9, 20).0);
    assert_eq!(step(&mut outstanding, four, now), Step::Read(read(9, 20).0));
    outstanding.knows(1, [6, 0, 9, 0, 1]);
    assert_eq!(step(&mut outstanding, four, now), Step::Read(read(9, 20).0), "6 writes");
}

#[test]
fn bits_are_cut_by_bytes() {
    let (mut outstanding, now) = (Outstanding::default(), Instant::now());
    for (count, step) in [(20, Step::Read([1, 0, 0, 0, 8])), (8, Step::Echo)] {
        let pdu = [1, 0, 0, 0, count];
        let shape = Shape::of(1, &pdu).unwrap();
        outstanding.ask(&shape, now);
        assert_eq!(outstanding.step(&wanted(&shape, &pdu), now), step, "{count} coils");
    }
}

#[test]
fn a_single_register_has_function_8_and_where_that_is_ignored_time() {
    let (mut outstanding, now) = (Outstanding::default(), Instant::now());
    let one = read(0, 1);
    outstanding.ask(&one.1, now);
    assert_eq!(step(&mut outstanding, one, now), Step::Echo);
    let lost_at = now + LOST_AFTER;
    let unsure = outstanding.step(&Wanted { may_echo: false, ..wanted(&one.1, &one.0) }, now);
    assert_eq!(unsure, Step::Wait(lost_at), "an echo could pass for function 8");
    for _ in 0..2 {
        outstanding.ask(&echo(), now);
        outstanding.ask(&read(0, 2).1, now);
        outstanding.answered(&read(0, 2).1, true);
        outstanding.ask(&one.1, now);
    }
    assert_eq!(step(&mut outstanding, one, now), Step::Wait(lost_at), "it ignores function 8");
    assert_eq!(step(&mut outstanding, one, lost_at), Step::Ask);
}

#[test]
fn only_a_unit_that_answers_what_came_after_function_8_ignores_it() {
    let (mut outstanding, now) = (Outstanding::default(), Instant::now());
    let one = read(0, 1);
    outstanding.ask(&one.1, now);
    for _ in 0..20 {
        assert_eq!(step(&mut outstanding, one, now), Step::Echo, "it may just be silent");
        outstanding.ask(&echo(), now);
    }
}

#[test]
fn where_function_8_has_worked_it_is_insisted_on_for_minutes() {
    let (mut outstanding, now) = (Outstanding::default(), Instant::now());
    let one = read(0, 1);
    outstanding.ask(&echo(), now);
    outstanding.answered(&echo(), true);
    outstanding.ask(&one.1, now);
    assert_eq!(step(&mut outstanding, one, now + LOST_AFTER * 2), Step::Echo);
    assert_eq!(step(&mut outstanding, one, now + LOST_AFTER + LOST_AFTER_ECHO), Step::Ask);
}

#[test]
fn a_second_answer_and_one_to_nobody_make_their_requests_doubtful() {
    let (mut outstanding, now) = (Outstanding::default(), Instant::now());
    let (four, frame) = (read(0, 4), Frame { unit: 1, function: 3, length: 13 });
    outstanding.answered(&four.1, true);
    let fate = outstanding.stray(&frame, None, now);
    assert_eq!(fate, Fate::Duplicate);
    assert_eq!(step(&mut outstanding, four, now), Step::Read(read(0, 1).0));
    let other = Frame { unit: 2, function: 4, length: 9 };
    assert_eq!(outstanding.stray(&other, None, now), Fate::Foreign);
    let pdu = [4, 0, 0, 0, 2];
    let shape = Shape::of(2, &pdu).unwrap();
    assert_eq!(outstanding.step(&wanted(&shape, &pdu), now), Step::Read([4, 0, 0, 0, 1]));
}

#[test]
fn what_was_heard_of_a_unit_before_it_is_asked_first_can_pass_for_none_of_its_answers() {
    let (mut outstanding, now) = (Outstanding::default(), Instant::now());
    for bytes in [4, 6] {
        let frame = Frame { unit: 1, function: 3, length: 5 + bytes };
        assert_eq!(outstanding.stray(&frame, None, now), Fate::Foreign);
    }
    assert_eq!(step(&mut outstanding, read(0, 2), now), Step::Read(read(0, 1).0));
    assert_eq!(step(&mut outstanding, read(0, 3), now), Step::Read(read(0, 1).0));
    assert_eq!(step(&mut outstanding, read(0, 4), now), Step::Ask);
    for bytes in 1..=60 {
        outstanding.stray(&Frame { unit: 2, function: 3, length: 5 + 2 * bytes }, None, now);
    }
    let pdu = [3, 0, 0, 0, 99];
    let shape = Shape::of(2, &pdu).unwrap();
    assert_eq!(outstanding.step(&wanted(&shape, &pdu), now), Step::Echo, "any may come");
    assert_eq!(outstanding.step(&wanted(&shape, &pdu), now + LOST_AFTER), Step::Ask);
}

/// The step before a read on a serial line.
fn paced(outstanding: &mut Outstanding, (pdu, shape): (ReadPdu, Shape), now: Instant) -> Step {
    outstanding.step(&Wanted { is_paced: true, ..wanted(&shape, &pdu) }, now)
}

#[test]
fn a_silent_unit_on_a_serial_line_is_asked_a_few_times_and_then_at_a_pace() {
    let (mut outstanding, now) = (Outstanding::default(), Instant::now());
    for (count, other, burst) in [(2, 3, 2), (9, 10, 5), (124, 125, 12)] {
        let many = read(0, count);
        outstanding.answered(&many.1, true);
        for asked in 0..burst {
            let step = paced(&mut outstanding, many, now);
            let pdu = if let Step::Read(pdu) = step { pdu } else { many.0 };
            assert!(matches!(step, Step::Ask | Step::Read(_)), "{asked}: {step:?}");
            outstanding.ask(&Shape::of(1, &pdu).unwrap(), now);
        }
        let next = now + PACE;
        if count > 2 {
            assert_eq!(paced(&mut outstanding, many, now), Step::Wait(next), "{count}");
            assert_eq!(paced(&mut outstanding, read(9, other), now), Step::Wait(next), "any shape");
            assert!(matches!(paced(&mut outstanding, many, next), Step::Read(_)));
        } else {
            assert_eq!(paced(&mut outstanding, many, now), Step::Echo, "no read is left");
        }
        assert_eq!(step(&mut outstanding, read(9, other), now), Step::Ask, "no pace over TCP");
    }
}

#[test]
fn a_unit_that_is_known_to_answer_function_8_is_asked_for_that_at_no_pace() {
    let (mut outstanding, now) = (Outstanding::default(), Instant::now());
    outstanding.ask(&echo(), now);
    outstanding.answered(&echo(), true);
    for count in 1..=12 {
        outstanding.ask(&read(0, count).1, now);
    }
    assert_eq!(paced(&mut outstanding, read(0, 1), now), Step::Echo);
    assert_eq!(paced(&mut outstanding, read(0, 100), now), Step::Echo);
}

#[test]
fn a_late_answer_settles_its_request_and_all_older_ones_and_a_late_refusal_none() {
    let (mut outstanding, now) = (Outstanding::default(), Instant::now());
    let reads = [read(0, 4), read(0, 1), read(0, 2)];
    for (_, shape) in &reads {
        outstanding.ask(shape, now);
    }
    let refusal = Frame { unit: 1, function: 0x83, length: 5 };
    assert_eq!(outstanding.stray(&refusal, None, now), Fate::Late);
    assert_eq!(step(&mut outstanding, reads[0], now), Step::Read(read(0, 3).0));
    let one = Frame { unit: 1, function: 3, length: 7 };
    assert_eq!(outstanding.stray(&one, None, now), Fate::Late);
    assert_eq!(step(&mut outstanding, reads[0], now), Step::Ask, "older");
    assert_eq!(step(&mut outstanding, reads[1], now), Step::Ask, "answered");
    assert_eq!(step(&mut outstanding, reads[2], now), Step::Read(read(0, 1).0), "newer");
    let two = Frame { unit: 1, function: 3, length: 9 };
    assert_eq!(outstanding.stray(&two, Some(&reads[2].1), now), Fate::Foreign, "in flight");
}

#[test]
fn a_late_answer_does_not_settle_a_function_8_that_was_asked_after_it() {
    let (mut outstanding, now) = (Outstanding::default(), Instant::now());
    outstanding.ask(&echo(), now);
    outstanding.ask(&read(0, 4).1, now);
    outstanding.ask(&echo(), now);
    let four = Frame { unit: 1, function: 3, length: 13 };
    assert_eq!(outstanding.stray(&four, None, now), Fate::Late);
    assert!(!outstanding.ask(&echo(), now), "its refusal may be that of the one before");
}

#[test]
fn a_late_refusal_settles_the_only_request_that_it_can_be_of() {
    let (mut outstanding, now) = (Outstanding::default(), Instant::now());
    let one = read(0, 1);
    outstanding.ask(&one.1, now);
    let refusal = Frame { unit: 1, function: 0x83, length: 5 };
    assert_eq!(outstanding.stray(&refusal, Some(&one.1), now), Fate::Foreign, "in flight");
    assert_eq!(step(&mut outstanding, one, now), Step::Echo);
    assert_eq!(outstanding.stray(&refusal, None, now), Fate::Late);
    assert_eq!(step(&mut outstanding, one, now), Step::Ask);
}

#[test]
fn memory_is_bounded_and_what_does_not_fit_makes_every_answer_doubtful() {
    let (mut outstanding, now) = (Outstanding::default(), Instant::now());
    for count in 1..=125 {
        outstanding.ask(&read(0, count).1, now);
    }
    let kept: usize = outstanding.units.values().map(|unit| unit.open.len()).sum();
    assert_eq!(kept, SHAPES_MAX);
    let coil = [1, 0, 0, 0, 1];
    let shape = Shape::of(1, &coil).unwrap();
    assert_eq!(outstanding.step(&wanted(&shape, &coil), now), Step::Echo);
    outstanding.ask(&echo(), now);
    outstanding.answered(&echo(), true);
    assert_eq!(outstanding.step(&wanted(&shape, &coil), now), Step::Ask);
}
