//! What a wire has counted since its connection came up.

use super::Strays;

/// Counters of one connection or port, all rising.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct WireCounts {
    /// Requests sent.
    pub requests: u64,
    /// Answers to them, refusals among them.
    pub answers: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Bytes received.
    pub bytes_in: u64,
    /// RTU: frames of a legal length whose checksum is wrong.
    pub crc: u64,
    /// RTU: bytes skipped in search of the answer.
    pub resync_bytes: u64,
    /// Bytes thrown away before a request was sent, or after it was given up.
    pub drained_bytes: u64,
    /// RTU: 1 when our own bytes come back though `local_echo` does not say so.
    pub echoes: u64,
    /// Frames nobody waited for.
    pub strays: Strays,
}
