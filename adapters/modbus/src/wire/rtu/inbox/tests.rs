use super::{FRAME_MAX, Found, Frame, Inbox, Wanted};
use crate::wire::crc::crc;
use crate::wire::rtu::shape::Shape;

fn inbox(bytes: &[u8]) -> Inbox {
    let mut inbox = Inbox::new();
    inbox.room()[..bytes.len()].copy_from_slice(bytes);
    inbox.came(bytes.len());
    inbox
}

fn frame(bytes: &[u8]) -> Vec<u8> {
    [bytes, &crc(bytes).to_le_bytes()].concat()
}

/// Two holding registers of unit 1.
fn two() -> Shape {
    Shape::of(1, &[3, 0, 0, 0, 2]).unwrap()
}

fn wanted(shape: &Shape, quiet: bool) -> Wanted<'_> {
    Wanted { shape, echo: None, quiet }
}

#[test]
fn an_answer_behind_a_head_of_noise_waits_until_the_line_is_quiet() {
    let (shape, refusal) = (two(), frame(&[1, 0x83, 2]));
    let mut inbox = inbox(&[&[1, 3, 4], refusal.as_slice()].concat());
    let waits = Found::Nothing { blocked: true, damaged: 0 };
    assert_eq!(inbox.scan(Some(wanted(&shape, false))), waits);
    assert_eq!(inbox.scan(Some(wanted(&shape, false))), waits, "nothing new has come");
    assert_eq!(inbox.scan(Some(wanted(&shape, true))), Found::Answer(3..8));
}

#[test]
fn the_frame_of_another_unit_is_taken_whole_with_the_answer_that_it_holds() {
    let inner = frame(&[1, 3, 4, 0, 1, 0, 2]);
    let outer = frame(&[[9, 3, 10].as_slice(), &inner, &[0]].concat());
    let mut inbox = inbox(&[[0xFF].as_slice(), &outer].concat());
    let stray = Found::Stray(1, Frame { unit: 9, function: 3, length: 15 });
    assert_eq!(inbox.scan(Some(wanted(&two(), false))), stray);
    inbox.take(&(1..16));
    assert_eq!(
        (inbox.take_dropped(), inbox.scan(None)),
        (1, Found::Nothing { blocked: false, damaged: 0 })
    );
}

#[test]
fn noise_is_dropped_but_for_what_may_become_a_frame() {
    let mut inbox = inbox(&[0x55; 300]);
    inbox.scan(Some(wanted(&two(), false)));
    assert_eq!(inbox.take_dropped(), 299, "the last may be the first of an answer");
    for _ in 0..100 {
        let room = inbox.room();
        assert!(room.len() >= FRAME_MAX);
        // Every place looks like the beginning of a long answer.
        room.fill(3);
        let count = room.len();
        inbox.came(count);
        inbox.scan(Some(wanted(&two(), false)));
        assert!(inbox.len <= FRAME_MAX);
    }
}
