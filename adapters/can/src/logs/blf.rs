//! Vector BLF: containers of packed objects, each a frame or something else.
//!
//! There is no public specification; layouts are those that independent readers agree on. Objects
//! run on from one container to the next, so what is unpacked is one stream of them.

use std::io::{self, BufRead, Read};

use flate2::read::ZlibDecoder;
use signals::Timestamp;

use super::FD_LENGTHS;
use super::channels::Channels;
use super::civil::instant;
use crate::frame::{
    EXTENDED_ID_MAX, FD_RATE_SWITCHED, FD_SENDER_PASSIVE, Frame, FrameKind, PAYLOAD_BYTES_MAX,
    STANDARD_ID_MAX,
};

/// First bytes of a file.
pub(super) const MAGIC: &[u8] = b"LOGG";
/// Longest object and longest container that is taken in, packed or not. Writers make containers
/// of 128 KiB.
pub const OBJECT_BYTES_MAX: usize = 4 * 1024 * 1024;

const OBJECT_MAGIC: &[u8] = b"LOBJ";
const FILE_HEADER_BYTES: usize = 72;
const OBJECT_HEADER_BYTES: usize = 16;
const CONTAINER_HEADER_BYTES: usize = 16;
/// How far behind an object the next one may begin: they are padded.
const PADDING_BYTES_MAX: usize = 8;
const EXTENDED_FLAG: u32 = 0x8000_0000;

/// Kinds of objects.
mod kind {
    pub(super) const CAN_MESSAGE: u32 = 1;
    pub(super) const CAN_ERROR: u32 = 2;
    pub(super) const CONTAINER: u32 = 10;
    pub(super) const CAN_ERROR_EXT: u32 = 73;
    pub(super) const CAN_MESSAGE2: u32 = 86;
    pub(super) const CAN_FD_MESSAGE: u32 = 100;
    pub(super) const CAN_FD_MESSAGE_64: u32 = 101;
}

/// Where in a binary log the reader is.
#[derive(Debug, Default)]
pub(super) struct Blf {
    /// What times count from; `None` before the header of the file is read.
    start: Option<Timestamp>,
    /// Unpacked objects.
    stream: Vec<u8>,
    /// Bytes of `stream` that are done with.
    done: usize,
    packed: Vec<u8>,
}

/// The fixed beginning of every object.
#[derive(Clone, Copy)]
struct ObjectHeader {
    header_bytes: usize,
    bytes: usize,
    kind: u32,
}

impl Blf {
    /// Reads the next object: whether it is a frame, or what is wrong with it. `None` at the end.
    pub(super) fn next(
        &mut self,
        input: &mut dyn BufRead,
        channels: &mut Channels,
        frame: &mut Frame,
    ) -> io::Result<Option<Result<bool, &'static str>>> {
        let start = match self.start {
            Some(start) => start,
            None => *self.start.insert(read_file_header(input)?),
        };
        loop {
            let rest = self.stream.get(self.done..).unwrap_or_default();
            match whole_object(rest) {
                Found::Object { at, header } => {
                    let object = rest.get(at..at + header.bytes).unwrap_or_default();
                    let read = read_object(header, object, start, (channels, frame));
                    self.done += at + header.bytes;
                    return Ok(Some(read));
                }
                Found::Noise { bytes } => {
                    self.done += bytes;
                    return Ok(Some(Err("bytes that are no object")));
                }
                Found::Part => {}
            }
            match self.read_container(input)? {
                Some(Ok(())) => {}
                Some(Err(problem)) => {
                    // An object that ran on into what is lost is lost with it.
                    self.stream.clear();
                    return Ok(Some(Err(problem)));
                }
                None if rest_is_whole(self.stream.len() - self.done) => return Ok(None),
                None => {
                    self.done = self.stream.len();
                    return Ok(Some(Err("the log ends within an object")));
                }
            }
        }
    }

    /// Unpacks the next container behind what is left of the stream; `None` at the end.
    fn read_container(
        &mut self,
        input: &mut dyn BufRead,
    ) -> io::Result<Option<Result<(), &'static str>>> {
        self.stream.drain(..self.done);
        self.done = 0;
        let mut begin = [0; OBJECT_HEADER_BYTES];
        let got = read_up_to(input, &mut begin)?;
        if got < OBJECT_HEADER_BYTES {
            return Ok(None);
        }
        let Some(header) = header_of(&begin) else {
            let skipped = skip_to_object(input)?;
            return Ok(skipped.then_some(Err("bytes that are no object")));
        };
        if header.bytes > OBJECT_BYTES_MAX {
            skip(input, header.bytes - OBJECT_HEADER_BYTES + header.bytes % 4)?;
            return Ok(Some(Err("an object longer than any that is read")));
        }
        self.packed.clear();
        let length = (header.bytes - OBJECT_HEADER_BYTES) as u64;
        Read::take(&mut *input, length).read_to_end(&mut self.packed)?;
        skip(input, header.bytes % 4)?;
        if header.kind != kind::CONTAINER {
            // Files that are not packed have their objects here.
            self.stream.extend_from_slice(&begin);
            self.stream.extend_from_slice(&self.packed);
            return Ok(Some(Ok(())));
        }
        Ok(Some(self.unpack()))
    }

    fn unpack(&mut self) -> Result<(), &'static str> {
        let method = u16_at(&self.packed, 0).ok_or("a container without a header")?;
        let body =
            self.packed.get(CONTAINER_HEADER_BYTES..).ok_or("a container without a header")?;
        match method {
            0 => self.stream.extend_from_slice(body),
            2 => {
                let before = self.stream.len();
                let limit = OBJECT_BYTES_MAX as u64 + 1;
                let unpacked = ZlibDecoder::new(body).take(limit).read_to_end(&mut self.stream);
                unpacked.map_err(|_| "a container that cannot be unpacked")?;
                if self.stream.len() - before > OBJECT_BYTES_MAX {
                    return Err("a container longer than any that is read");
                }
            }
            _ => return Err("a container packed in an unknown way"),
        }
        Ok(())
    }
}

