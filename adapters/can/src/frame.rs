//! Frames: what one message on the bus was.

use signals::Timestamp;

/// Payload bytes of a CAN FD frame, the longest there is.
pub const PAYLOAD_BYTES_MAX: usize = 64;
/// Greatest 11-bit identifier.
pub const STANDARD_ID_MAX: u32 = 0x7FF;
/// Greatest 29-bit identifier.
pub const EXTENDED_ID_MAX: u32 = 0x1FFF_FFFF;

/// The payload was sent at the higher rate (BRS).
pub const FD_RATE_SWITCHED: u8 = 0x01;
/// The sender is error passive (ESI).
pub const FD_SENDER_PASSIVE: u8 = 0x02;

/// What a frame carries.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum FrameKind {
    /// A payload.
    #[default]
    Data,
    /// A request for somebody else's payload; never decoded.
    Remote,
    /// A controller's report of bus errors; `id` holds the error class bits.
    Error,
}

/// One frame. Bytes of `payload` past `len` are 0.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Frame {
    /// When it was received.
    pub ts: Timestamp,
    /// The bus it was on: a place in the reader's list of channels.
    pub channel: u16,
    /// Arbitration id without flag bits: 11 or 29 bits.
    pub id: u32,
    /// Whether the id has 29 bits.
    pub extended: bool,
    /// CAN FD rather than classic.
    pub fd: bool,
    /// Flags of a CAN FD frame as SocketCAN has them: [`FD_RATE_SWITCHED`] and
    /// [`FD_SENDER_PASSIVE`]; 0 for classic frames.
    pub fd_flags: u8,
    /// Data, remote or error.
    pub kind: FrameKind,
    /// Bytes of payload: 0..=8 classic, 0..=64 FD. For a remote frame the length asked for.
    pub len: u8,
    /// The payload, padded with zeros.
    pub payload: [u8; PAYLOAD_BYTES_MAX],
}

impl Frame {
    /// The bytes received; empty for remote frames.
    #[must_use]
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        match self.kind {
            FrameKind::Remote => &[],
            FrameKind::Data | FrameKind::Error => {
                self.payload.get(..usize::from(self.len)).unwrap_or(&self.payload)
            }
        }
    }
}

impl Default for Frame {
    fn default() -> Self {
        Self {
            ts: Timestamp::default(),
            channel: 0,
            id: 0,
            extended: false,
            fd: false,
            fd_flags: 0,
            kind: FrameKind::Data,
            len: 0,
            payload: [0; PAYLOAD_BYTES_MAX],
        }
    }
}
