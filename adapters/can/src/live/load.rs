//! Load: how long a frame keeps the wire busy, to the bit.
//!
//! L-1 Stuff bits are counted from the bits that were sent, the checksum of classic frames among
//!     them (ISO 11898-1:2015, clauses 10.4 and 10.5); nothing is estimated.

use crate::frame::{FD_RATE_SWITCHED, Frame, FrameKind};

/// Bits after the checksum: its delimiter, acknowledge slot and delimiter, end of frame, and the
/// pause before the next frame (ISO 11898-1:2015, figures 12 to 16).
const TAIL_BITS: u64 = 1 + 1 + 1 + 7 + 3;
/// Stuff count and checksum of CAN FD frames with their fixed stuff bits, up to 16 bytes.
const FD_CHECK_BITS_17: u64 = 4 + 17 + 6;
/// As [`FD_CHECK_BITS_17`], above 16 bytes.
const FD_CHECK_BITS_21: u64 = 4 + 21 + 7;
/// Polynomial of the 15-bit checksum of classic frames (ISO 11898-1:2015, clause 10.4.2.6).
const CRC15: u16 = 0x4599;

/// Bits on the wire, by the rate they are sent at.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct WireBits {
    /// At the nominal rate.
    pub(crate) nominal: u64,
    /// At the higher rate of CAN FD payloads.
    pub(crate) fast: u64,
}

impl WireBits {
    /// The bits of a frame with the pause behind it; none for error frames, which are reports.
    pub(crate) fn of(frame: &Frame) -> Self {
        match frame.kind {
            FrameKind::Error => Self::default(),
            FrameKind::Data if frame.fd => of_fd(frame),
            FrameKind::Data | FrameKind::Remote => Self { nominal: of_classic(frame), fast: 0 },
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.nominal += other.nominal;
        self.fast += other.fast;
    }

    /// Seconds these bits take at the given rates in bit/s; `None` when a rate that is needed is
    /// not known.
    #[expect(clippy::cast_precision_loss, reason = "a second has far fewer than 2^52 bits")]
    pub(crate) fn seconds(self, nominal: Option<u32>, fast: Option<u32>) -> Option<f64> {
        let at = |bits: u64, rate: Option<u32>| match (bits, rate) {
            (0, _) => Some(0.0),
            (_, None | Some(0)) => None,
            (bits, Some(rate)) => Some(bits as f64 / f64::from(rate)),
        };
        Some(at(self.nominal, nominal)? + at(self.fast, fast.or(nominal))?)
    }
}

fn of_classic(frame: &Frame) -> u64 {
    let remote = u64::from(frame.kind == FrameKind::Remote);
    let id = u64::from(frame.id);
    let dlc = u64::from(frame.len.min(8));
    // Start, identifier, remote request, format, reserved bits, length; recessive is 1.
    let (header, header_bits) = if frame.extended {
        let (base, extension) = (id >> 18, id & 0x3_FFFF);
        let bits = (base << 20) | (0b11 << 18) | extension;
        ((bits << 7) | (remote << 6) | dlc, 39)
    } else {
        ((id << 7) | (remote << 6) | dlc, 19)
    };
    let mut crc = Crc15::default();
    // Zeros in front do not change a checksum that begins at 0.
    header.to_be_bytes().iter().for_each(|byte| crc.byte(*byte));
    let mut stuffing = Stuffing::default();
    stuffing.bits(header, header_bits);
    for byte in frame.bytes() {
        crc.byte(*byte);
        stuffing.byte(*byte);
    }
    stuffing.bits(u64::from(crc.0), 15);
    stuffing.sent + TAIL_BITS
}

fn of_fd(frame: &Frame) -> WireBits {
    let switched = u64::from(frame.fd_flags & FD_RATE_SWITCHED != 0);
    let id = u64::from(frame.id);
    // Up to the bit that switches the rate: … FDF 1, reserved 0, BRS.
    let (header, header_bits) = if frame.extended {
        let (base, extension) = (id >> 18, id & 0x3_FFFF);
        let bits = (base << 20) | (0b11 << 18) | extension;
        ((bits << 4) | (0b010 << 1) | switched, 36)
    } else {
        ((id << 5) | (0b0010 << 1) | switched, 17)
    };
    let mut stuffing = Stuffing::default();
    stuffing.bits(header, header_bits);
    let before_switch = stuffing.sent;
    let passive = u64::from(frame.fd_flags & crate::frame::FD_SENDER_PASSIVE != 0);
    stuffing.bits((passive << 4) | length_code(frame.len), 5);
    frame.bytes().iter().for_each(|byte| stuffing.byte(*byte));
    // A stuff bit after the last bit would stand where the first fixed one stands.
    let after_switch = stuffing.sent - before_switch - u64::from(stuffing.just_stuffed());
    let check = if frame.len > 16 { FD_CHECK_BITS_21 } else { FD_CHECK_BITS_17 };
    let payload = after_switch + check;
    if switched == 1 {
        WireBits { nominal: before_switch + TAIL_BITS, fast: payload }
    } else {
        WireBits { nominal: before_switch + payload + TAIL_BITS, fast: 0 }
    }
}

/// Length code of a CAN FD frame (ISO 11898-1:2015, table 5).
fn length_code(len: u8) -> u64 {
    match len {
        0..=8 => u64::from(len),
        9..=12 => 9,
        13..=16 => 10,
        17..=20 => 11,
        21..=24 => 12,
        25..=32 => 13,
        33..=48 => 14,
        49.. => 15,
    }
}

/// The checksum of classic frames.
#[derive(Clone, Copy, Debug, Default)]
struct Crc15(u16);

impl Crc15 {
    fn byte(&mut self, byte: u8) {
        let [_, top] = (self.0 >> 7).to_be_bytes();
        let place = usize::from(top ^ byte);
        self.0 = ((self.0 << 8) ^ CRC_OF_BYTE.get(place).copied().unwrap_or(0)) & 0x7FFF;
    }
}

/// Counts stuff bits: one after five equal bits, itself the first of the next run.
#[derive(Clone, Copy, Debug)]
struct Stuffing {
    /// Bits sent, stuff bits among them.
    sent: u64,
    /// The last bit sent times 4, plus the length of its run less one.
    run: u8,
    /// The last bit that was not stuffed.
    last: u8,
}

impl Default for Stuffing {
    fn default() -> Self {
        // The bus is idle at 1, and idle bits do not count.
        Self { sent: 0, run: 4, last: 1 }
    }
}

impl Stuffing {
    /// The lowest `count` bits of `value`, highest first.
    fn bits(&mut self, value: u64, mut count: u32) {
        while count >= 8 {
            count -= 8;
            self.byte(((value >> count) & 0xFF) as u8);
        }
        for place in (0..count).rev() {
            let bit = ((value >> place) & 1) as u8;
            let (run, stuffed) = step(self.run, bit);
            self.run = run;
            self.last = bit;
            self.sent += 1 + u64::from(stuffed);
        }
    }

