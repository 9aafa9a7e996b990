//! ISO 15765-2 by listening: single, first and consecutive frames of normal addressing.

use std::time::Duration;

use signals::Timestamp;

use super::pieces::{Pieces, Rules};
use super::sessions::Sessions;
use super::{Ended, Failure, Kind};
use crate::frame::{Frame, FrameKind};

/// Longest message taken in. The 32-bit length of the standard allows 4 GiB; diagnostics that are
/// worth a signal are far below this.
const BYTES_MAX: usize = 65_536;
/// Four bits of number; at most `N_Cr` before a consecutive frame (ISO 15765-2:2016, table 17).
const RULES: Rules = Rules { number_max: 15, pause_max: Duration::from_secs(1) };

/// Puts the messages of one bus together.
#[derive(Clone, Debug, Default)]
pub struct IsoTp {
    sessions: Sessions<(u32, bool), Pieces>,
}

impl IsoTp {
    /// Takes a frame in; appends the transfers it ends.
    pub fn push(&mut self, frame: &Frame, ended: &mut Vec<Ended>) {
        if frame.kind != FrameKind::Data {
            return;
        }
        match frame.bytes() {
            [control, ..] if control >> 4 == 0 => single(frame, ended),
            [control, ..] if control >> 4 == 1 => self.first(frame, ended),
            [control, rest @ ..] if control >> 4 == 2 => {
                self.consecutive(frame, (control & 15, rest), ended);
            }
            // Flow control of the other side, or something else.
            _ => {}
        }
    }

    /// Transfers that have begun and not ended.
    #[must_use]
    pub fn open(&self) -> usize {
        self.sessions.len()
    }

    fn first(&mut self, frame: &Frame, ended: &mut Vec<Ended>) {
        let (length, begin) = match frame.bytes() {
            // A length that does not fit into 12 bits stands in the four bytes that follow.
            [0x10, 0, a, b, c, d, rest @ ..] => (u32::from_be_bytes([*a, *b, *c, *d]), rest),
            [high, low, rest @ ..] => (u32::from(high & 15) << 8 | u32::from(*low), rest),
            _ => return,
        };
        if frame.bytes().len() < 8 {
            return;
        }
        let key = (frame.id, frame.extended);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > BYTES_MAX || length <= begin.len() {
            if let Some(before) = self.sessions.close(&key) {
                ended.push(ended_as(before, key, frame.ts, Err(Failure::Restarted)));
            }
            ended.push(over(key, (frame.ts, frame.ts), Err(Failure::Length)));
            return;
        }
        let pieces = Pieces::begin(frame.ts, length, begin);
        if let Some((of, before)) = self.sessions.open(key, frame.ts, pieces) {
            let why = if of == key { Failure::Restarted } else { Failure::Crowded };
            ended.push(ended_as(before, of, frame.ts, Err(why)));
        }
    }

    fn consecutive(&mut self, frame: &Frame, (number, rest): (u8, &[u8]), ended: &mut Vec<Ended>) {
        let key = (frame.id, frame.extended);
        let piece = (frame.ts, number, rest);
        if let Some((pieces, how)) = self.sessions.take_piece(key, piece, RULES) {
            ended.push(ended_as(pieces, key, frame.ts, how));
        }
    }
}

fn single(frame: &Frame, ended: &mut Vec<Ended>) {
    let (length, rest) = match frame.bytes() {
        // CAN FD: a message of more than seven bytes has its length in the second byte.
        [0, length, rest @ ..] if frame.bytes().len() > 8 => (*length, rest),
        [length, rest @ ..] => (*length, rest),
        [] => return,
    };
    let payload = rest.get(..usize::from(length)).filter(|payload| !payload.is_empty());
    if let Some(payload) = payload {
        let key = (frame.id, frame.extended);
        let whole = over(key, (frame.ts, frame.ts), Ok(payload.to_vec()));
        ended.push(Ended { kind: Kind::Single, ..whole });
    }
}

fn ended_as(pieces: Pieces, key: (u32, bool), last: Timestamp, how: Result<(), Failure>) -> Ended {
    over(key, (pieces.first, last), how.map(|()| pieces.payload))
}

fn over(
    (id, extended): (u32, bool),
    (first, last): (Timestamp, Timestamp),
    payload: Result<Vec<u8>, Failure>,
) -> Ended {
    Ended { first, last, id, extended, kind: Kind::Multi, pgn: None, destination: None, payload }
}
