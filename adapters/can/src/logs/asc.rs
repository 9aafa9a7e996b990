//! Vector ASC: `   0.015991 1  18F00E00x       Rx   d 8 82 16 39 C4 FF FF FF FF`.
//!
//! What is not a frame (statistics, J1939 transfers put together, environment variables) is left
//! out and not counted as bad: the format holds a great many kinds of events.

use signals::Timestamp;

use super::FD_LENGTHS;
use super::channels::Channels;
use super::civil::spelled_out;
use super::scan::{after_word, next_word, number, scaled};
use crate::frame::{
    EXTENDED_ID_MAX, FD_RATE_SWITCHED, FD_SENDER_PASSIVE, Frame, FrameKind, PAYLOAD_BYTES_MAX,
    STANDARD_ID_MAX,
};

/// What the header says, and where the time is.
#[derive(Debug)]
pub(super) struct Asc {
    /// 10 or 16.
    base: u8,
    /// Whether a time counts from the event before it.
    relative: bool,
    /// What times count from.
    start: Timestamp,
    /// Microseconds since then, of the last event.
    elapsed_us: i64,
    frames: u64,
}

impl Default for Asc {
    fn default() -> Self {
        let start = Timestamp::default();
        Self { base: 16, relative: false, start, elapsed_us: 0, frames: 0 }
    }
}

/// Whether a line is one that only ASC files begin with.
pub(super) fn is_header(line: &[u8]) -> bool {
    after_word(line, "date").is_some_and(|rest| spelled_out(rest).is_some())
        || after_word(line, "base").is_some_and(|rest| {
            after_word(rest, "hex").or_else(|| after_word(rest, "dec")).is_some()
        })
}

