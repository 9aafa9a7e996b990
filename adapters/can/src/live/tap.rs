//! Tap: the frames of an interface one after the other, for whoever watches a bus from a terminal.
//!
//! In: the name of an interface. Out: frames as a log has them, until it is told to end.
//! TA-1 Nothing is ever sent: it has the adapter's own receiver ([`super::receive`]).
//! TA-2 Frames that found the queue full are counted, never passed over ([`Tap::lost`]).

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;
use signals::{Clock, Stop};

use super::link::Link;
use super::load::WireBits;
use super::receive::{Receiver, read_frame};
use super::stamp::Stamper;
use crate::frame::Frame;
use crate::log_decode::FrameSource;
use crate::logs::BadLines;

/// Longest wait for a frame: how soon an end is noticed.
const PATIENCE: Duration = Duration::from_millis(100);

/// An interface that cannot be listened to.
#[derive(Debug, thiserror::Error)]
pub enum TapError {
    /// There is none of that name.
    #[error("{0}: no such interface; see `ip link` for those there are")]
    Absent(String),
    /// It is not set up.
    #[error("{0}: is down; set it up with `ip link set {0} up`")]
    Down(String),
    /// The system refuses.
    #[error("{interface}: cannot be listened to: {cause}; check that it is a CAN interface")]
    System {
        /// The interface.
        interface: String,
        /// What the system said.
        cause: io::Error,
    },
}

/// When it shall end.
#[derive(Clone, Debug, Default)]
pub struct TapEnd {
    /// Raised when it shall end.
    pub stop: Stop,
    /// After this long, if not told before.
    pub after: Option<Duration>,
}

/// Listens to an interface.
pub struct Tap {
    receiver: Receiver,
    names: Vec<String>,
    /// Bits per second, and those of CAN FD payloads, as the interface says.
    rates: (Option<u32>, Option<u32>),
    /// Frames received and not handed out yet: those of one call.
    waiting: VecDeque<Frame>,
    stamper: Stamper,
    clock: Arc<dyn Clock>,
    begun: Duration,
    end: TapEnd,
    lost: u32,
    malformed: u64,
}

/// How long frames occupied the bus.
#[derive(Clone, Copy, Debug, Default)]
pub struct Occupied(WireBits);

impl Occupied {
    /// Adds a frame, its stuff bits and the pause behind it.
    pub fn add(&mut self, frame: &Frame) {
        self.0.add(WireBits::of(frame));
    }

    /// Seconds at these rates in bit/s; `None` when a rate that is needed is not known.
    #[must_use]
    pub fn seconds(&self, (nominal, fast): (Option<u32>, Option<u32>)) -> Option<f64> {
        self.0.seconds(nominal, fast)
    }
}

impl Tap {
    /// Listens to `interface` from now on, until `end`.
    ///
    /// # Errors
    /// [`TapError`].
    pub fn open(interface: &str, clock: Arc<dyn Clock>, end: TapEnd) -> Result<Self, TapError> {
        let name = || interface.to_owned();
        let system = |cause| TapError::System { interface: name(), cause };
        let link = Link::read(interface).map_err(|error| system(io::Error::other(error)))?;
        let link = link.ok_or_else(|| TapError::Absent(name()))?;
        let receiver = Receiver::open(link.index, &[]).map_err(system)?;
        if !link.is_up {
            return Err(TapError::Down(name()));
        }
        Ok(Self {
            receiver,
            names: vec![name()],
            rates: (link.bitrate, link.data_bitrate),
            waiting: VecDeque::new(),
            stamper: Stamper::default(),
            begun: clock.monotonic(),
            clock,
            end,
            lost: 0,
            malformed: 0,
        })
    }

    /// Bits per second, and those of CAN FD payloads; `None` for virtual interfaces.
    #[must_use]
    pub const fn rates(&self) -> (Option<u32>, Option<u32>) {
        self.rates
    }

    /// Frames that found the queue full.
    #[must_use]
    pub const fn lost(&self) -> u32 {
        self.lost
    }

    /// How long it has been listening.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.clock.monotonic().saturating_sub(self.begun)
    }

    fn is_over(&self) -> bool {
        self.end.stop.is_raised() || self.end.after.is_some_and(|after| self.elapsed() >= after)
    }

    /// Takes the frames of one call into `waiting`.
    fn take(&mut self) -> io::Result<()> {
        let Self { receiver, waiting, stamper, clock, lost, malformed, .. } = self;
        let received = receiver.receive(|received| {
            *lost = (*lost).max(received.lost.unwrap_or(0));
            let mut frame = Frame::default();
            if read_frame(received.bytes, &mut frame) {
                frame.ts = stamper.next(received.at.unwrap_or_else(|| clock.now()));
                waiting.push_back(frame);
            } else {
                *malformed += 1;
            }
        });
        let Err(error) = received else { return Ok(()) };
        let name = self.names.first().map_or("", String::as_str);
        match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::EAGAIN | Errno::EINTR) => {
                self.lost = self.lost.max(self.receiver.lost().unwrap_or(0));
                Ok(())
            }
            Some(Errno::ENETDOWN) => Err(io::Error::other(format!("{name} was set down"))),
            Some(Errno::ENODEV | Errno::ENXIO) => {
                Err(io::Error::other(format!("{name} was removed")))
            }
            _ => Err(error),
        }
    }
}

impl FrameSource for Tap {
    /// Waits for the next frame; false when it shall end.
    fn next(&mut self, frame: &mut Frame) -> io::Result<bool> {
        loop {
            if let Some(next) = self.waiting.pop_front() {
                *frame = next;
                return Ok(true);
            }
            if self.is_over() {
                self.lost = self.lost.max(self.receiver.lost().unwrap_or(0));
                return Ok(false);
            }
            if self.receiver.wait(PATIENCE)? {
                self.take()?;
            }
        }
    }

    fn channels(&self) -> &[String] {
        &self.names
    }

    fn bad_lines(&self) -> BadLines {
        BadLines { count: self.malformed, ..BadLines::default() }
    }

    fn may_wait(&self) -> bool {
        self.waiting.is_empty()
    }
}
