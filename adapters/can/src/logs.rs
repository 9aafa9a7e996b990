//! Logs: recorded frames from candump, Vector ASC and BLF, and PEAK TRC files.
//!
//! In: bytes, plain or gzipped ([`Source::open`](crate::source::Source::open)). Out: frames, each
//! with its time. What a file is, its first bytes say, not its name.
//! L-1 What cannot be read is counted with its number and skipped; any bytes give frames, counts
//!     or an error, never a panic.
//! L-2 No line is held that is longer than [`LINE_BYTES_MAX`], no object of a binary log that is
//!     longer than [`OBJECT_BYTES_MAX`].

mod asc;
mod blf;
mod candump;
mod channels;
mod civil;
mod scan;
mod trc;

use std::io::{self, BufRead};

use memchr::memchr;

use crate::frame::Frame;
use asc::Asc;
use blf::Blf;
pub use blf::OBJECT_BYTES_MAX;
pub use candump::line_of;
pub use channels::CHANNELS_MAX;
use channels::Channels;
use trc::Trc;

/// Longest line that is read; an FD frame of 64 bytes with dots between them has under 300.
pub const LINE_BYTES_MAX: usize = 1024;
/// Bad lines remembered with their number; all are counted.
const BAD_LINES_REMEMBERED: usize = 100;
/// Payload bytes of a frame by its length code (ISO 11898-1, table 5).
pub(crate) const FD_LENGTHS: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 24, 32, 48, 64];
/// First bytes of a measurement in ASAM MDF, which is not read.
const MDF_MAGIC: &[u8] = b"MDF ";

/// A line that is not a frame.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BadLine {
    /// Number of the line in the log, from 1; of the object in a binary log.
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
    /// Known once the first bytes are.
    format: Option<Format>,
    line: u64,
    channels: Channels,
    spill: Vec<u8>,
    bad: BadLines,
}

/// What is read, and what its reader remembers.
enum Format {
    Candump,
    Asc(Asc),
    Trc(Trc),
    Blf(Box<Blf>),
}

impl LogReader {
    /// A reader at the beginning of `input`, which is not packed.
    #[must_use]
    pub fn new(input: Box<dyn BufRead + Send>) -> Self {
        Self {
            input,
            format: None,
            line: 0,
            channels: Channels::default(),
            spill: Vec::new(),
            bad: BadLines::default(),
        }
    }

    /// Interface names in the order they appeared; [`Frame::channel`] is a place in here. Formats
    /// that number their channels from 1 call the first `can0`.
    #[must_use]
    pub fn channels(&self) -> &[String] {
        self.channels.names()
    }

    /// The lines that were not frames so far.
    #[must_use]
    pub const fn bad_lines(&self) -> &BadLines {
        &self.bad
    }

    /// Reads the next frame into `frame`; false at the end of the log.
    ///
    /// # Errors
    /// Those of reading, a damaged gzip stream among them, and of formats that are not read.
    pub fn next(&mut self, frame: &mut Frame) -> io::Result<bool> {
        if self.format.is_none() {
            self.format = Some(Format::of(self.input.fill_buf()?)?);
        }
        loop {
            let read = match &mut self.format {
                Some(Format::Blf(blf)) => {
                    self.line += 1;
                    match blf.next(&mut *self.input, &mut self.channels, frame)? {
                        Some(read) => read,
                        None => return Ok(false),
                    }
                }
                Some(text) => {
                    let buffered = self.input.fill_buf()?;
                    if buffered.is_empty() {
                        return Ok(false);
                    }
                    self.line += 1;
                    if let Some(end) = memchr(b'\n', buffered) {
                        let line = buffered.get(..end).unwrap_or_default();
                        let read = text.read_line(line, &mut self.channels, frame);
                        self.input.consume(end + 1);
                        read
                    } else if spill_line(&mut *self.input, &mut self.spill)? {
                        text.read_line(&self.spill, &mut self.channels, frame)
                    } else {
                        Err("longer than any frame")
                    }
                }
                None => return Ok(false),
            };
            if self.took(read) {
                return Ok(true);
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

/// Collects a line that does not lie in one piece; false when it is too long to be kept.
fn spill_line(input: &mut dyn BufRead, spill: &mut Vec<u8>) -> io::Result<bool> {
    spill.clear();
    let mut complete = true;
    loop {
        let buffered = input.fill_buf()?;
        let end = memchr(b'\n', buffered);
        let part = buffered.get(..end.unwrap_or(buffered.len())).unwrap_or_default();
        if spill.len() + part.len() > LINE_BYTES_MAX {
            complete = false;
        } else {
            spill.extend_from_slice(part);
        }
        let taken = part.len() + usize::from(end.is_some());
        input.consume(taken);
        if end.is_some() || taken == 0 {
            return Ok(complete);
        }
    }
}

impl Format {
    /// What the first bytes of a log say. A text that is nothing else is candump's.
    fn of(begin: &[u8]) -> io::Result<Self> {
        if begin.starts_with(blf::MAGIC) {
            return Ok(Self::Blf(Box::default()));
        }
        if begin.starts_with(MDF_MAGIC) {
            let text = "is an MDF measurement, which is not read; convert it to BLF or candump";
            return Err(io::Error::new(io::ErrorKind::Unsupported, text));
        }
        for line in begin.split(|&b| b == b'\n').map(<[u8]>::trim_ascii) {
            match line {
                [b'(', ..] => break,
                [b';', b'$' | b'#' | b'-' | b' ', ..] => return Ok(Self::Trc(Trc::default())),
                line if asc::is_header(line) => return Ok(Self::Asc(Asc::default())),
                _ => {}
            }
        }
        Ok(Self::Candump)
    }

    fn read_line(
        &mut self,
        line: &[u8],
        channels: &mut Channels,
        frame: &mut Frame,
    ) -> Result<bool, &'static str> {
        match self {
            Self::Candump => candump::read_line(line, channels, frame),
            Self::Asc(asc) => asc.read_line(line, channels, frame),
            Self::Trc(trc) => trc.read_line(line, channels, frame),
            Self::Blf(_) => Err("a binary log has no lines"),
        }
    }
}

#[cfg(test)]
mod tests;
