//! PEAK TRC, versions 1.0 to 2.1: `      0         9.151 DT  2     07FF Rx -  0`.
//!
//! Error frames (`ER`) are frames of their own kind; status, counters and events are left out.

use signals::Timestamp;

use super::FD_LENGTHS;
use super::channels::Channels;
use super::scan::{next_word, number, scaled};
use crate::frame::{
    EXTENDED_ID_MAX, FD_RATE_SWITCHED, FD_SENDER_PASSIVE, Frame, FrameKind, STANDARD_ID_MAX,
};

/// 1899-12-30, the day 0 of Delphi and of `$STARTTIME`, in days before 1970.
const DAYS_BEFORE_EPOCH: f64 = 25_569.0;
const MICROS_PER_DAY: f64 = 86_400e6;
/// Columns of a line that are looked at; no version has more before the payload.
const COLUMNS_MAX: usize = 12;

/// What a column holds, by the letters of `$COLUMNS` (PEAK CAN TRC file format, version 2.0).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Column {
    /// `O`: milliseconds since the start.
    Offset,
    /// `B`: number of the bus, from 1.
    Bus,
    /// `T`: type of the line.
    Type,
    /// `I`: identifier.
    Id,
    /// `l`: bytes of payload.
    Length,
    /// `L`: length code.
    LengthCode,
    /// `D`: the payload, to the end of the line.
    Payload,
    /// Something else.
    Other,
}

use Column::{Bus, Id, Length, LengthCode, Offset, Other, Payload, Type};

/// What the header says.
#[derive(Debug)]
pub(super) struct Trc {
    /// What times count from.
    start: Timestamp,
    columns: Vec<Column>,
}

impl Default for Trc {
    fn default() -> Self {
        let columns = vec![Other, Offset, Id, LengthCode, Payload];
        Self { start: Timestamp::default(), columns }
    }
}

/// The words of a line, before they mean anything.
#[derive(Default)]
struct Words<'a> {
    offset: &'a [u8],
    bus: &'a [u8],
    kind: &'a [u8],
    id: &'a [u8],
    length: &'a [u8],
    is_code: bool,
    payload: &'a [u8],
}

impl Trc {
    /// Reads one line; `Ok(false)` for one that is not a frame.
    pub(super) fn read_line(
        &mut self,
        line: &[u8],
        channels: &mut Channels,
        frame: &mut Frame,
    ) -> Result<bool, &'static str> {
        let line = line.trim_ascii();
        if let [b';', rest @ ..] = line {
            self.take_header(rest.trim_ascii());
            return Ok(false);
        }
        if line.is_empty() {
            return Ok(false);
        }
        let words = self.words(line)?;
        *frame = Frame::default();
        match words.kind {
            // Versions 1: received, sent. A bus event has an identifier that cannot be.
            b"" | b"Rx" | b"Tx" if words.id == b"FFFFFFFF" => return Ok(false),
            b"" | b"Rx" | b"Tx" | b"DT" => {}
            b"RR" => frame.kind = FrameKind::Remote,
            b"ER" | b"Error" => frame.kind = FrameKind::Error,
            b"FD" => frame.fd = true,
            b"FB" => (frame.fd, frame.fd_flags) = (true, FD_RATE_SWITCHED),
            b"FE" => {
                (frame.fd, frame.fd_flags) = (true, FD_RATE_SWITCHED | FD_SENDER_PASSIVE);
            }
            b"BI" => (frame.fd, frame.fd_flags) = (true, FD_SENDER_PASSIVE),
            _ => return Ok(false),
        }
        let offset = scaled(words.offset, 1_000).ok_or("the time is not milliseconds")?;
        frame.ts = Timestamp::from_micros(self.start.micros().saturating_add(offset));
        let bus = if words.bus.is_empty() { Some(1) } else { number(words.bus, 10) };
        let bus = bus.filter(|bus| *bus <= 255).ok_or("the bus is not a number up to 255")?;
        frame.channel = channels.numbered(bus)?;
        if frame.kind != FrameKind::Error {
            words.read_frame(frame)?;
        }
        Ok(true)
    }

    fn take_header(&mut self, header: &[u8]) {
        let Some(header) = header.strip_prefix(b"$") else { return };
        let Some(place) = header.iter().position(|&b| b == b'=') else { return };
        let (key, value) = header.split_at(place);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        match key {
            b"FILEVERSION" => self.columns = columns_of_version(value),
            b"STARTTIME" => {
                let days = std::str::from_utf8(value).ok().and_then(|d| d.parse::<f64>().ok());
                if let Some(days) = days.filter(|days| days.is_finite()) {
                    let micros = ((days - DAYS_BEFORE_EPOCH) * MICROS_PER_DAY).round();
                    #[expect(clippy::cast_possible_truncation, reason = "the cast saturates")]
                    let micros = micros as i64;
                    self.start = Timestamp::from_micros(micros);
                }
            }
            b"COLUMNS" => {
                let letters = value.split(|&b| b == b',').map(<[u8]>::trim_ascii);
                self.columns = letters.map(column_of).take(COLUMNS_MAX).collect();
            }
            _ => {}
        }
    }

    fn words<'a>(&self, line: &'a [u8]) -> Result<Words<'a>, &'static str> {
        let mut words = Words::default();
        let mut rest = line;
        for column in &self.columns {
            if *column == Payload {
                words.payload = rest.trim_ascii();
                break;
            }
            let Some((word, after)) = next_word(rest) else {
                return Err("fewer columns than the header says");
            };
            rest = after;
            match column {
                Offset => words.offset = word,
                Bus => words.bus = word,
                Type => words.kind = word,
                Id => words.id = word,
                Length => (words.length, words.is_code) = (word, false),
                LengthCode => (words.length, words.is_code) = (word, true),
                Payload | Other => {}
            }
            // Lines of other types may end here.
            if *column == Type && !is_frame(word) {
                break;
            }
        }
        Ok(words)
    }
}

