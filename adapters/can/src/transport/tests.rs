use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::frame::Frame;

fn frame(at_ms: u64, id: u32, bytes: &[u8]) -> Frame {
    let mut frame = Frame {
        ts: Timestamp::from_micros(1_700_000_000_000_000).plus(Duration::from_millis(at_ms)),
        id,
        extended: id > 0x7FF,
        len: u8::try_from(bytes.len()).unwrap(),
        ..Frame::default()
    };
    frame.payload[..bytes.len()].copy_from_slice(bytes);
    frame
}

fn isotp(frames: &[Frame]) -> Vec<Ended> {
    let (mut bus, mut ended) = (IsoTp::default(), Vec::new());
    for frame in frames {
        bus.push(frame, &mut ended);
    }
    ended
}

fn j1939(frames: &[Frame]) -> Vec<Ended> {
    let (mut bus, mut ended) = (J1939::default(), Vec::new());
    for frame in frames {
        bus.push(frame, &mut ended);
    }
    ended
}

fn fast(frames: &[Frame]) -> Vec<Ended> {
    let (mut bus, mut ended) = (FastPacket::default(), Vec::new());
    for frame in frames {
        bus.push(frame, &mut ended);
    }
    ended
}

/// The frames of one ISO-TP message.
fn isotp_frames(id: u32, message: &[u8]) -> Vec<Frame> {
    let length = u16::try_from(message.len()).unwrap().to_be_bytes();
    let mut frames = vec![frame(0, id, &[&[0x10 | length[0], length[1]], &message[..6]].concat())];
    for (place, piece) in message[6..].chunks(7).enumerate() {
        let control = 0x20 | u8::try_from((place + 1) % 16).unwrap();
        let mut bytes = vec![control];
        bytes.extend_from_slice(piece);
        bytes.resize(8, 0xCC);
        frames.push(frame(u64::try_from(place + 1).unwrap(), id, &bytes));
    }
    frames
}

/// The frames of one J1939 broadcast of a sender.
fn bam_frames(source: u8, pgn: u32, message: &[u8]) -> Vec<Frame> {
    let packets = u8::try_from(message.len().div_ceil(7)).unwrap();
    let [_, g2, g1, g0] = pgn.to_be_bytes();
    let length = u16::try_from(message.len()).unwrap().to_le_bytes();
    let announce = [32, length[0], length[1], packets, 0xFF, g0, g1, g2];
    let mut frames = vec![frame(0, 0x1CEC_FF00 | u32::from(source), &announce)];
    for (place, piece) in message.chunks(7).enumerate() {
        let mut bytes = vec![u8::try_from(place + 1).unwrap()];
        bytes.extend_from_slice(piece);
        bytes.resize(8, 0xFF);
        let at = 50 * u64::try_from(place + 1).unwrap();
        frames.push(frame(at, 0x1CEB_FF00 | u32::from(source), &bytes));
    }
    frames
}

fn numbers(count: usize) -> Vec<u8> {
    (0..count).map(|n| u8::try_from(n % 251).unwrap()).collect()
}

fn failures(ended: &[Ended]) -> Vec<Failure> {
    ended.iter().filter_map(|ended| ended.payload.as_ref().err().copied()).collect()
}

#[test]
fn an_iso_tp_message_of_4095_bytes_comes_whole_though_its_counter_wraps() {
    let message = numbers(4095);
    let ended = isotp(&isotp_frames(0x7E8, &message));
    assert_eq!(ended.len(), 1);
    assert_eq!(ended[0].payload.as_deref(), Ok(&message[..]));
}

#[test]
fn an_iso_tp_length_of_32_bits_is_read_and_a_gigabyte_refused() {
    let first = frame(0, 0x7E8, &[0x10, 0, 0, 0, 0, 9, 1, 2]);
    let next = frame(1, 0x7E8, &[0x21, 3, 4, 5, 6, 7, 8, 9]);
    let ended = isotp(&[first, next]);
    assert_eq!(ended[0].payload.as_deref(), Ok(&[1, 2, 3, 4, 5, 6, 7, 8, 9][..]));
    let ended = isotp(&[frame(0, 0x7E8, &[0x10, 0, 0x40, 0, 0, 0, 1, 2])]);
    assert_eq!(failures(&ended), [Failure::Length]);
}

#[test]
fn an_iso_tp_frame_lost_or_late_or_a_new_beginning_ends_the_message() {
    let message = numbers(30);
    let mut frames = isotp_frames(0x7E8, &message);
    frames.remove(2);
    assert_eq!(failures(&isotp(&frames)), [Failure::Sequence]);
    let mut frames = isotp_frames(0x7E8, &message);
    frames[2].ts = frames[2].ts.plus(Duration::from_millis(1_001));
    assert_eq!(failures(&isotp(&frames)), [Failure::Timeout]);
    let again = [&isotp_frames(0x7E8, &message)[..2], &isotp_frames(0x7E8, &message)].concat();
    let ended = isotp(&again);
    assert_eq!(failures(&ended), [Failure::Restarted]);
    assert_eq!(ended[1].payload.as_deref(), Ok(&message[..]));
}

#[test]
fn two_iso_tp_senders_do_not_mix() {
    let (one, other) = (numbers(40), vec![7; 50]);
    let mut frames = isotp_frames(0x7E8, &one);
    frames.extend(isotp_frames(0x7E9, &other));
    frames.sort_by_key(|frame| frame.ts);
    let mut payloads: Vec<_> = isotp(&frames).into_iter().map(|e| e.payload.unwrap()).collect();
    payloads.sort_unstable();
    assert_eq!(payloads, [one, other]);
}