enum Found {
    /// An object begins at `at` and is whole.
    Object { at: usize, header: ObjectHeader },
    /// These bytes are no object.
    Noise { bytes: usize },
    /// There is less than an object.
    Part,
}

/// Whether what is left at the end is nothing but padding.
const fn rest_is_whole(bytes: usize) -> bool {
    bytes < OBJECT_HEADER_BYTES
}

fn whole_object(stream: &[u8]) -> Found {
    let near = stream.get(..(PADDING_BYTES_MAX + OBJECT_MAGIC.len()).min(stream.len()));
    let Some(at) = near.and_then(|near| memchr::memmem::find(near, OBJECT_MAGIC)) else {
        if stream.len() < PADDING_BYTES_MAX + OBJECT_MAGIC.len() {
            return Found::Part;
        }
        let next = memchr::memmem::find(stream, OBJECT_MAGIC);
        return Found::Noise { bytes: next.unwrap_or(stream.len() - OBJECT_MAGIC.len() + 1) };
    };
    let Some(begin) = stream.get(at..at + OBJECT_HEADER_BYTES) else { return Found::Part };
    match header_of(begin) {
        Some(header) if header.bytes > OBJECT_BYTES_MAX => Found::Noise { bytes: at + 4 },
        Some(header) if stream.len() - at < header.bytes => Found::Part,
        Some(header) => Found::Object { at, header },
        None => Found::Noise { bytes: at + OBJECT_MAGIC.len() },
    }
}

fn header_of(begin: &[u8]) -> Option<ObjectHeader> {
    if !begin.starts_with(OBJECT_MAGIC) {
        return None;
    }
    let header_bytes = usize::from(u16_at(begin, 4)?);
    let bytes = usize::try_from(u32_at(begin, 8)?).ok()?;
    (bytes >= OBJECT_HEADER_BYTES).then_some(())?;
    Some(ObjectHeader { header_bytes, bytes, kind: u32_at(begin, 12)? })
}

fn read_file_header(input: &mut dyn BufRead) -> io::Result<Timestamp> {
    let mut header = [0; FILE_HEADER_BYTES];
    input.read_exact(&mut header)?;
    let bytes = u32_at(&header, 4).and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
    skip(input, bytes.saturating_sub(FILE_HEADER_BYTES).min(OBJECT_BYTES_MAX))?;
    // Windows SYSTEMTIME: year, month, day of the week, day, hour, minute, second, milliseconds.
    let part = |place: usize| u16_at(&header, 40 + 2 * place).unwrap_or(0);
    let seconds = (u64::from(part(4)) * 60 + u64::from(part(5))) * 60 + u64::from(part(6));
    let of_day = i64::try_from(seconds * 1_000_000 + u64::from(part(7)) * 1_000).unwrap_or(0);
    let date = (part(0).into(), part(1).into(), part(3).into());
    Ok(instant(date, of_day).unwrap_or_default())
}

