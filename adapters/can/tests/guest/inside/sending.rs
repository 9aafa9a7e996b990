//! Sending: the other side of the bus.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use adapters_can::frame::{FD_RATE_SWITCHED, FD_SENDER_PASSIVE, Frame};
use socketcan::{
    CanAnyFrame, CanErrorFrame, CanFdFrame, CanFdSocket, CanFrame, EmbeddedFrame as _, ExtendedId,
    Id, Socket as _, StandardId,
};

/// Frames of a paced run go out this often.
const TICK: Duration = Duration::from_millis(5);

/// A station on the bus.
pub(super) struct Station(CanFdSocket);

impl Station {
    pub(super) fn on(interface: &str) -> Self {
        Self::try_on(interface).unwrap()
    }

    pub(super) fn try_on(interface: &str) -> std::io::Result<Self> {
        CanFdSocket::open(interface).map(Self)
    }

    /// Sends, again and again while the queue of the interface is full.
    pub(super) fn send(&self, frame: &CanAnyFrame) {
        let begun = Instant::now();
        while let Err(error) = self.0.write_frame(frame) {
            assert!(begun.elapsed() < Duration::from_secs(5), "cannot be sent: {error}");
            thread::yield_now();
        }
    }

    /// Sends number `number` of a row.
    pub(super) fn send_number(&self, number: u32) {
        self.send(&numbered(number));
    }

    /// Sends `seconds * rate` numbered frames evenly; frames per second that it was.
    pub(super) fn send_row(&self, rate: u32, seconds: u32) -> f64 {
        let total = rate * seconds;
        let begun = Instant::now();
        let mut sent = 0;
        while sent < total {
            while sent < due(rate, begun).min(total) {
                self.send_number(sent);
                sent += 1;
            }
            thread::park_timeout(TICK);
        }
        f64::from(total) / begun.elapsed().as_secs_f64()
    }

    /// Sends a frame of a log.
    pub(super) fn send_frame(&self, frame: &Frame) {
        self.send(&sendable(frame));
    }

    /// Makes an error frame, as only a virtual bus allows.
    pub(super) fn send_error(&self, class: u32, payload: [u8; 8]) {
        self.send(&CanErrorFrame::new_error(class, &payload).unwrap().into());
    }
}

/// Frames that are due since `begun` at `rate` a second.
pub(super) fn due(rate: u32, begun: Instant) -> u32 {
    let micros = u64::try_from(begun.elapsed().as_micros()).unwrap();
    u32::try_from(u64::from(rate) * micros / 1_000_000).unwrap()
}

/// Frame `100#<number>`.
fn numbered(number: u32) -> CanAnyFrame {
    let mut payload = [0; 8];
    payload[..4].copy_from_slice(&number.to_le_bytes());
    CanFrame::new(StandardId::new(0x100).unwrap(), &payload).unwrap().into()
}

fn sendable(frame: &Frame) -> CanAnyFrame {
    let id: Id = if frame.extended {
        ExtendedId::new(frame.id).unwrap().into()
    } else {
        StandardId::new(u16::try_from(frame.id).unwrap()).unwrap().into()
    };
    if !frame.fd {
        return CanFrame::new(id, frame.bytes()).unwrap().into();
    }
    let mut sent = CanFdFrame::new(id, frame.bytes()).unwrap();
    sent.set_brs(frame.fd_flags & FD_RATE_SWITCHED != 0);
    sent.set_esi(frame.fd_flags & FD_SENDER_PASSIVE != 0);
    sent.into()
}

/// Runs a command of the machine; panics when it fails.
pub(super) fn run(command: &str) {
    let mut words = command.split_whitespace();
    let program = words.next().unwrap();
    let output = Command::new(program).args(words).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command}: {told}");
}
