use std::io::Cursor;

use super::*;
use crate::logs::LogReader;

const HEADER: &str = "date Mon Oct 25 07:00:55.020 pm 2021\nbase hex  timestamps absolute\n\
                      internal events logged\nBegin Triggerblock Mon Oct 25 19:00:55.020 2021\n\
                      \u{20}  0.000000 Start of measurement\n";

fn read(text: &str) -> (Vec<Frame>, LogReader) {
    let mut reader = LogReader::new(Box::new(Cursor::new(text.as_bytes().to_vec())));
    let mut frames = Vec::new();
    let mut frame = Frame::default();
    while reader.next(&mut frame).unwrap() {
        frames.push(frame.clone());
    }
    (frames, reader)
}

fn one(line: &str) -> Frame {
    let (frames, reader) = read(&format!("{HEADER}{line}\n"));
    assert_eq!(frames.len(), 1, "{line}: {:?}", reader.bad_lines());
    frames.into_iter().next().unwrap()
}

#[test]
fn a_frame_has_the_time_since_the_first_trigger_block() {
    let frame = one("   0.009151 2  18F00E00x       Rx   d 8 82 16 39 C4 FF FF FF FF  Length = 1");
    assert_eq!(frame.ts.micros(), 1_635_188_455_020_000 + 9_151);
    assert_eq!((frame.id, frame.extended, frame.len), (0x18F0_0E00, true, 8));
    assert_eq!(frame.bytes()[..3], [0x82, 0x16, 0x39]);
    let (_, reader) = read(&format!("{HEADER} 1.0 2 7FF Rx d 0\nEnd TriggerBlock\n"));
    assert_eq!(reader.channels(), ["can1"]);
}

#[test]
fn a_later_trigger_block_does_not_move_the_start() {
    let later = "Begin Triggerblock Mon Oct 25 20:00:00.000 2021";
    let (frames, _) = read(&format!("{HEADER} 1.0 1 1 Rx d 0\n{later}\n 2.0 1 1 Rx d 0\n"));
    assert_eq!(frames[1].ts.micros() - frames[0].ts.micros(), 1_000_000);
}

#[test]
fn times_that_count_from_the_event_before_are_added_up_also_over_lines_that_are_no_frames() {
    let text = "base dec timestamps relative\n 1.5 1 16x Rx d 2 10 255\n 0.25 1 Statistic: D 0\n \
                0.25 1 16 Tx d 0\n";
    let (frames, reader) = read(text);
    let times: Vec<i64> = frames.iter().map(|frame| frame.ts.micros()).collect();
    assert_eq!((times, reader.bad_lines().count), (vec![1_500_000, 2_000_000], 0));
    assert_eq!((frames[0].id, frames[0].bytes()), (16, &[10, 255][..]));
}

#[test]
fn remote_error_and_fd_frames_are_told_apart() {
    let remote = one(" 1.0 1  123             Rx   r 5");
    assert_eq!((remote.kind, remote.len), (FrameKind::Remote, 5));
    assert_eq!(one(" 1.0 1  ErrorFrame").kind, FrameKind::Error);
    assert_eq!(one(" 1.0 CANFD 1 Rx ErrorFrame Not Acknowledge error").kind, FrameKind::Error);
    let named = " 1.0 CANFD   2 Rx   1ABCDEF0x  Engine_Data 1 0 9 12 00 01 02 03 04 05 06 07 08 09 0A 0B 0 0 3000 0";
    for line in [named.to_owned(), named.replace(" Engine_Data", "")] {
        let fd = one(&line);
        assert_eq!((fd.fd, fd.fd_flags, fd.len), (true, FD_RATE_SWITCHED, 12));
        assert_eq!((fd.id, fd.payload[11]), (0x1ABC_DEF0, 0x0B));
    }
}

#[test]
fn damaged_frames_are_bad_lines_and_other_events_are_not() {
    let lines = " 1.0 1 7FF Rx d 3 11 22\n 1.0 1 800 Rx d 0\n x.y 1 7FF Rx d 0\n 1.z 1 7FF Rx d 0\n \
                 1.0 1 7FF Rx d 1 GG\n 1.0 CANFD 1 Rx 7FF 0 0 9\n 1.0 J1939TP FEE3p 6 0 0\n \
                 1.0 1 Statistic: D 0 R 0\n 1.0 1 20 Rx d 0\n";
    let (frames, reader) = read(&format!("{HEADER}{lines}"));
    let bad: Vec<u64> = reader.bad_lines().first.iter().map(|bad| bad.line - 5).collect();
    assert_eq!((frames.len(), bad), (1, vec![1, 2, 4, 5, 6]));
}
