//! candump logs: `(1635188455.020850) can0 18F00E00#821639C4FFFFFFFF R`.
//!
//! Written after the grammar of can-utils, and tolerant: a line that cannot be read is counted
//! with its number and skipped, and no line is held that is longer than [`LINE_BYTES_MAX`].

use std::io::{self, BufRead};

use signals::Timestamp;

use crate::frame::{
    EXTENDED_ID_MAX, FD_RATE_SWITCHED, FD_SENDER_PASSIVE, Frame, FrameKind, PAYLOAD_BYTES_MAX,
    STANDARD_ID_MAX,
};

/// Longest line that is read; candump's longest (FD with 64 bytes, dotted) has under 300.
pub const LINE_BYTES_MAX: usize = 1024;
/// Channels told apart in one log.
pub const CHANNELS_MAX: usize = 64;
/// Bad lines remembered with their number; all are counted.
const BAD_LINES_REMEMBERED: usize = 100;

const ERROR_FLAG: u32 = 0x2000_0000;
const REMOTE_FLAG: u32 = 0x4000_0000;

/// A line that is not a frame.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BadLine {
    /// Number of the line in the log, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub problem: &'static str,
}

/// Bad lines of a log: how many, and the first hundred.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct BadLines {
    /// How many there were.
    pub count: u64,
    /// The first of them.
    pub first: Vec<BadLine>,
}

/// Reads frames from a log, one after the other.
pub struct LogReader {
    input: Box<dyn BufRead + Send>,
    line: u64,
    channels: Vec<String>,
    spill: Vec<u8>,
    bad: BadLines,
}

impl LogReader {
    /// A reader at the beginning of `input`, which is plain text.
    #[must_use]
    pub fn new(input: Box<dyn BufRead + Send>) -> Self {
        Self { input, line: 0, channels: Vec::new(), spill: Vec::new(), bad: BadLines::default() }
    }

    /// Interface names in the order they appeared; [`Frame::channel`] is a place in here.
    #[must_use]
    pub fn channels(&self) -> &[String] {
        &self.channels
    }

    /// The lines that were not frames so far.
    #[must_use]
    pub fn bad_lines(&self) -> &BadLines {
        &self.bad
    }

    /// Reads the next frame into `frame`; false at the end of the log.
    ///
    /// # Errors
    /// Those of reading, a damaged gzip stream among them.
    pub fn next(&mut self, frame: &mut Frame) -> io::Result<bool> {
        loop {
            let buffered = self.input.fill_buf()?;
            if buffered.is_empty() {
                return Ok(false);
            }
            self.line += 1;
            if let Some(end) = buffered.iter().position(|&b| b == b'\n') {
                let line = buffered.get(..end).unwrap_or_default();
                let read = read_line(line, &mut self.channels, frame);
                self.input.consume(end + 1);
                if self.took(read) {
                    return Ok(true);
                }
                continue;
            }
            let complete = self.spill_line()?;
            let read = if complete {
                read_line(&self.spill, &mut self.channels, frame)
            } else {
                Err("longer than any frame")
            };
            if self.took(read) {
                return Ok(true);
            }
        }
    }

    /// Collects a line that does not lie in one piece; false when it is too long to be kept.
    fn spill_line(&mut self) -> io::Result<bool> {
        self.spill.clear();
        let mut complete = true;
        loop {
            let buffered = self.input.fill_buf()?;
            let end = buffered.iter().position(|&b| b == b'\n');
            let part = buffered.get(..end.unwrap_or(buffered.len())).unwrap_or_default();
            if self.spill.len() + part.len() > LINE_BYTES_MAX {
                complete = false;
            } else {
                self.spill.extend_from_slice(part);
            }
            let taken = part.len() + usize::from(end.is_some());
            self.input.consume(taken);
            if end.is_some() || taken == 0 {
                return Ok(complete);
            }
        }
    }

    fn took(&mut self, read: Result<bool, &'static str>) -> bool {
        match read {
            Ok(is_frame) => is_frame,
            Err(problem) => {
                self.bad.count += 1;
                if self.bad.first.len() < BAD_LINES_REMEMBERED {
                    self.bad.first.push(BadLine { line: self.line, problem });
                }
                false
            }
        }
    }
}

/// Reads one line without its line feed; `Ok(false)` for a blank line or a comment.
///
/// The channel is looked up in `channels` and added there when it is new.
///
/// # Errors
/// What is wrong with the line, in a few words. `frame` holds nothing of use then.
pub fn read_line(
    line: &[u8],
    channels: &mut Vec<String>,
    frame: &mut Frame,
) -> Result<bool, &'static str> {
    let line = line.trim_ascii();
    if line.is_empty() || matches!(line.first(), Some(b'#' | b';')) || line.starts_with(b"//") {
        return Ok(false);
    }
    let rest = line.strip_prefix(b"(").ok_or("does not start with a time in parentheses")?;
    let (time, rest) = split_at_byte(rest, b')').ok_or("the time has no closing parenthesis")?;
    let ts = read_time(time.trim_ascii()).ok_or("the time is not seconds.fraction")?;
    let (channel, rest) = next_word(rest).ok_or("no interface name")?;
    let (body, rest) = next_word(rest).ok_or("no frame")?;
    match rest.trim_ascii() {
        [] | [b'R' | b'T' | b'r' | b't'] => {}
        _ => return Err("unexpected text after the frame"),
    }
    *frame = Frame { ts, ..Frame::default() };
    read_frame(body, frame)?;
    frame.channel = place_of(channel, channels)?;
    Ok(true)
}

