//! The connection of a line: up, coming up, or waiting for the next try.

use std::future::{Future, pending};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::unit::Jitter;
use crate::config::Transport;
use crate::wire::{Fault, FrameTrace, Outstanding, Strays, Wire, WireCounts, dial};

/// First pause after a connection that failed; it doubles up to a share of the outage so far,
/// within these limits: a short outage ends soon, a long one costs few attempts.
const PAUSE_MIN: Duration = Duration::from_millis(200);
const PAUSE_SHORT: Duration = Duration::from_secs(2);
const PAUSE_MAX: Duration = Duration::from_secs(30);
const OUTAGE_SHARE: u32 = 8;

/// What happened to the connection while the line was idle.
#[derive(Debug)]
pub(super) enum Event {
    /// It is up.
    Up,
    /// It could not be made.
    Failed(io::Error),
    /// It has ended.
    Lost(Fault),
}

/// The one connection of a line. Never two sockets at a time: the old one is closed first.
pub(super) struct Link {
    transport: Transport,
    connect_timeout: Duration,
    state: State,
    /// Transaction ids go on over connections.
    next_id: u16,
    /// Answers that may still come from the connections before: a serial device server sends them
    /// to whoever is connected.
    outstanding: Outstanding,
    /// Whether the present connection has brought an answer.
    useful: bool,
    /// Connections in a row that failed or brought no answer.
    failures: u32,
    /// Since when there has been no useful connection.
    lost_at: Option<Duration>,
    /// Connections that came up.
    connects: u64,
    /// What earlier connections counted.
    past: WireCounts,
    /// Where the frames are kept.
    trace: Arc<FrameTrace>,
    jitter: Jitter,
}

enum State {
    Up(Box<Wire>),
    Connecting(Pin<Box<dyn Future<Output = io::Result<Wire>> + Send>>),
    Down { retry_at: Duration },
}

impl Link {
    /// A connection that is to be made at once.
    pub(super) fn new(
        transport: Transport,
        connect_timeout: Duration,
        seed: u64,
        trace: Arc<FrameTrace>,
    ) -> Self {
        Self {
            transport,
            connect_timeout,
            state: State::Down { retry_at: Duration::ZERO },
            next_id: u16::try_from(seed & 0xFFFF).unwrap_or(1),
            outstanding: Outstanding::default(),
            useful: false,
            failures: 0,
            lost_at: None,
            connects: 0,
            past: WireCounts::default(),
            trace,
            jitter: Jitter::new(seed),
        }
    }

    /// The engine, when the connection is up.
    pub(super) fn wire(&mut self) -> Option<&mut Wire> {
        match &mut self.state {
            State::Up(wire) => Some(wire),
            State::Connecting(_) | State::Down { .. } => None,
        }
    }

    pub(super) fn is_up(&self) -> bool {
        matches!(self.state, State::Up(_))
    }

    /// The connection has brought an answer: it is worth making again at once when it ends.
    pub(super) fn answered(&mut self) {
        self.useful = true;
        self.failures = 0;
        self.lost_at = None;
    }
    /// Connections that came up since the line started.
    pub(super) fn connects(&self) -> u64 {
        self.connects
    }

    /// What all connections together have counted.
    pub(super) fn counts(&self) -> WireCounts {
        match &self.state {
            State::Up(wire) => sum(self.past, wire.counts()),
            State::Connecting(_) | State::Down { .. } => self.past,
        }
    }

    /// Closes the connection, or gives up making it; the next try comes after a pause.
    pub(super) fn lose(&mut self, now: Duration) {
        if let State::Up(wire) = &mut self.state {
            self.next_id = wire.next_id();
            self.outstanding = wire.take_outstanding();
            self.past = sum(self.past, wire.counts());
        }
        let pause = if self.useful {
            Duration::ZERO
        } else {
            let outage = now.saturating_sub(*self.lost_at.get_or_insert(now));
            let most = (outage / OUTAGE_SHARE).clamp(PAUSE_SHORT, PAUSE_MAX);
            let doubled = PAUSE_MIN * 2_u32.saturating_pow(self.failures.min(8));
            self.failures = self.failures.saturating_add(1);
            self.jitter.around(doubled.min(most))
        };
        self.useful = false;
        self.state = State::Down { retry_at: now + pause };
    }

    /// Starts the next try when its time has come; else says when that will be.
    pub(super) fn retry(&mut self, now: Duration) -> Option<Duration> {
        let State::Down { retry_at } = self.state else { return None };
        if retry_at > now {
            return Some(retry_at);
        }
        let (transport, limit) = (self.transport.clone(), self.connect_timeout);
        let first_id = self.next_id;
        self.state = State::Connecting(Box::pin(async move {
            let dialled = timeout(limit, dial(&transport, first_id)).await;
            dialled.unwrap_or_else(|_| Err(unanswered(limit)))
        }));
        None
    }

    /// Waits for something to happen to the connection. Cancelling it loses nothing.
    ///
    /// After [`Event::Failed`] and [`Event::Lost`] the caller calls [`Link::lose`].
    pub(super) async fn event(&mut self) -> Event {
        match &mut self.state {
            State::Up(wire) => Event::Lost(wire.idle().await),
            State::Down { .. } => pending().await,
            State::Connecting(connection) => match connection.await {
                Ok(mut wire) => {
                    self.connects += 1;
                    wire.trace_into(Arc::clone(&self.trace));
                    wire.inherit(std::mem::take(&mut self.outstanding));
                    self.state = State::Up(Box::new(wire));
                    Event::Up
                }
                Err(err) => {
                    self.state = State::Down { retry_at: Duration::MAX };
                    Event::Failed(err)
                }
            },
        }
    }
}

/// A connection that did not come up in time, in words for the operator.
fn unanswered(limit: Duration) -> io::Error {
    let told = format!(
        "no answer within {limit:?}; check the address, and that the device is switched on and its \
         cable plugged in"
    );
    io::Error::new(io::ErrorKind::TimedOut, told)
}

fn sum(one: WireCounts, other: WireCounts) -> WireCounts {
    WireCounts {
        requests: one.requests + other.requests,
        answers: one.answers + other.answers,
        bytes_out: one.bytes_out + other.bytes_out,
        bytes_in: one.bytes_in + other.bytes_in,
        crc: one.crc + other.crc,
        resync_bytes: one.resync_bytes + other.resync_bytes,
        drained_bytes: one.drained_bytes + other.drained_bytes,
        echoes: one.echoes.max(other.echoes),
        strays: Strays {
            late: one.strays.late + other.strays.late,
            duplicate: one.strays.duplicate + other.strays.duplicate,
            foreign: one.strays.foreign + other.strays.foreign,
        },
    }
}
