//! What the targets share: frames out of arbitrary bytes, and what must hold of batches.

use std::sync::Arc;

use adapters_can::decode::Decoder;
use adapters_can::frame::{Frame, FrameKind};
use adapters_can::plan::{DecodePlan, Key};
use adapters_can::tables::Naming;
use signals::{Batch, Timestamp};

/// Frames out of bytes, one behind the other: what kind of frame and how long, how much later,
/// which identifier, and the payload.
pub fn frames(mut input: &[u8], keys: &[Key]) -> Vec<Frame> {
    let (mut frames, mut micros) = (Vec::new(), 1_000_000);
    while let [shape, later, i0, i1, i2, i3, rest @ ..] = input {
        let length = usize::from(shape & 15) * if shape & 16 == 0 { 1 } else { 4 };
        let length = length.min(64).min(rest.len());
        let (payload, after) = rest.split_at(length);
        input = after;
        // Up to 1.3 s, backwards too.
        micros += i64::from(i8::from_le_bytes([*later])) * 10_240;
        let word = u32::from_le_bytes([*i0, *i1, *i2, *i3]);
        let mut frame = Frame {
            ts: Timestamp::from_micros(micros),
            id: word & 0x1FFF_FFFF,
            extended: true,
            fd: shape & 16 != 0,
            len: length as u8,
            ..Frame::default()
        };
        frame.payload[..length].copy_from_slice(payload);
        match (shape >> 5, keys.get(usize::from(*i0) % keys.len().max(1))) {
            (0..=3, Some(Key::Standard(id))) => (frame.id, frame.extended) = (*id, false),
            (0..=3, Some(Key::Extended(id))) => frame.id = *id,
            (0..=3, Some(Key::Pgn(group))) => frame.id = group << 8 | u32::from(*i1 & 3),
            (4, _) => (frame.id, frame.extended) = (frame.id & 0x7FF, false),
            (5, _) => frame.kind = FrameKind::Remote,
            (6, _) => frame.kind = FrameKind::Error,
            // Transport of J1939, from one of four senders.
            (7, _) => {
                frame.id = [0x1CEC_FF00, 0x1CEB_FF00][usize::from(i0 & 1)] | u32::from(i1 & 3)
            }
            _ => {}
        }
        frames.push(frame);
    }
    frames
}

/// Decodes frames with a plan; panics when what comes out breaks a promise.
pub fn decode(plan: DecodePlan, input: &[u8]) {
    let plan = Arc::new(plan);
    let keys: Vec<Key> = plan.messages().iter().map(|message| message.key).collect();
    let naming = Naming { bus: "x".to_owned(), path: "x".to_owned() };
    let mut decoder = Decoder::new(plan, &naming).expect("names are made legal");
    decoder.keep_raw("x").expect("names are made legal");
    let frames = frames(input, &keys);
    for frame in &frames {
        decoder.push(frame, frame.ts, signals::ClockState::Synced);
    }
    let mut raw = 0;
    for batch in decoder.finish_all() {
        check(&batch);
        if batch.table.name() == "_can_raw_x" {
            let mut again = Frame::default();
            while adapters_can::raw::read_row(&batch.rows, raw, &mut again).expect("raw frames") {
                assert_eq!(again.ts, frames[raw].ts);
                assert_eq!((again.id, again.bytes()), (frames[raw].id, frames[raw].bytes()));
                raw += 1;
            }
        }
    }
    assert_eq!(raw, frames.len());
}

fn check(batch: &Batch) {
    assert!(batch.timestamps().is_sorted_by(|a, b| a < b), "times increase");
    for flaw in &batch.flaws {
        let column = batch.column(usize::from(flaw.signal));
        assert!(column.is_null(flaw.row as usize), "what has a reason has no value");
    }
}
