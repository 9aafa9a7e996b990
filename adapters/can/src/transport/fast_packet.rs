//! NMEA 2000 fast packets by listening: up to 223 bytes in up to 32 frames.

use std::time::Duration;

use signals::Timestamp;

use super::sessions::Sessions;
use super::{Ended, Failure, Kind};
use crate::frame::{Frame, FrameKind};
use crate::j1939::pgn;

/// Longest message: six bytes in the first frame and seven in each of 31 more.
const BYTES_MAX: u8 = 223;
/// Longest pause between two frames.
const PAUSE_MAX: Duration = Duration::from_millis(750);

/// Puts the messages of one bus together.
#[derive(Clone, Debug, Default)]
pub struct FastPacket {
    /// By identifier and sequence, of which a sender may have eight under way.
    sessions: Sessions<(u32, u8), Session>,
}

#[derive(Clone, Debug)]
struct Session {
    first: Timestamp,
    length: usize,
    payload: Vec<u8>,
    next: u8,
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
        let mut payload = begin.to_vec();
        if let Some(before) = self.sessions.close(&key) {
            ended.push(before.over(key, frame.ts, Err(Failure::Restarted)));
        }
        let whole = usize::from(length) <= payload.len();
        payload.truncate(usize::from(length));
        let session = Session { first: frame.ts, length: usize::from(length), payload, next: 1 };
        if length > BYTES_MAX {
            ended.push(session.over(key, frame.ts, Err(Failure::Length)));
        } else if whole {
            ended.push(session.over(key, frame.ts, Ok(())));
        } else if let Some((of, before)) = self.sessions.open(key, frame.ts, session) {
            ended.push(before.over(of, frame.ts, Err(Failure::Crowded)));
        }
    }

    fn next(&mut self, frame: &Frame, (number, rest): (u8, &[u8]), ended: &mut Vec<Ended>) {
        let key = key_of(frame);
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
            session.next += 1;
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

/// Identifier and sequence.
fn key_of(frame: &Frame) -> (u32, u8) {
    (frame.id, frame.bytes().first().map_or(0, |control| control >> 5))
}

impl Session {
    fn over(self, key: (u32, u8), last: Timestamp, how: Result<(), Failure>) -> Ended {
        Ended {
            first: self.first,
            last,
            id: key.0,
            extended: true,
            kind: Kind::Fast,
            pgn: Some(pgn(key.0)),
            destination: None,
            payload: how.map(|()| self.payload),
        }
    }
}