fn place_of(channel: &[u8], channels: &mut Vec<String>) -> Result<u16, &'static str> {
    let place = match channels.iter().position(|known| known.as_bytes() == channel) {
        Some(place) => place,
        None if channels.len() < CHANNELS_MAX => {
            channels.push(String::from_utf8_lossy(channel).into_owned());
            channels.len() - 1
        }
        None => return Err("more interfaces than one log can have"),
    };
    u16::try_from(place).map_err(|_| "more interfaces than one log can have")
}

/// `seconds.fraction` with 1 to 9 digits of fraction; what is finer than 1 µs is cut.
fn read_time(text: &[u8]) -> Option<Timestamp> {
    let (seconds, fraction) = split_at_byte(text, b'.')?;
    if fraction.len() > 9 || seconds.len() > 12 {
        return None;
    }
    let seconds = read_decimal(seconds)?;
    let digits = fraction.get(..fraction.len().min(6))?;
    let scale = 10_i64.pow(6_u32.checked_sub(u32::try_from(digits.len()).ok()?)?);
    let micros = read_decimal(digits)? * scale;
    if !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(Timestamp::from_micros(seconds * 1_000_000 + micros))
}

/// At most 12 digits, so that it cannot overflow.
fn read_decimal(digits: &[u8]) -> Option<i64> {
    if digits.is_empty() {
        return None;
    }
    let mut value = 0_i64;
    for &digit in digits {
        value = value * 10 + i64::from(digit.is_ascii_digit().then(|| digit - b'0')?);
    }
    Some(value)
}

fn read_frame(body: &[u8], frame: &mut Frame) -> Result<(), &'static str> {
    let (id, rest) = split_at_byte(body, b'#').ok_or("no # between identifier and payload")?;
    read_id(id, frame)?;
    if let Some(rest) = rest.strip_prefix(b"#") {
        let (flags, payload) = rest.split_first().ok_or("no flags after ##")?;
        let flags = hex_digit(*flags).ok_or("the flags after ## are not a hexadecimal digit")?;
        frame.fd = true;
        // Kernels also set 4 (it is an FD frame): not worth a difference.
        frame.fd_flags = flags & (FD_RATE_SWITCHED | FD_SENDER_PASSIVE);
        return read_payload(payload, PAYLOAD_BYTES_MAX, frame);
    }
    let rest = cut_raw_dlc(rest)?;
    if let [b'R' | b'r', length @ ..] = rest {
        frame.kind = FrameKind::Remote;
        frame.len = match length {
            [] => 0,
            [digit] => hex_digit(*digit).ok_or("the length after R is not a digit")?.min(8),
            [_, _, ..] => return Err("unexpected text after R"),
        };
        return Ok(());
    }
    read_payload(rest, 8, frame)
}

/// Classic frames of 8 bytes may carry their raw length code, `_9` to `_F`, after the payload.
fn cut_raw_dlc(body: &[u8]) -> Result<&[u8], &'static str> {
    match body {
        [rest @ .., b'_', code] => match hex_digit(*code) {
            Some(9..) => Ok(rest),
            Some(_) | None => Err("the length code after _ is not 9 to F"),
        },
        _ => Ok(body),
    }
}

fn read_id(text: &[u8], frame: &mut Frame) -> Result<(), &'static str> {
    const NOT_HEX: &str = "the identifier is not 1 to 8 hexadecimal digits";
    if text.is_empty() || text.len() > 8 {
        return Err(NOT_HEX);
    }
    let mut id = 0_u32;
    for &digit in text {
        id = (id << 4) | u32::from(hex_digit(digit).ok_or(NOT_HEX)?);
    }
    frame.extended = text.len() > 3;
    if !frame.extended {
        frame.id = id;
        return if id <= STANDARD_ID_MAX { Ok(()) } else { Err("the identifier is above 7FF") };
    }
    if id & ERROR_FLAG != 0 {
        frame.kind = FrameKind::Error;
        frame.extended = false;
    } else if id & REMOTE_FLAG != 0 {
        frame.kind = FrameKind::Remote;
    }
    frame.id = id & EXTENDED_ID_MAX;
    Ok(())
}

/// Pairs of hexadecimal digits, with dots between bytes or without.
fn read_payload(text: &[u8], bytes_max: usize, frame: &mut Frame) -> Result<(), &'static str> {
    let mut count = 0;
    let mut rest = text;
    while let [high, after @ ..] = rest {
        let [low, after @ ..] = after else { return Err("half a byte at the end") };
        let byte = hex_digit(*high).zip(hex_digit(*low)).ok_or("the payload is not hexadecimal")?;
        if count == bytes_max {
            return Err("the payload is longer than a frame can be");
        }
        if let Some(place) = frame.payload.get_mut(count) {
            *place = (byte.0 << 4) | byte.1;
        }
        count += 1;
        rest = after.strip_prefix(b".").unwrap_or(after);
    }
    frame.len = u8::try_from(count).map_err(|_| "the payload is longer than a frame can be")?;
    Ok(())
}

const fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

fn split_at_byte(text: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let place = text.iter().position(|&b| b == byte)?;
    Some((text.get(..place)?, text.get(place + 1..)?))
}

/// The next word and what follows it.
fn next_word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = text.trim_ascii_start();
    if text.is_empty() {
        return None;
    }
    let end = text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len());
    Some(text.split_at(end))
}

#[cfg(test)]
mod tests;
