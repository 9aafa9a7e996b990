//! Logs of all formats: any bytes give frames that are frames, and an end.
#![no_main]

use std::io::Cursor;

use adapters_can::frame::{EXTENDED_ID_MAX, Frame, FrameKind, STANDARD_ID_MAX};
use adapters_can::logs::{CHANNELS_MAX, LogReader, line_of};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut reader = LogReader::new(Box::new(Cursor::new(input.to_vec())));
    let (mut frame, mut frames) = (Frame::default(), 0_u64);
    while let Ok(true) = reader.next(&mut frame) {
        frames += 1;
        assert!(frame.len <= if frame.fd { 64 } else { 8 });
        assert!(
            frame.id <= if frame.extended { EXTENDED_ID_MAX } else { STANDARD_ID_MAX }
                || frame.kind == FrameKind::Error
        );
        assert!(usize::from(frame.channel) < reader.channels().len());
        assert!(frame.payload[usize::from(frame.len)..].iter().all(|byte| *byte == 0));
        // Times before 1970 and far beyond it have no line.
        if frames < 50 && (0..999_999_999_999_000_000).contains(&frame.ts.micros()) {
            written_reads_the_same(&frame);
        }
    }
    assert!(reader.channels().len() <= CHANNELS_MAX);
    // What is unpacked from a binary log may be a thousand times what was packed.
    assert!(frames <= 2_000 * (input.len() as u64 + 1));
});

fn written_reads_the_same(frame: &Frame) {
    let line = line_of(frame, "can0");
    let mut reader = LogReader::new(Box::new(Cursor::new(line.clone().into_bytes())));
    let mut again = Frame::default();
    assert!(
        reader.next(&mut again).expect("memory can be read"),
        "{line}: {:?}",
        reader.bad_lines()
    );
    let remote = frame.kind == FrameKind::Remote;
    assert_eq!((again.ts, again.id, again.kind), (frame.ts, frame.id, frame.kind), "{line}");
    assert_eq!(
        (again.bytes(), again.fd && !remote),
        (frame.bytes(), frame.fd && !remote),
        "{line}"
    );
}
