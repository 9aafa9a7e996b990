//! Transport: messages longer than a frame, put together by listening alone.
//!
//! In: the frames of one bus in their order. Out: one [`Ended`] per transfer, whole or with the
//! reason why not. Nothing is ever sent: flow control may be missing from what is heard.
//! T-1 A payload is handed out only if all its packets were heard, in their places.
//! T-2 Every transfer that began ends in exactly one [`Ended`], or is still open.
//! T-3 At most [`SESSIONS_MAX`] transfers are open; one more drops the one heard of longest ago.

mod fast_packet;
mod isotp;
mod j1939;
mod pieces;
mod sessions;

use std::fmt;

use signals::Timestamp;

pub use fast_packet::FastPacket;
pub use isotp::IsoTp;
pub use j1939::J1939;

/// Transfers of one protocol that may be open on a bus at once.
pub const SESSIONS_MAX: usize = 512;

/// How a message was sent in pieces.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// ISO 15765-2, within one frame.
    Single,
    /// ISO 15765-2, over several frames.
    Multi,
    /// SAE J1939-21 broadcast announce message.
    Bam,
    /// SAE J1939-21 connection (RTS/CTS) between two others.
    Rts,
    /// NMEA 2000 fast packet.
    Fast,
}

/// Why a transfer came to nothing.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Failure {
    /// Its sender began again before the end.
    Restarted,
    /// A packet is missing, or came at the wrong place.
    Sequence,
    /// One of the two gave it up.
    Abort,
    /// Its next packet came too late.
    Timeout,
    /// It announces a length that its protocol does not have, or that is not taken in.
    Length,
    /// Too many were open.
    Crowded,
}

/// A transfer that is over.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ended {
    /// When its first frame was heard.
    pub first: Timestamp,
    /// When its last frame was heard.
    pub last: Timestamp,
    /// Identifier of the frame that began it.
    pub id: u32,
    /// Whether that identifier has 29 bits.
    pub extended: bool,
    /// How it was sent.
    pub kind: Kind,
    /// Parameter group, of J1939 and NMEA 2000.
    pub pgn: Option<u32>,
    /// Destination address, of J1939.
    pub destination: Option<u8>,
    /// The whole message, or why there is none.
    pub payload: Result<Vec<u8>, Failure>,
}

impl Kind {
    /// `single`, `multi`, `bam`, `rts` or `fast`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Multi => "multi",
            Self::Bam => "bam",
            Self::Rts => "rts",
            Self::Fast => "fast",
        }
    }
}

impl Failure {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Restarted, Self::Sequence, Self::Abort, Self::Timeout, Self::Length, Self::Crowded];

    /// `restarted`, `sequence` …
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Restarted => "restarted",
            Self::Sequence => "sequence",
            Self::Abort => "abort",
            Self::Timeout => "timeout",
            Self::Length => "length",
            Self::Crowded => "crowded",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests;
