use std::io::{Cursor, Write as _};

use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::*;
use crate::logs::LogReader;

fn object(kind: u32, micros: u64, body: &[u8]) -> Vec<u8> {
    let mut out = OBJECT_MAGIC.to_vec();
    out.extend(32_u16.to_le_bytes());
    out.extend(1_u16.to_le_bytes());
    out.extend(u32::try_from(32 + body.len()).unwrap().to_le_bytes());
    out.extend(kind.to_le_bytes());
    // Nanoseconds.
    out.extend(2_u32.to_le_bytes());
    out.extend([0; 4]);
    out.extend((micros * 1_000).to_le_bytes());
    out.extend_from_slice(body);
    out.resize(out.len() + out.len() % 4, 0);
    out
}

fn classic(channel: u16, flags: u8, id: u32) -> Vec<u8> {
    let mut body = channel.to_le_bytes().to_vec();
    body.extend([flags, 3]);
    body.extend(id.to_le_bytes());
    body.extend([1, 2, 3, 0, 0, 0, 0, 0]);
    body
}

fn container(bytes: &[u8], method: u16) -> Vec<u8> {
    let packed = if method == 2 {
        let mut packer = ZlibEncoder::new(Vec::new(), Compression::default());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    } else {
        bytes.to_vec()
    };
    let mut out = OBJECT_MAGIC.to_vec();
    out.extend(16_u16.to_le_bytes());
    out.extend(1_u16.to_le_bytes());
    out.extend(u32::try_from(32 + packed.len()).unwrap().to_le_bytes());
    out.extend(kind::CONTAINER.to_le_bytes());
    out.extend(method.to_le_bytes());
    out.extend([0; 6]);
    out.extend(u32::try_from(bytes.len()).unwrap().to_le_bytes());
    out.extend([0; 4]);
    out.extend_from_slice(&packed);
    out.resize(out.len() + packed.len() % 4, 0);
    out
}

/// A file that began at 2021-10-25T19:00:55.020Z.
fn file(rest: &[&[u8]]) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    out.extend(144_u32.to_le_bytes());
    out.resize(40, 0);
    for part in [2021_u16, 10, 1, 25, 19, 0, 55, 20] {
        out.extend(part.to_le_bytes());
    }
    out.resize(144, 0);
    out.extend(rest.concat());
    out
}

fn read(bytes: Vec<u8>) -> (Vec<Frame>, LogReader) {
    let mut reader = LogReader::new(Box::new(Cursor::new(bytes)));
    let mut frames = Vec::new();
    let mut frame = Frame::default();
    while reader.next(&mut frame).unwrap() {
        frames.push(frame.clone());
    }
    (frames, reader)
}

#[test]
fn packed_plain_and_bare_objects_give_the_same_frames() {
    let one = object(kind::CAN_MESSAGE, 1_500, &classic(1, 0, 0x8000_0123));
    let two = object(kind::CAN_MESSAGE2, 2_500, &classic(2, 0x80, 0x123));
    let both = [one.clone(), two.clone()].concat();
    for rest in [container(&both, 2), container(&both, 0), both.clone()] {
        let (frames, reader) = read(file(&[&rest]));
        assert_eq!(frames.len(), 2, "{:?}", reader.bad_lines());
        assert_eq!(frames[0].ts.micros(), 1_635_188_455_020_000 + 1_500);
        assert_eq!((frames[0].id, frames[0].extended), (0x123, true));
        assert_eq!((frames[0].bytes(), frames[1].kind), (&[1, 2, 3][..], FrameKind::Remote));
        assert_eq!(reader.channels(), ["can0", "can1"]);
        assert_eq!(reader.bad_lines().count, 0);
    }
}

#[test]
fn an_object_that_runs_on_into_the_next_container_is_read_whole() {
    let objects: Vec<u8> =
        (0..50).flat_map(|n| object(kind::CAN_MESSAGE, n, &classic(1, 0, 0x123))).collect();
    for cut in [1, 17, 33, 60, 1_000] {
        let (first, second) = objects.split_at(cut);
        let (frames, reader) = read(file(&[&container(first, 2), &container(second, 2)]));
        assert_eq!((frames.len(), reader.bad_lines().count), (50, 0), "cut at {cut}");
    }
}

#[test]
fn damage_costs_what_is_damaged_and_is_counted() {
    let good = container(&object(kind::CAN_MESSAGE, 1, &classic(1, 0, 0x123)), 2);
    let mut broken = good.clone();
    broken[40] ^= 0xFF;
    let (frames, reader) = read(file(&[&good, &broken, &good]));
    assert_eq!(frames.len(), 2);
    assert!(reader.bad_lines().count >= 1);
    let (frames, reader) = read(file(&[&good, b"rubbish between them", &good]));
    assert_eq!((frames.len(), reader.bad_lines().count), (2, 1));
    let (frames, _) = read(file(&[&good, &good[..good.len() - 20]]));
    assert_eq!(frames.len(), 1);
}

#[test]
fn a_container_that_unpacks_to_more_than_is_read_is_left_out_and_not_held() {
    let bomb = container(&vec![0; OBJECT_BYTES_MAX + 1], 2);
    let good = container(&object(kind::CAN_MESSAGE, 1, &classic(1, 0, 0x123)), 2);
    let (frames, reader) = read(file(&[&bomb, &good]));
    assert_eq!(frames.len(), 1);
    assert_eq!(reader.bad_lines().first[0].problem, "a container longer than any that is read");
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_read_to_an_end(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
        let mut reader = LogReader::new(Box::new(Cursor::new(file(&[&bytes, &container(&bytes, 2)]))));
        let mut frame = Frame::default();
        while reader.next(&mut frame).unwrap_or(false) {
            proptest::prop_assert!(usize::from(frame.len) <= PAYLOAD_BYTES_MAX);
        }
    }
}
