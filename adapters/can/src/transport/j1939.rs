//! SAE J1939-21 transport by listening: broadcasts (BAM) and connections between two others.

use std::time::Duration;

use signals::Timestamp;

use super::sessions::Sessions;
use super::{Ended, Failure, Kind};
use crate::frame::{Frame, FrameKind};
use crate::j1939::{pgn, source_address};

/// Connection management, to a destination.
const TP_CM: u32 = 0xEC00;
/// The packets.
const TP_DT: u32 = 0xEB00;
const REQUEST_TO_SEND: u8 = 16;
const BROADCAST_ANNOUNCE: u8 = 32;
const ABORT: u8 = 255;
/// Payload bytes of a packet.
const PACKET_BYTES: usize = 7;
/// Longest message: 255 packets (SAE J1939-21, clause 5.10.1).
const BYTES_MAX: usize = 255 * PACKET_BYTES;
/// Longest pause: T2 and T3 of clause 5.10.2.4, the longest any receiver may wait.
const PAUSE_MAX: Duration = Duration::from_millis(1250);

/// Puts the messages of one bus together.
#[derive(Clone, Debug, Default)]
pub struct J1939 {
    /// By source and destination address.
    sessions: Sessions<(u8, u8), Session>,
}

#[derive(Clone, Debug)]
struct Session {
    first: Timestamp,
    id: u32,
    kind: Kind,
    pgn: u32,
    length: usize,
    /// All packets, each at its place.
    payload: Vec<u8>,
    heard: [bool; 256],
    missing: usize,
}

impl J1939 {
    /// Takes a frame in; appends the transfers it ends.
    ///
    /// Packets may come twice and in any order; the sender of a connection may be asked for some
    /// of them again.
    pub fn push(&mut self, frame: &Frame, ended: &mut Vec<Ended>) {
        if frame.kind != FrameKind::Data || !frame.extended {
            return;
        }
        match (pgn(frame.id), frame.bytes()) {
            (TP_CM, [control @ (REQUEST_TO_SEND | BROADCAST_ANNOUNCE), rest @ ..]) => {
                self.announce(frame, (*control, rest), ended);
            }
            (TP_CM, [ABORT, _, _, _, _, _, _, _]) => {
                let (source, destination) = key_of(frame);
                // Either side may give it up.
                for key in [(source, destination), (destination, source)] {
                    self.end(key, (frame.ts, Err(Failure::Abort)), ended);
                }
            }
            (TP_DT, [number, packet @ ..]) if packet.len() == PACKET_BYTES => {
                self.packet(frame, (*number, packet), ended);
            }
            _ => {}
        }
    }

    /// Transfers that have begun and not ended.
    #[must_use]
    pub fn open(&self) -> usize {
        self.sessions.len()
    }

    fn announce(&mut self, frame: &Frame, (control, rest): (u8, &[u8]), ended: &mut Vec<Ended>) {
        let &[low, high, packets, _, g0, g1, g2] = rest else { return };
        let key = key_of(frame);
        let length = usize::from(low) | usize::from(high) << 8;
        let packets = usize::from(packets);
        let kind = if control == BROADCAST_ANNOUNCE { Kind::Bam } else { Kind::Rts };
        let session = Session {
            first: frame.ts,
            id: frame.id,
            kind,
            pgn: u32::from(g0) | u32::from(g1) << 8 | u32::from(g2) << 16,
            length,
            payload: vec![0; packets * PACKET_BYTES],
            heard: [false; 256],
            missing: packets,
        };
        if length > BYTES_MAX || length == 0 || length > session.payload.len() {
            self.end(key, (frame.ts, Err(Failure::Restarted)), ended);
            ended.push(session.over(key, frame.ts, Err(Failure::Length)));
            return;
        }
        if let Some((of, before)) = self.sessions.open(key, frame.ts, session) {
            let why = if of == key { Failure::Restarted } else { Failure::Crowded };
            ended.push(before.over(of, frame.ts, Err(why)));
        }
    }

    fn packet(&mut self, frame: &Frame, (number, packet): (u8, &[u8]), ended: &mut Vec<Ended>) {
        let key = key_of(frame);
        let Some((heard, session)) = self.sessions.get_mut(&key) else { return };
        let late = frame.ts.since(*heard) > PAUSE_MAX;
        *heard = frame.ts;
        if late {
            self.end(key, (frame.ts, Err(Failure::Timeout)), ended);
        } else if !session.take(number, packet) {
            self.end(key, (frame.ts, Err(Failure::Sequence)), ended);
        } else if session.missing == 0 {
            self.end(key, (frame.ts, Ok(())), ended);
        }
    }

    fn end(
        &mut self,
        key: (u8, u8),
        (now, how): (Timestamp, Result<(), Failure>),
        ended: &mut Vec<Ended>,
    ) {
        if let Some(session) = self.sessions.close(&key) {
            ended.push(session.over(key, now, how));
        }
    }
}

impl Session {
    /// Puts a packet at its place; false when it has none.
    fn take(&mut self, number: u8, packet: &[u8]) -> bool {
        let Some(before) = usize::from(number).checked_sub(1) else { return false };
        let begin = before * PACKET_BYTES;
        let Some(place) = self.payload.get_mut(begin..begin + PACKET_BYTES) else { return false };
        place.copy_from_slice(packet);
        if let Some(heard) = self.heard.get_mut(usize::from(number)) {
            self.missing -= usize::from(!std::mem::replace(heard, true));
        }
        true
    }

    fn over(mut self, key: (u8, u8), last: Timestamp, how: Result<(), Failure>) -> Ended {
        self.payload.truncate(self.length);
        Ended {
            first: self.first,
            last,
            id: self.id,
            extended: true,
            kind: self.kind,
            pgn: Some(self.pgn),
            destination: Some(key.1),
            payload: how.map(|()| self.payload),
        }
    }
}

fn key_of(frame: &Frame) -> (u8, u8) {
    // The second byte of the identifier: the destination, as both groups have PDU format 1.
    let destination = u8::try_from(frame.id >> 8 & 0xFF).unwrap_or(0xFF);
    (source_address(frame.id), destination)
}