/// Reads an object; `Ok(false)` for one that is not a frame.
fn read_object(
    header: ObjectHeader,
    object: &[u8],
    start: Timestamp,
    (channels, frame): (&mut Channels, &mut Frame),
) -> Result<bool, &'static str> {
    const CUT_OFF: &str = "an object shorter than its kind";
    let is_frame = matches!(
        header.kind,
        kind::CAN_MESSAGE
            | kind::CAN_MESSAGE2
            | kind::CAN_ERROR
            | kind::CAN_ERROR_EXT
            | kind::CAN_FD_MESSAGE
            | kind::CAN_FD_MESSAGE_64
    );
    if !is_frame {
        return Ok(false);
    }
    let unit = u32_at(object, 16).ok_or(CUT_OFF)?;
    let time = u64_at(object, 24).ok_or(CUT_OFF)?;
    let body = object.get(header.header_bytes..).ok_or(CUT_OFF)?;
    *frame = Frame::default();
    let channel = match header.kind {
        kind::CAN_FD_MESSAGE => read_fd(body, frame),
        kind::CAN_FD_MESSAGE_64 => read_fd_64(body, frame),
        kind::CAN_MESSAGE | kind::CAN_MESSAGE2 => read_classic(body, frame),
        _ => {
            frame.kind = FrameKind::Error;
            u16_at(body, 0)
        }
    };
    frame.channel = channels.numbered(channel.ok_or(CUT_OFF)?.into())?;
    if frame.id > if frame.extended { EXTENDED_ID_MAX } else { STANDARD_ID_MAX } {
        return Err("the identifier has more than 11 or 29 bits");
    }
    let micros = if unit == 1 { time.saturating_mul(10) } else { time / 1_000 };
    let micros = i64::try_from(micros).unwrap_or(i64::MAX);
    frame.ts = Timestamp::from_micros(start.micros().saturating_add(micros));
    Ok(true)
}

fn set_id(id: u32, frame: &mut Frame) {
    frame.extended = id & EXTENDED_FLAG != 0;
    frame.id = id & !EXTENDED_FLAG;
}

/// Channel; `None` when the object is too short.
fn read_classic(body: &[u8], frame: &mut Frame) -> Option<u16> {
    const REMOTE: u8 = 0x80;
    let (flags, code) = (*body.get(2)?, *body.get(3)?);
    set_id(u32_at(body, 4)?, frame);
    frame.len = code.min(8);
    if flags & REMOTE == 0 {
        set_payload(body.get(8..)?, frame)?;
    } else {
        frame.kind = FrameKind::Remote;
    }
    u16_at(body, 0)
}

fn read_fd(body: &[u8], frame: &mut Frame) -> Option<u16> {
    const REMOTE: u8 = 0x80;
    let (flags, code, fd_flags) = (*body.get(2)?, *body.get(3)?, *body.get(13)?);
    set_id(u32_at(body, 4)?, frame);
    frame.fd = fd_flags & 1 != 0;
    frame.fd_flags = if fd_flags & 2 == 0 { 0 } else { FD_RATE_SWITCHED }
        | if fd_flags & 4 == 0 { 0 } else { FD_SENDER_PASSIVE };
    if flags & REMOTE != 0 {
        frame.kind = FrameKind::Remote;
        frame.len = code.min(8);
    } else {
        frame.len = (*body.get(14)?).min(length_of(code, frame.fd));
        set_payload(body.get(20..)?, frame)?;
    }
    u16_at(body, 0)
}

fn read_fd_64(body: &[u8], frame: &mut Frame) -> Option<u16> {
    const REMOTE: u32 = 0x10;
    let (code, flags) = (*body.get(1)?, u32_at(body, 12)?);
    set_id(u32_at(body, 4)?, frame);
    frame.fd = flags & 0x1000 != 0;
    frame.fd_flags = if flags & 0x2000 == 0 { 0 } else { FD_RATE_SWITCHED }
        | if flags & 0x4000 == 0 { 0 } else { FD_SENDER_PASSIVE };
    if flags & REMOTE != 0 {
        frame.kind = FrameKind::Remote;
        frame.len = code.min(8);
    } else {
        frame.len = (*body.get(2)?).min(length_of(code, frame.fd));
        set_payload(body.get(40..)?, frame)?;
    }
    Some((*body.first()?).into())
}

fn length_of(code: u8, fd: bool) -> u8 {
    if fd { FD_LENGTHS.get(usize::from(code)).copied().unwrap_or(64) } else { code.min(8) }
}

fn set_payload(bytes: &[u8], frame: &mut Frame) -> Option<()> {
    let length = usize::from(frame.len).min(PAYLOAD_BYTES_MAX);
    frame.payload.get_mut(..length)?.copy_from_slice(bytes.get(..length)?);
    Some(())
}

/// Goes to where the next object may begin; false at the end.
fn skip_to_object(input: &mut dyn BufRead) -> io::Result<bool> {
    loop {
        let buffered = input.fill_buf()?;
        if buffered.is_empty() {
            return Ok(false);
        }
        if let Some(at) = memchr::memmem::find(buffered, OBJECT_MAGIC) {
            input.consume(at);
            return Ok(true);
        }
        let length = buffered.len();
        input.consume(length);
    }
}

fn skip(input: &mut dyn BufRead, bytes: usize) -> io::Result<()> {
    io::copy(&mut Read::take(input, bytes as u64), &mut io::sink()).map(|_| ())
}

/// Fills as much of `buffer` as there is.
fn read_up_to(input: &mut dyn BufRead, buffer: &mut [u8]) -> io::Result<usize> {
    let mut got = 0;
    while let Some(rest) = buffer.get_mut(got..).filter(|rest| !rest.is_empty()) {
        match input.read(rest) {
            Ok(0) => break,
            Ok(bytes) => got += bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(got)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests;
