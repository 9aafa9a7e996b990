//! A session: one connection for a person at a terminal, asked slowly and made anew when it breaks.
//!
//! Reads only. Never two connections at a time: a broken one is closed before the next is made.

use std::io;
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};
use tokio_modbus::{Request, Response};

use crate::config::Transport;
use crate::scan::Read;
use crate::sunspec::{Map, Walk};
use crate::wire::{Fault, Turn, Wire, dial};

/// How a session treats the devices it asks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Patience {
    /// How long a connection may take to come up.
    pub connect_timeout: Duration,
    /// How long to wait for an answer.
    pub timeout: Duration,
    /// Shortest time from one request to the next.
    pub pace: Duration,
}

impl Default for Patience {
    /// Four requests a second at most: a device that controls something has other work to do.
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(2),
            timeout: Duration::from_secs(1),
            pace: Duration::from_millis(250),
        }
    }
}

/// Why a session has no answer; says what to do.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// There is no connection.
    #[error("{place}: cannot be reached: {err}; {}", remedy_of(.err))]
    Connect {
        /// Where it should lead.
        place: String,
        /// What the operating system says.
        err: io::Error,
    },
    /// The unit has not answered, or not with what was asked for.
    #[error("{place} unit {unit}: {fault}; {}", remedy(*.fault))]
    Fault {
        /// Where it was asked.
        place: String,
        /// Who was asked.
        unit: u8,
        /// How it went.
        fault: Fault,
    },
}

impl SessionError {
    /// The fault of an answer; `None` when there was no connection.
    #[must_use]
    pub const fn fault(&self) -> Option<Fault> {
        match self {
            Self::Fault { fault, .. } => Some(*fault),
            Self::Connect { .. } => None,
        }
    }
}

/// A connection to one place, made when it is needed.
#[derive(Debug)]
pub struct Session {
    transport: Transport,
    patience: Patience,
    wire: Option<Box<Wire>>,
    next_id: u16,
    next_at: Instant,
    requests: u64,
}

impl Session {
    /// A session that has not connected yet.
    #[must_use]
    pub fn new(transport: Transport, patience: Patience) -> Self {
        let next_at = Instant::now();
        Self { transport, patience, wire: None, next_id: 1, next_at, requests: 0 }
    }

    /// Where it leads.
    #[must_use]
    pub fn transport(&self) -> &Transport {
        &self.transport
    }

    /// Requests sent so far.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// Reads registers or bits; a bit is a word of 0 or 1.
    ///
    /// # Errors
    /// [`SessionError`].
    pub async fn read(&mut self, unit: u8, read: Read) -> Result<Vec<u16>, SessionError> {
        let turn = self.turn(unit).await?;
        let mut words = Vec::new();
        let done = match &mut self.wire {
            Some(wire) => wire.read(turn, read, &mut words).await,
            None => Err(Fault::Closed),
        };
        self.settle();
        done.map(|()| words).map_err(|fault| self.failed(unit, fault))
    }

    /// Asks anything of a unit. Who uses it sends only what reads.
    ///
    /// # Errors
    /// [`SessionError`].
    pub(crate) async fn ask(
        &mut self,
        unit: u8,
        request: &Request<'_>,
    ) -> Result<Response, SessionError> {
        let turn = self.turn(unit).await?;
        let done = match &mut self.wire {
            Some(wire) => wire.ask(turn, request).await,
            None => Err(Fault::Closed),
        };
        self.settle();
        done.map_err(|fault| self.failed(unit, fault))
    }

    /// Walks along the `SunSpec` models of a unit; `told` hears of every read before it is sent.
    ///
    /// # Errors
    /// [`SessionError`] of the first request without an answer; a refusal is an answer.
    pub async fn sunspec(
        &mut self,
        unit: u8,
        registers_max: u16,
        mut told: impl FnMut(Read) + Send,
    ) -> Result<Map, SessionError> {
        let mut walk = Walk::new(registers_max);
        while let Some(read) = walk.next() {
            told(read);
            match self.read(unit, read).await {
                Ok(words) => walk.answer(Ok(&words)),
                Err(SessionError::Fault { fault: fault @ Fault::Exception(_), .. }) => {
                    walk.answer(Err(fault));
                }
                Err(err) => return Err(err),
            }
        }
        Ok(walk.finish())
    }

    /// The next turn, when its time has come and the connection is up.
    async fn turn(&mut self, unit: u8) -> Result<Turn, SessionError> {
        sleep_until(self.next_at).await;
        if self.wire.is_none() {
            let dialled =
                timeout(self.patience.connect_timeout, dial(&self.transport, self.next_id));
            let dialled = dialled.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
            let place = self.transport.to_string();
            let wire = dialled.map_err(|err| SessionError::Connect { place, err })?;
            self.wire = Some(Box::new(wire));
        }
        let now = Instant::now();
        self.next_at = now + self.patience.pace;
        self.requests += 1;
        Ok(Turn { unit, deadline: now + self.patience.timeout })
    }

    /// Lets go of a connection that cannot be used any more.
    fn settle(&mut self) {
        if let Some(wire) = self.wire.take_if(|wire| wire.is_broken()) {
            self.next_id = wire.next_id();
        }
    }

    fn failed(&self, unit: u8, fault: Fault) -> SessionError {
        SessionError::Fault { place: self.transport.to_string(), unit, fault }
    }
}

/// What to do when a place cannot be reached.
fn remedy_of(err: &io::Error) -> &'static str {
    const REMEDIES: [(io::ErrorKind, &str); 4] = [
        (
            io::ErrorKind::ConnectionRefused,
            "nothing listens there: check the port, and whether another client holds the only \
             connection",
        ),
        (io::ErrorKind::PermissionDenied, "give the user access, for example group dialout"),
        (io::ErrorKind::NotFound, "check the name of the port"),
        (io::ErrorKind::Unsupported, "use another transport"),
    ];
    let known = REMEDIES.iter().find(|(kind, _)| *kind == err.kind());
    known.map_or("check address, cable and firewall", |(_, remedy)| remedy)
}

/// What to do about a fault.
const fn remedy(fault: Fault) -> &'static str {
    if let Fault::Exception(code) = fault {
        return remedy_of_refusal(code);
    }
    if matches!(fault, Fault::Timeout) {
        "check the unit id, power and wiring (on a serial line also baud and parity), or raise \
         --timeout"
    } else if matches!(fault, Fault::Unit(_)) {
        "two devices may share an address: correct the unit id"
    } else if matches!(fault, Fault::Framing(_)) {
        "check that a Modbus server of this transport listens there"
    } else if matches!(fault, Fault::Closed | Fault::Io(_)) {
        "check the cable, and whether another client holds the only connection"
    } else {
        "the device, the line or a gateway on the way is faulty"
    }
}

const fn remedy_of_refusal(code: u8) -> &'static str {
    match code {
        1 => "the device does not read this area: try another one",
        2 => "the device has no such address: try fewer, or others",
        3 => "the device does not give so many at once: lower --count",
        5 | 6 => "the device is busy: try again",
        10 | 11 => {
            "the gateway does not reach that unit: check the unit id and the device behind it"
        }
        _ => "look the number up in the device's manual",
    }
}
