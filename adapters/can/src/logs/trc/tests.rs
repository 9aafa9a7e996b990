use std::io::Cursor;

use super::*;
use crate::logs::LogReader;

fn read(text: &str) -> (Vec<Frame>, LogReader) {
    let mut reader = LogReader::new(Box::new(Cursor::new(text.as_bytes().to_vec())));
    let mut frames = Vec::new();
    let mut frame = Frame::default();
    while reader.next(&mut frame).unwrap() {
        frames.push(frame.clone());
    }
    assert!(reader.bad_lines().first.is_empty(), "{text}: {:?}", reader.bad_lines());
    (frames, reader)
}

/// Versions before 2, the same frame in each.
#[test]
fn every_version_gives_time_bus_identifier_and_payload() {
    let start = ";$STARTTIME=44494.5\n";
    for (version, line, bus, micros) in [
        (
            ";##########\n;   Start time: 2021-10-25\n".to_owned(),
            "1)  1841 18F00E00 3 01 02 03",
            "can0",
            0,
        ),
        (format!(";$FILEVERSION=1.1\n{start}"), "1)  1841.0  Rx  18F00E00 3 01 02 03", "can0", 1),
        (format!(";$FILEVERSION=1.2\n{start}"), "1)  1841.0 2 Rx 18F00E00 3 01 02 03", "can1", 1),
        (format!(";$FILEVERSION=1.3\n{start}"), "1)  1841.0 2 Rx 18F00E00 - 3 01 02 03", "can1", 1),
        (
            format!(";$FILEVERSION=2.0\n{start};$COLUMNS=N,O,T,I,d,l,D\n"),
            "1  1841.000 DT 18F00E00 Rx 3  01 02 03",
            "can0",
            1,
        ),
        (
            format!(";$FILEVERSION=2.1\n{start};$COLUMNS=N,O,T,B,I,d,R,L,D\n"),
            "1  1841.000 DT 2 18F00E00 Rx - 3  01 02 03",
            "can1",
            1,
        ),
    ] {
        let (frames, reader) = read(&format!("{version};---\n\n   {line}\r\n"));
        let frame = &frames[0];
        assert_eq!((frame.id, frame.extended), (0x18F0_0E00, true), "{version}");
        assert_eq!(frame.bytes(), [1, 2, 3], "{version}");
        assert_eq!(reader.channels(), [bus], "{version}");
        // 44494.5 is noon on 2021-10-25.
        assert_eq!(frame.ts.micros(), micros * 1_635_163_200_000_000 + 1_841_000, "{version}");
    }
}

#[test]
fn kinds_of_frames_in_version_2_are_told_apart_and_status_is_left_out() {
    let header = ";$FILEVERSION=2.1\n;$STARTTIME=44494.5\n;$COLUMNS=N,O,T,B,I,d,R,L,D\n";
    let lines = "1 1.0 FB 1 0100 Rx - 9 00 01 02 03 04 05 06 07 08 09 0A 0B\n2 2.0 RR 1 0101 Rx - 4\n\
                 3 3.0 ST 1 - Rx - 4 00 00 00 08\n4 4.0 ER 1 - Rx - 5 04 00 02 00 00\n\
                 5 5.0 BI 1 0000102 Tx - 15 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 \
                 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 \
                 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00\n6 6.0 EV User event\n";
    let (frames, _) = read(&format!("{header}{lines}"));
    let told: Vec<_> = frames.iter().map(|f| (f.kind, f.fd, f.fd_flags, f.len)).collect();
    assert_eq!(
        told,
        [
            (FrameKind::Data, true, FD_RATE_SWITCHED, 12),
            (FrameKind::Remote, false, 0, 4),
            (FrameKind::Error, false, 0, 0),
            (FrameKind::Data, true, FD_SENDER_PASSIVE, 64),
        ]
    );
    assert!(!frames[0].extended && frames[3].extended);
}

#[test]
fn a_remote_frame_and_a_bus_event_of_version_1_are_no_payloads() {
    let (frames, _) = read(
        ";$FILEVERSION=1.1\n;$STARTTIME=0\n1) 1.0 Rx 0123 4 RTR\n2) 2.0 Warng FFFFFFFF 4 00 00 00 08\n\
         3) 3.0 Rx FFFFFFFF 4 00 00 00 08\n",
    );
    let told: Vec<_> = frames.iter().map(|f| (f.kind, f.len)).collect();
    assert_eq!(told, [(FrameKind::Remote, 4)]);
}