#[test]
fn a_single_frame_of_fd_has_its_length_in_the_second_byte() {
    let mut bytes = vec![0, 11];
    bytes.extend(1..=14);
    let ended = isotp(&[frame(0, 0x7E8, &bytes)]);
    assert_eq!(ended[0].payload.as_deref(), Ok(&(1..=11).collect::<Vec<u8>>()[..]));
    assert_eq!(ended[0].kind, Kind::Single);
}

#[test]
fn a_broadcast_of_1785_bytes_comes_whole_in_any_order_and_with_packets_twice() {
    let message = numbers(1785);
    let mut frames = bam_frames(3, 0xFECA, &message);
    frames.swap(2, 3);
    frames.insert(5, frames[4].clone());
    let ended = j1939(&frames);
    assert_eq!(ended.len(), 1);
    assert_eq!(ended[0].payload.as_deref(), Ok(&message[..]));
    assert_eq!((ended[0].pgn, ended[0].kind), (Some(0xFECA), Kind::Bam));
}

#[test]
fn a_broadcast_with_a_hole_is_restarted_or_stays_open_and_never_comes_out() {
    let mut frames = bam_frames(3, 0xFECA, &numbers(30));
    frames.remove(2);
    let again = [frames, bam_frames(3, 0xFECA, &numbers(30))].concat();
    let ended = j1939(&again);
    assert_eq!(failures(&ended), [Failure::Restarted]);
    assert_eq!(ended.len(), 2);
}

#[test]
fn a_connection_between_two_others_can_be_given_up_by_either() {
    let request = frame(0, 0x18EC_1020, &[16, 14, 0, 2, 0xFF, 0xCA, 0xFE, 0]);
    let abort = frame(5, 0x18EC_2010, &[255, 3, 0xFF, 0xFF, 0xFF, 0xCA, 0xFE, 0]);
    let ended = j1939(&[request.clone(), abort]);
    assert_eq!(failures(&ended), [Failure::Abort]);
    assert_eq!(ended[0].destination, Some(0x10));
    let first = frame(5, 0x18EB_1020, &[1, 1, 2, 3, 4, 5, 6, 7]);
    let second = frame(9, 0x18EB_1020, &[2, 8, 9, 10, 11, 12, 13, 14]);
    let ended = j1939(&[request, first, second]);
    assert_eq!(ended[0].payload.as_deref(), Ok(&(1..=14).collect::<Vec<u8>>()[..]));
}

#[test]
fn a_packet_number_outside_the_announced_ones_ends_the_transfer() {
    for number in [0, 6] {
        let mut frames = bam_frames(3, 0xFECA, &numbers(30));
        frames[2].payload[0] = number;
        assert_eq!(failures(&j1939(&frames)), [Failure::Sequence], "packet {number}");
    }
}

#[test]
fn a_fast_packet_comes_whole_and_a_gap_costs_only_its_own_sequence() {
    let id = 0x0DF8_0105;
    let first = frame(0, id, &[0x40, 20, 1, 2, 3, 4, 5, 6]);
    let second = frame(1, id, &[0x41, 7, 8, 9, 10, 11, 12, 13]);
    let third = frame(2, id, &[0x42, 14, 15, 16, 17, 18, 19, 20]);
    let ended = fast(&[first.clone(), second, third.clone()]);
    assert_eq!(ended[0].payload.as_deref(), Ok(&(1..=20).collect::<Vec<u8>>()[..]));
    assert_eq!(failures(&fast(&[first, third])), [Failure::Sequence]);
}

#[test]
fn a_flood_of_beginnings_keeps_a_bounded_number_open_and_counts_the_rest() {
    let mut bus = IsoTp::default();
    let mut ended = Vec::new();
    for id in 0..2_000_u32 {
        bus.push(
            &frame(u64::from(id), 0x1000_0000 | id, &[0x10, 20, 1, 2, 3, 4, 5, 6]),
            &mut ended,
        );
    }
    assert_eq!(bus.open(), SESSIONS_MAX);
    assert_eq!(failures(&ended), vec![Failure::Crowded; 2_000 - SESSIONS_MAX]);
    assert_eq!(ended[0].id, 0x1000_0000, "the one heard of longest ago leaves first");
}

proptest! {
    #[test]
    fn no_frames_whatever_make_a_transfer_end_twice_or_a_reader_panic(
        frames in prop::collection::vec((0..3_u32, prop::collection::vec(any::<u8>(), 0..=8)), 0..200),
    ) {
        let ids = [0x7E8, 0x1CEC_FF00, 0x1CEB_FF00];
        let (mut a, mut b, mut c) = (IsoTp::default(), J1939::default(), FastPacket::default());
        let mut ended = Vec::new();
        for (at, (id, bytes)) in frames.iter().enumerate() {
            let frame = frame(u64::try_from(at).unwrap(), ids[*id as usize], bytes);
            let begun = ended.len();
            a.push(&frame, &mut ended);
            b.push(&frame, &mut ended);
            c.push(&frame, &mut ended);
            prop_assert!(ended.len() - begun <= 5, "a frame ends few transfers");
        }
        for ended in ended {
            prop_assert!(ended.first <= ended.last);
            prop_assert!(ended.payload.map_or(0, |payload| payload.len()) <= 65_536);
        }
    }
}
