//! ISO 15765-2 by listening: single, first and consecutive frames of normal addressing.

use std::time::Duration;

use signals::Timestamp;

use super::sessions::Sessions;
use super::{Ended, Failure, Kind};
use crate::frame::{Frame, FrameKind};

/// Longest message taken in. The 32-bit length of the standard allows 4 GiB; diagnostics that are
/// worth a signal are far below this.
const BYTES_MAX: usize = 65_536;
/// Longest pause before a consecutive frame (`N_Cr`, ISO 15765-2:2016, table 17).
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Puts the messages of one bus together.
#[derive(Clone, Debug, Default)]
pub struct IsoTp {
    sessions: Sessions<(u32, bool), Session>,
}

#[derive(Clone, Debug)]
struct Session {
    first: Timestamp,
    length: usize,
    payload: Vec<u8>,
    next: u8,
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
                ended.push(before.over(key, frame.ts, Err(Failure::Restarted)));
            }
            ended.push(over(key, (frame.ts, frame.ts), Err(Failure::Length)));
            return;
        }
        let session = Session { first: frame.ts, length, payload: begin.to_vec(), next: 1 };
        if let Some((of, before)) = self.sessions.open(key, frame.ts, session) {
            let why = if of == key { Failure::Restarted } else { Failure::Crowded };
            ended.push(before.over(of, frame.ts, Err(why)));
        }
    }

    fn consecutive(&mut self, frame: &Frame, (number, rest): (u8, &[u8]), ended: &mut Vec<Ended>) {
        let key = (frame.id, frame.extended);
        let Some((heard, session)) = self.sessions.get_mut(&key) else { return };
        let late = frame.ts.since(*heard) > PAUSE_MAX;
        *heard = frame.ts;
        let outcome = if late {
            Err(Failure::Timeout)
        } else if number != session.next {
            Err(Failure::Sequence)
        } else {
            let missing = session.length - session.payload.len();
            session.payload.extend(rest.iter().take(missing));
            session.next = (session.next + 1) & 15;
            if session.payload.len() < session.length {
                return;
            }
            Ok(())
        };
        if let Some(session) = self.sessions.close(&key) {
            ended.push(session.over(key, frame.ts, outcome));
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

impl Session {
    fn over(self, key: (u32, bool), last: Timestamp, how: Result<(), Failure>) -> Ended {
        over(key, (self.first, last), how.map(|()| self.payload))
    }
}

fn over(
    (id, extended): (u32, bool),
    (first, last): (Timestamp, Timestamp),
    payload: Result<Vec<u8>, Failure>,
) -> Ended {
    Ended { first, last, id, extended, kind: Kind::Multi, pgn: None, destination: None, payload }
}
