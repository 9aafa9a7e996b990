//! The connection of a line: up, coming up, or waiting for the next try.

use std::future::{Future, pending};
use std::io;
use std::pin::Pin;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use super::unit::Jitter;
use crate::wire::{Fault, TcpWire};

/// First pause after a connection that failed; it doubles up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(30);

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
    host: String,
    connect_timeout: Duration,
    state: State,
    /// Transaction ids go on over connections.
    next_id: u16,
    /// Whether the present connection has brought an answer.
    useful: bool,
    /// Connections in a row that failed or brought no answer.
    failures: u32,
    jitter: Jitter,
}

enum State {
    Up(Box<TcpWire>),
    Connecting(Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>),
    Down { retry_at: Duration },
}

impl Link {
    /// A connection that is to be made at once.
    pub(super) fn new(host: &str, connect_timeout: Duration, seed: u64) -> Self {
        Self {
            host: host.to_owned(),
            connect_timeout,
            state: State::Down { retry_at: Duration::ZERO },
            next_id: u16::try_from(seed & 0xFFFF).unwrap_or(1),
            useful: false,
            failures: 0,
            jitter: Jitter::new(seed),
        }
    }

    /// The engine, when the connection is up.
    pub(super) fn wire(&mut self) -> Option<&mut TcpWire> {
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
    }

    /// Closes the connection, or gives up making it; the next try comes after a pause.
    pub(super) fn lose(&mut self, now: Duration) {
        if let State::Up(wire) = &self.state {
            self.next_id = wire.next_id();
        }
        let pause = if self.useful {
            Duration::ZERO
        } else {
            let doubled = PAUSE_MIN * 2_u32.saturating_pow(self.failures.min(8));
            self.failures = self.failures.saturating_add(1);
            self.jitter.around(doubled.min(PAUSE_MAX))
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
        let (host, limit) = (self.host.clone(), self.connect_timeout);
        self.state = State::Connecting(Box::pin(async move {
            let stream = match timeout(limit, TcpStream::connect(&host)).await {
                Ok(connected) => connected?,
                Err(_) => return Err(io::ErrorKind::TimedOut.into()),
            };
            stream.set_nodelay(true)?;
            Ok(stream)
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
                Ok(stream) => {
                    self.state = State::Up(Box::new(TcpWire::new(stream, self.next_id)));
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
