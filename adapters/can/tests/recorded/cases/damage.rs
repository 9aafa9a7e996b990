//! Damaged databases and noise.

use std::fmt::Write as _;
use std::sync::Arc;

use adapters_can::dbc::Database;
use adapters_can::decode::Decoder;
use adapters_can::frame::{Frame, FrameKind};
use adapters_can::plan::{DecodePlan, Key, Matching};
use adapters_can::tables::Naming;
use signals::{ClockState, Timestamp};

use super::files;

/// Xorshift: the same damage in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % below.max(1)
    }
}

/// Copies, cuts, swaps and overwrites pieces.
fn damaged(bytes: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for _ in 0..=dice.roll(8) {
        if out.is_empty() {
            break;
        }
        let at = dice.roll(out.len());
        let end = (at + dice.roll(60)).min(out.len());
        match dice.roll(5) {
            0 => out[at] = dice.roll(256).try_into().unwrap(),
            1 => drop(out.drain(at..end)),
            2 => out.insert(at, *b"\"; \n9:|@mM-"[..].get(dice.roll(11)).unwrap()),
            3 => {
                let piece = out[at..end].to_vec();
                let to = dice.roll(out.len());
                out.splice(to..to, piece);
            }
            _ => out.truncate(at.max(out.len() / 2)),
        }
    }
    out
}

#[test]
fn damaged_databases_never_panic_and_what_they_give_decodes_any_frame() {
    let mut dice = Dice(0x1234_5678_9ABC_DEF1);
    for path in files("dbc", ".dbc") {
        let bytes = std::fs::read(&path).unwrap();
        let rounds = if bytes.len() > 20_000 { 1 } else { 12 };
        for _ in 0..rounds {
            let Ok(database) = Database::from_bytes("damaged.dbc", &damaged(&bytes, &mut dice))
            else {
                continue;
            };
            decode_anything(database, &mut dice);
        }
    }
}

fn decode_anything(database: Database, dice: &mut Dice) {
    let matching = [Matching::Exact, Matching::Pgn, Matching::Auto][dice.roll(3)];
    let plan = Arc::new(DecodePlan::new(&[database], matching, |_, _| true));
    let naming = Naming { bus: "x".to_owned(), path: "x".to_owned() };
    let mut decoder = Decoder::new(Arc::clone(&plan), &naming).unwrap();
    for message in plan.messages() {
        let (id, extended) = match message.key {
            Key::Standard(id) => (id, false),
            Key::Extended(id) => (id, true),
            Key::Pgn(group) => (group << 8 | 0xFE, true),
        };
        let len = [0, 1, 8, 64][dice.roll(4)];
        let mut frame = Frame { id, extended, len, kind: FrameKind::Data, ..Frame::default() };
        frame.payload.fill_with(|| u8::try_from(dice.roll(256)).unwrap());
        decoder.push(&frame, Timestamp::from_micros(7), ClockState::Synced);
    }
    assert!(decoder.finish_all().all(|batch| batch.rows.num_rows() >= 1));
}

#[test]
fn arbitrary_bytes_are_a_database_or_one_error() {
    let mut dice = Dice(42);
    for len in (0..4000).step_by(37) {
        let bytes: Vec<u8> = (0..len).map(|_| u8::try_from(dice.roll(256)).unwrap()).collect();
        match Database::from_bytes("noise.dbc", &bytes) {
            Ok(database) => assert!(database.messages.len() < 10),
            Err(error) => assert!(error.to_string().starts_with("noise.dbc: ")),
        }
    }
}

#[test]
fn a_database_with_a_quotation_mark_that_nothing_closes_loses_that_statement_alone() {
    let mut text = String::from("VERSION \"\"\nCM_ \"never closed ;\n");
    for id in 0..8_000_u64 {
        writeln!(text, "BO_ {} M{id}: 8 X\n SG_ A : 0|8@1+ (1,0) [0|0] \"\" X\n", 0x8000_0000 + id)
            .unwrap();
    }
    let database = Database::from_bytes("big.dbc", text.as_bytes()).unwrap();
    assert_eq!(database.messages.len(), 8_000);
}
