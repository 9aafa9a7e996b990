use std::sync::Arc;
use std::time::Duration;

use signals::Timestamp;
use tokio::time::Instant;

use super::{FRAME_BYTES_MAX, FRAMES_MAX, Fate, FrameTrace, Framing, TraceTap};

fn tapped() -> (TraceTap, Arc<FrameTrace>) {
    let trace = Arc::new(FrameTrace::new());
    (TraceTap::new(Arc::clone(&trace), Framing::Mbap), trace)
}

#[test]
fn a_frame_is_shown_with_its_time_direction_fate_and_bytes() {
    let (tap, trace) = tapped();
    let now = Instant::now();
    tap.note(now, Fate::Sent, &[0, 7, 0, 0, 0, 6, 1, 3, 0, 0, 0, 2]);
    let answer: Vec<u8> = (0..18).collect();
    tap.note(now + Duration::from_millis(250), Fate::Late, &answer);
    let wall = Timestamp::from_micros(1_700_000_000_500_000);
    assert_eq!(
        trace.to_text(now + Duration::from_millis(500), wall),
        "# Modbus TCP (text2pcap -D -t %s.%f -T 1502,502); the last 2 of 2 frames\n\
         # sent, 12 bytes, 0.500000 s ago\n\
         O 1700000000.000000\n\
         000000 00 07 00 00 00 06 01 03 00 00 00 02\n\
         # late, dropped, 18 bytes, 0.250000 s ago\n\
         I 1700000000.250000\n\
         000000 00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f\n\
         000010 10 11\n"
    );
}

#[test]
fn the_ring_holds_the_last_frames_and_no_more_bytes_than_a_frame_may_have() {
    let (tap, trace) = tapped();
    let now = Instant::now();
    for round in 0..1000_u32 {
        let length = usize::try_from(round % 300).unwrap();
        tap.note(now, Fate::Garbage, &vec![u8::try_from(round % 251).unwrap(); length]);
    }
    let ring = trace.lock();
    assert_eq!((ring.frames.len(), ring.seen), (FRAMES_MAX, 1000));
    let kept: usize = ring.frames.iter().map(|frame| usize::from(frame.bytes)).sum();
    assert_eq!(ring.bytes.len(), kept);
    assert!(ring.bytes.capacity() <= 2 * FRAMES_MAX * FRAME_BYTES_MAX);
    assert_eq!(ring.bytes.back(), Some(&u8::try_from(999 % 251).unwrap()));
    let longest = ring.frames.iter().max_by_key(|frame| frame.length).unwrap();
    assert_eq!((longest.length, longest.bytes), (299, 260));
}

#[test]
fn a_tap_without_a_trace_is_closed() {
    let tap = TraceTap::default();
    tap.note(Instant::now(), Fate::Sent, &[1]);
    assert!(!tap.is_open());
}
