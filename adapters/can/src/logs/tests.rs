use std::io::Cursor;

use signals::Timestamp;

use super::*;
use crate::frame::{FD_RATE_SWITCHED, FD_SENDER_PASSIVE, FrameKind, PAYLOAD_BYTES_MAX};

fn read(text: &str) -> (Vec<Frame>, LogReader) {
    let mut reader = LogReader::new(Box::new(Cursor::new(text.as_bytes().to_vec())));
    let mut frames = Vec::new();
    let mut frame = Frame::default();
    while reader.next(&mut frame).unwrap() {
        frames.push(frame.clone());
    }
    (frames, reader)
}

fn one(text: &str) -> Frame {
    let (frames, reader) = read(text);
    assert_eq!(frames.len(), 1, "{text}: {:?}", reader.bad_lines());
    frames.into_iter().next().unwrap()
}

#[test]
fn a_line_of_candump_gives_time_channel_identifier_and_payload() {
    let (frames, reader) = read("(1635188455.020850) can0 18F00E00#821639C4FFFFFFFF R\n");
    let frame = &frames[0];
    assert_eq!(frame.ts.micros(), 1_635_188_455_020_850);
    assert_eq!((frame.id, frame.extended), (0x18F0_0E00, true));
    assert_eq!(frame.bytes(), [0x82, 0x16, 0x39, 0xC4, 0xFF, 0xFF, 0xFF, 0xFF]);
    assert_eq!(reader.channels(), ["can0"]);
}

#[test]
fn three_to_nine_digits_of_a_second_are_read_and_cut_to_microseconds() {
    for (fraction, micros) in
        [("123", 123_000), ("123456", 123_456), ("123456789", 123_456), ("5", 500_000)]
    {
        let frame = one(&format!("(7.{fraction}) can0 123#"));
        assert_eq!(frame.ts.micros(), 7_000_000 + micros, "{fraction}");
    }
}

#[test]
fn the_same_low_bits_in_eleven_and_twenty_nine_bits_are_two_identifiers() {
    assert!(!one("(1.0) can0 100#00").extended);
    assert!(one("(1.0) can0 00000100#00").extended);
}

#[test]
fn dots_lower_case_direction_and_carriage_return_are_accepted() {
    let frame = one("(1.000000) can0 1ab#11.22.aB T\r\n");
    assert_eq!(frame.bytes(), [0x11, 0x22, 0xAB]);
}

#[test]
fn a_remote_frame_has_a_length_and_no_payload() {
    let frame = one("(1.0) can0 123#R8");
    assert_eq!((frame.kind, frame.len, frame.bytes().len()), (FrameKind::Remote, 8, 0));
    assert_eq!(one("(1.0) can0 123#R").kind, FrameKind::Remote);
    assert_eq!(one("(1.0) can0 123#R8_E").kind, FrameKind::Remote);
}

#[test]
fn fd_frames_keep_their_length_whatever_their_flags_say() {
    for flags in ['0', '1', '5'] {
        let frame = one(&format!("(1.0) can0 123##{flags}112233445566778899"));
        assert!(frame.fd);
        assert_eq!(frame.len, 9);
    }
    assert_eq!(one(&format!("(1.0) can0 123##1{}", "AA".repeat(64))).len, 64);
}

#[test]
fn a_raw_length_code_does_not_change_the_eight_bytes() {
    let frame = one("(1.0) can0 123#1122334455667788_E");
    assert_eq!(frame.len, 8);
}

#[test]
fn an_error_frame_is_told_by_its_identifier() {
    let frame = one("(1.0) can0 20000040#0000000000000000");
    assert_eq!((frame.kind, frame.id), (FrameKind::Error, 0x40));
}

#[test]
fn an_error_frame_is_neither_a_remote_frame_nor_one_of_fd() {
    for body in ["20400000#R", "20400000#R8", "20000040##1AABB"] {
        let (frames, reader) = read(&format!("(2.1) can1 {body}\n"));
        assert_eq!(frames.len(), 0, "{body}");
        assert_eq!(reader.bad_lines().count, 1, "{body}");
    }
}

#[test]
fn bad_lines_are_counted_with_their_number_and_the_others_are_read() {
    let log = "(1.0) can0 1#00\n\n# comment\ngarbage\n(1.0) can0 123#1\n(x.y) can0 1#00\n\
               (1.0) can0 FFF#00\n(1.0) can0 1#001122334455667788\n(2.0) can1 2#01\n(3.0) can0 00";
    let (frames, reader) = read(log);
    assert_eq!(frames.len(), 2);
    let lines: Vec<u64> = reader.bad_lines().first.iter().map(|b| b.line).collect();
    assert_eq!(lines, [4, 5, 6, 7, 8, 10]);
    assert_eq!(reader.bad_lines().count, 6);
}

#[test]
fn a_line_without_end_is_one_bad_line_and_is_not_held() {
    let mut log = "(1.0) can0 123#".to_owned();
    log.push_str(&"A".repeat(1_000_000));
    log.push_str("\n(2.0) can0 1#00\n");
    let (frames, reader) = read(&log);
    assert_eq!(frames.len(), 1);
    assert_eq!(
        reader.bad_lines().first,
        [BadLine { line: 1, problem: reader.bad_lines().first[0].problem }]
    );
    assert!(reader.spill.capacity() <= 2 * LINE_BYTES_MAX);
}

#[test]
fn a_frame_written_as_a_line_is_read_back_equal() {
    let ts = Timestamp::from_micros(1_635_188_455_020_850);
    let mut long = Frame { ts, id: 0x1FFF_FFFF, extended: true, len: 64, ..Frame::default() };
    long.fd = true;
    long.fd_flags = FD_RATE_SWITCHED | FD_SENDER_PASSIVE;
    long.payload = std::array::from_fn(|place| u8::try_from(place).unwrap());
    let frames = [
        long,
        Frame { ts, id: 0x7FF, ..Frame::default() },
        Frame { ts, id: 0x12, extended: true, kind: FrameKind::Remote, len: 8, ..Frame::default() },
        Frame { ts, id: 0x40, kind: FrameKind::Error, len: 8, ..Frame::default() },
    ];
    for frame in frames {
        assert_eq!(one(&line_of(&frame, "can0")), frame);
    }
}

#[test]
fn a_measurement_in_mdf_is_refused_with_what_to_do() {
    let mut reader = LogReader::new(Box::new(Cursor::new(b"MDF     4.10    ".to_vec())));
    let error = reader.next(&mut Frame::default()).unwrap_err().to_string();
    assert!(error.contains("convert it"), "{error}");
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        let mut channels = Channels::default();
        let mut frame = Frame::default();
        assert_ne!(candump::read_line(&bytes, &mut channels, &mut frame), Err(""));
        let mut shaped = b"(1.5) can0 ".to_vec();
        shaped.extend_from_slice(&bytes);
        if candump::read_line(&shaped, &mut channels, &mut frame) == Ok(true) {
            assert!(usize::from(frame.len) <= PAYLOAD_BYTES_MAX);
        }
    }
}