    fn byte(&mut self, byte: u8) {
        let place = usize::from(self.run) << 8 | usize::from(byte);
        let (run, stuffed) = RUNS_OF_BYTE.get(place).copied().unwrap_or((self.run, 0));
        self.run = run;
        self.last = byte & 1;
        self.sent += 8 + u64::from(stuffed);
    }

    /// Whether the newest bit is a stuff bit.
    const fn just_stuffed(&self) -> bool {
        self.run >> 2 != self.last
    }
}

/// The run after one more bit, and whether a stuff bit followed it.
const fn step(run: u8, bit: u8) -> (u8, bool) {
    if run >> 2 != bit {
        return (bit << 2, false);
    }
    if run & 3 == 3 {
        return ((1 - bit) << 2, true);
    }
    (run + 1, false)
}

/// [`step`] for the eight bits of a byte, by run and byte.
#[expect(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "made by the compiler, which would say so"
)]
static RUNS_OF_BYTE: [(u8, u8); 8 * 256] = {
    let mut table = [(0, 0); 8 * 256];
    let mut place = 0;
    while place < table.len() {
        let (mut run, mut stuffed) = ((place >> 8) as u8, 0);
        let mut shift = 8;
        while shift > 0 {
            shift -= 1;
            let (next, was_stuffed) = step(run, (place >> shift & 1) as u8);
            run = next;
            stuffed += was_stuffed as u8;
        }
        table[place] = (run, stuffed);
        place += 1;
    }
    table
};

/// What a byte in front of the register does to the checksum.
#[expect(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "made by the compiler, which would say so"
)]
static CRC_OF_BYTE: [u16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = (byte as u16) << 7;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x4000 == 0 { crc << 1 } else { (crc << 1) ^ CRC15 };
            bit += 1;
        }
        table[byte] = crc & 0x7FFF;
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests;
