//! Times of a serial line.

use std::time::Duration;

use crate::config::Serial;

/// Pause after a broadcast in which devices work (Modbus over Serial Line V1.02, clause 2.4.1:
/// 100 to 200 ms).
const TURNAROUND: Duration = Duration::from_millis(100);
/// Above this rate the pause between frames is fixed (clause 2.5.1.1).
const BAUD_FIXED: u32 = 19_200;
const GAP_FIXED: Duration = Duration::from_micros(1750);

/// What a line needs between frames, and whether it returns our own bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Timing {
    /// One character on the line; zero where it is unknown.
    pub char_time: Duration,
    /// Silence between frames: t3.5.
    pub gap: Duration,
    /// Pause after a broadcast.
    pub turnaround: Duration,
    /// Whether our own bytes come back before the answer.
    pub local_echo: bool,
}

impl Timing {
    /// Of a serial port.
    #[must_use]
    pub fn of(serial: &Serial) -> Self {
        let bits = Duration::from_secs(u64::from(serial.bits_per_char()));
        let char_time = bits / serial.baud.max(1);
        let gap = if serial.baud > BAUD_FIXED { GAP_FIXED } else { char_time * 7 / 2 };
        Self { char_time, gap, turnaround: TURNAROUND, local_echo: serial.local_echo }
    }

    /// Of RTU over TCP: the serial device server keeps the gaps of the line behind it.
    #[must_use]
    pub const fn over_tcp() -> Self {
        Self {
            char_time: Duration::ZERO,
            gap: Duration::ZERO,
            turnaround: TURNAROUND,
            local_echo: false,
        }
    }

    /// How long a frame takes, and the silence behind it.
    pub(super) fn frame(&self, bytes: usize) -> Duration {
        self.char_time * u32::try_from(bytes).unwrap_or(u32::MAX) + self.gap
    }
}