impl Asc {
    /// Reads one line; `Ok(false)` for one that is not a frame.
    pub(super) fn read_line(
        &mut self,
        line: &[u8],
        channels: &mut Channels,
        frame: &mut Frame,
    ) -> Result<bool, &'static str> {
        let line = line.trim_ascii();
        let Some((first, rest)) = next_word(line) else { return Ok(false) };
        if !first.first().is_some_and(u8::is_ascii_digit) {
            self.take_header(line);
            return Ok(false);
        }
        let time = scaled(first, 1_000_000).ok_or("the time is not seconds.fraction")?;
        self.elapsed_us = if self.relative { self.elapsed_us.saturating_add(time) } else { time };
        let Some((kind, rest)) = next_word(rest) else { return Ok(false) };
        *frame = Frame::default();
        let (channel, is_frame) = if kind.eq_ignore_ascii_case(b"CANFD") {
            let (channel, rest) = next_word(rest).ok_or("no channel")?;
            (channel, self.read_fd(rest, frame)?)
        } else if kind.iter().all(u8::is_ascii_digit) {
            (kind, self.read_classic(rest, frame)?)
        } else {
            (kind, false)
        };
        if is_frame {
            self.frames += 1;
            frame.channel = channels.numbered(channel_of(channel)?)?;
            let micros = self.start.micros().saturating_add(self.elapsed_us);
            frame.ts = Timestamp::from_micros(micros);
        }
        Ok(is_frame)
    }

    fn take_header(&mut self, line: &[u8]) {
        if let Some(rest) = after_word(line, "base") {
            let text = rest.to_ascii_lowercase();
            self.base = if text.starts_with(b"dec") { 10 } else { 16 };
            self.relative = text.ends_with(b"relative");
        }
        // Times count from the first trigger block, which is the beginning of the measurement.
        let block = after_word(line, "Begin").and_then(|rest| after_word(rest, "Triggerblock"));
        if let Some(start) = after_word(line, "date").or(block).and_then(spelled_out)
            && self.frames == 0
        {
            self.start = start;
        }
    }

    fn read_classic(&self, rest: &[u8], frame: &mut Frame) -> Result<bool, &'static str> {
        let Some((id, rest)) = next_word(rest) else { return Ok(false) };
        if id.eq_ignore_ascii_case(b"ErrorFrame") {
            frame.kind = FrameKind::Error;
            return Ok(true);
        }
        let Some((direction, rest)) = next_word(rest) else { return Ok(false) };
        if !is_direction(direction) {
            return Ok(false);
        }
        self.read_id(id, frame)?;
        let (kind, rest) = next_word(rest).ok_or("neither d nor r after the direction")?;
        let length = next_word(rest);
        let code = length.map_or(Some(0), |(word, _)| number(word, self.base));
        if kind.eq_ignore_ascii_case(b"r") {
            frame.kind = FrameKind::Remote;
            // What follows may be something else than a length.
            frame.len = u8::try_from(code.unwrap_or(0).min(8)).unwrap_or(8);
            return Ok(true);
        }
        if !kind.eq_ignore_ascii_case(b"d") {
            return Err("neither d nor r after the direction");
        }
        let (_, rest) = length.ok_or("no length")?;
        let bytes = code.filter(|code| *code < 16).ok_or("the length is not 0 to 15")?.min(8);
        self.read_payload(rest, bytes, frame)?;
        Ok(true)
    }

    fn read_fd(&self, rest: &[u8], frame: &mut Frame) -> Result<bool, &'static str> {
        const CUT_OFF: &str = "a CAN FD frame that is cut off";
        let (direction, rest) = next_word(rest).ok_or(CUT_OFF)?;
        if !is_direction(direction) {
            return Ok(false);
        }
        let (id, rest) = next_word(rest).ok_or(CUT_OFF)?;
        if id.eq_ignore_ascii_case(b"ErrorFrame") {
            frame.kind = FrameKind::Error;
            return Ok(true);
        }
        self.read_id(id, frame)?;
        // A name of the message may stand between identifier and flags.
        let (mut switched, mut rest) = next_word(rest).ok_or(CUT_OFF)?;
        if !matches!(switched, b"0" | b"1") {
            (switched, rest) = next_word(rest).ok_or(CUT_OFF)?;
        }
        let (passive, rest) = next_word(rest).ok_or(CUT_OFF)?;
        let (code, rest) = next_word(rest).ok_or(CUT_OFF)?;
        let (length, rest) = next_word(rest).ok_or(CUT_OFF)?;
        let code = number(code, 16).and_then(|code| usize::try_from(code).ok());
        let code =
            code.and_then(|code| FD_LENGTHS.get(code)).ok_or("the length code is not 0 to F")?;
        let length = number(length, 10).filter(|n| *n <= 64).ok_or("the length is not 0 to 64")?;
        if length == 0 && *code > 0 {
            frame.kind = FrameKind::Remote;
            frame.len = (*code).min(8);
            return Ok(true);
        }
        frame.fd = true;
        frame.fd_flags = if switched == b"1" { FD_RATE_SWITCHED } else { 0 }
            | if passive == b"1" { FD_SENDER_PASSIVE } else { 0 };
        self.read_payload(rest, length, frame)?;
        Ok(true)
    }

    fn read_id(&self, word: &[u8], frame: &mut Frame) -> Result<(), &'static str> {
        let (digits, extended) = match word {
            [digits @ .., b'x' | b'X'] => (digits, true),
            digits => (digits, false),
        };
        let limit = if extended { EXTENDED_ID_MAX } else { STANDARD_ID_MAX };
        let id = number(digits, self.base).filter(|id| *id <= limit);
        frame.id = id.ok_or("the identifier is not a number of 11 or 29 bits")?;
        frame.extended = extended;
        Ok(())
    }

    fn read_payload(
        &self,
        mut rest: &[u8],
        bytes: u32,
        frame: &mut Frame,
    ) -> Result<(), &'static str> {
        let bytes = usize::try_from(bytes).unwrap_or(PAYLOAD_BYTES_MAX);
        for place in frame.payload.iter_mut().take(bytes) {
            let (word, after) = next_word(rest).ok_or("fewer bytes than its length says")?;
            let byte = number(word, self.base).and_then(|byte| u8::try_from(byte).ok());
            *place = byte.ok_or("a byte of the payload is not a number up to 255")?;
            rest = after;
        }
        frame.len = u8::try_from(bytes).unwrap_or(u8::MAX);
        Ok(())
    }
}

fn channel_of(word: &[u8]) -> Result<u32, &'static str> {
    number(word, 10).filter(|n| *n <= 255).ok_or("the channel is not a number up to 255")
}

fn is_direction(word: &[u8]) -> bool {
    [&b"Rx"[..], b"Tx", b"TxRq"].iter().any(|known| word.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests;