impl Words<'_> {
    fn read_frame(&self, frame: &mut Frame) -> Result<(), &'static str> {
        let id = number(self.id, 16).ok_or("the identifier is not hexadecimal")?;
        frame.extended = self.id.len() > 4;
        let limit = if frame.extended { EXTENDED_ID_MAX } else { STANDARD_ID_MAX };
        if id > limit {
            return Err("the identifier has more than 11 or 29 bits");
        }
        frame.id = id;
        let stated = number(self.length, 10).and_then(|n| u8::try_from(n).ok());
        let length = match (self.is_code, frame.fd) {
            (true, true) => stated.and_then(|code| FD_LENGTHS.get(usize::from(code))).copied(),
            (true, false) => stated.filter(|code| *code < 16).map(|code| code.min(8)),
            (false, true) => stated.filter(|n| *n <= 64),
            (false, false) => stated.filter(|n| *n <= 8),
        };
        frame.len = length.ok_or("the length is not one that a frame has")?;
        if self.payload.starts_with(b"RTR") {
            frame.kind = FrameKind::Remote;
        }
        if frame.kind == FrameKind::Remote {
            return Ok(());
        }
        let mut rest = self.payload;
        for place in frame.payload.iter_mut().take(usize::from(frame.len)) {
            let (word, after) = next_word(rest).ok_or("fewer bytes than its length says")?;
            let byte = number(word, 16).and_then(|byte| u8::try_from(byte).ok());
            *place = byte.ok_or("a byte of the payload is not hexadecimal")?;
            rest = after;
        }
        Ok(())
    }
}

/// Whether lines of that type have all columns.
fn is_frame(kind: &[u8]) -> bool {
    matches!(kind, b"DT" | b"RR" | b"ER" | b"FD" | b"FB" | b"FE" | b"BI" | b"Rx" | b"Tx")
}

/// Versions before 2 have the same columns in every file.
fn columns_of_version(version: &[u8]) -> Vec<Column> {
    match version {
        b"1.1" => vec![Other, Offset, Type, Id, LengthCode, Payload],
        b"1.2" => vec![Other, Offset, Bus, Type, Id, LengthCode, Payload],
        b"1.3" => vec![Other, Offset, Bus, Type, Id, Other, LengthCode, Payload],
        // Version 2 names them in `$COLUMNS`.
        _ => Trc::default().columns,
    }
}

fn column_of(letter: &[u8]) -> Column {
    match letter {
        b"O" => Offset,
        b"B" => Bus,
        b"T" => Type,
        b"I" => Id,
        b"l" => Length,
        b"L" => LengthCode,
        b"D" => Payload,
        _ => Other,
    }
}

#[cfg(test)]
mod tests;
