//! Wire engines: a request goes out, its own answer comes back, or the reason why not.
//!
//! `pdu` writes requests and judges answers; `mbap` frames for [`TcpWire`], which owns a
//! connection; [`RtuWire`] owns a serial line and finds answers by their shape and `crc`.
//! W-1 What is returned as an answer has the id, unit, function and length of its request.
//! W-2 No request takes longer than its deadline, writing included.
//! W-3 After a fault the next request gets its own answer, or the wire says that it is broken.

mod counts;
mod crc;
mod depth;
mod dial;
mod engine;
mod mbap;
mod pdu;
mod rtu;
mod serial;
mod tcp;
mod tls;
mod trace;

use std::io;

use signals::Reason;
use tokio::time::Instant;

pub use counts::WireCounts;
pub use depth::DepthControl;
pub use dial::dial;
pub use engine::{Ask, Outcome, Outcomes, Stream, Wire};
pub(crate) use rtu::Outstanding;
pub use rtu::{RtuWire, Timing};
pub use tcp::TcpWire;
pub use trace::{Fate, FrameTrace, Framing, TraceTap};

/// Why a request has no answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Fault {
    /// Nothing came, or not all of it, before the deadline.
    #[error("no answer in time")]
    Timeout,
    /// The device refused, with this exception code.
    #[error("refused with exception {0}")]
    Exception(u8),
    /// The answer came from another unit id.
    #[error("unit {0} answered instead")]
    Unit(u8),
    /// The answer carries another function code.
    #[error("the answer is to function {0}")]
    Function(u8),
    /// The answer carries another number of values, or another echo of what was written.
    #[error("the answer does not hold what was asked for")]
    Quantity,
    /// The answer ends before it says anything.
    #[error("the answer is cut short")]
    Short,
    /// The checksum of the answer is wrong.
    #[error("the checksum of the answer is wrong")]
    Crc,
    /// What arrives is not Modbus TCP; the place of the next frame is unknown.
    #[error("what arrives is not Modbus TCP: {0}")]
    Framing(&'static str),
    /// The peer has closed the connection.
    #[error("the device closed the connection")]
    Closed,
    /// The operating system reports an error of the connection.
    #[error("connection lost: {0}")]
    Io(io::ErrorKind),
    /// The request cannot be written as a frame.
    #[error("the request does not fit in a frame")]
    Request,
}

impl Fault {
    /// The reason a sample carries for it.
    #[must_use]
    pub const fn reason(self) -> Reason {
        match self {
            Self::Timeout => Reason::Timeout,
            Self::Exception(code) => Reason::Exception(code),
            Self::Unit(_) => Reason::UnitMismatch,
            Self::Function(_) => Reason::FunctionMismatch,
            Self::Quantity => Reason::QuantityMismatch,
            Self::Crc => Reason::Crc,
            Self::Short | Self::Framing(_) => Reason::Framing,
            Self::Closed | Self::Io(_) => Reason::NotConnected,
            Self::Request => Reason::ConfigError,
        }
    }

    /// The kind of I/O error it is for users of [`tokio_modbus::client::Client`].
    const fn io_kind(self) -> io::ErrorKind {
        match self {
            Self::Timeout => io::ErrorKind::TimedOut,
            Self::Closed => io::ErrorKind::UnexpectedEof,
            Self::Io(kind) => kind,
            Self::Request => io::ErrorKind::InvalidInput,
            Self::Exception(_)
            | Self::Unit(_)
            | Self::Function(_)
            | Self::Quantity
            | Self::Crc
            | Self::Short
            | Self::Framing(_) => io::ErrorKind::InvalidData,
        }
    }
}

/// One request's turn on the wire.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    /// Who is asked.
    pub unit: u8,
    /// When it is given up, writing included.
    pub deadline: Instant,
}

/// Frames that were no answer to the request in flight, since the connection came up.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Strays {
    /// Answers to requests that had been given up.
    pub late: u64,
    /// Second answers to a request.
    pub duplicate: u64,
    /// Ids that were never sent.
    pub foreign: u64,
}
