//! NMEA 2000 fast packets by listening: up to 223 bytes in up to 32 frames.

use std::time::Duration;

use signals::Timestamp;

use super::pieces::{Pieces, Rules};
use super::sessions::Sessions;
use super::{Ended, Failure, Kind};
use crate::frame::{Frame, FrameKind};
use crate::j1939::pgn;

/// Longest message: six bytes in the first frame and seven in each of 31 more.
const BYTES_MAX: u8 = 223;
/// Five bits of number; at most 750 ms between two frames.
const RULES: Rules = Rules { number_max: 31, pause_max: Duration::from_millis(750) };

/// Puts the messages of one bus together.
#[derive(Clone, Debug, Default)]
pub struct FastPacket {
    /// By identifier and sequence, of which a sender may have eight under way.
    sessions: Sessions<(u32, u8), Pieces>,
}

impl FastPacket {
    /// Takes a frame in; appends the transfers it ends.
    pub fn push(&mut self, frame: &Frame, ended: &mut Vec<Ended>) {
        let &[control, ref rest @ ..] = frame.bytes() else { return };
        if frame.kind != FrameKind::Data || !frame.extended || rest.len() != 7 {
            return;
        }
        match (control & 31, rest) {
            (0, &[length, ref begin @ ..]) => self.first(frame, (length, begin), ended),
            (number, rest) => self.next(frame, (number, rest), ended),
        }
    }

    /// Transfers that have begun and not ended.
    #[must_use]
    pub fn open(&self) -> usize {
        self.sessions.len()
    }

    fn first(&mut self, frame: &Frame, (length, begin): (u8, &[u8]), ended: &mut Vec<Ended>) {
        let key = key_of(frame);
        if let Some(before) = self.sessions.close(&key) {
            ended.push(over(before, key, frame.ts, Err(Failure::Restarted)));
        }
        let pieces = Pieces::begin(frame.ts, length.into(), begin);
        if length > BYTES_MAX {
            ended.push(over(pieces, key, frame.ts, Err(Failure::Length)));
        } else if pieces.is_whole() {
            ended.push(over(pieces, key, frame.ts, Ok(())));
        } else if let Some((of, before)) = self.sessions.open(key, frame.ts, pieces) {
            ended.push(over(before, of, frame.ts, Err(Failure::Crowded)));
        }
    }

    fn next(&mut self, frame: &Frame, (number, rest): (u8, &[u8]), ended: &mut Vec<Ended>) {
        let key = key_of(frame);
        let piece = (frame.ts, number, rest);
        if let Some((pieces, how)) = self.sessions.take_piece(key, piece, RULES) {
            ended.push(over(pieces, key, frame.ts, how));
        }
    }
}

/// Identifier and sequence.
fn key_of(frame: &Frame) -> (u32, u8) {
    (frame.id, frame.bytes().first().map_or(0, |control| control >> 5))
}

fn over(pieces: Pieces, (id, _): (u32, u8), last: Timestamp, how: Result<(), Failure>) -> Ended {
    Ended {
        first: pieces.first,
        last,
        id,
        extended: true,
        kind: Kind::Fast,
        pgn: Some(pgn(id)),
        destination: None,
        payload: how.map(|()| pieces.payload),
    }
}
