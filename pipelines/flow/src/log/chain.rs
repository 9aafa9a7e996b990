//! Groups: the payload of a frame whose records are written together.
//!
//! ```text
//! back to the reference     varint   bytes from this frame's start to the one that has it; 0: this
//! back to its copy          varint   0: this frame has the copy, or there is none yet
//! reference                 varint length, then bytes; empty where another frame has it
//! records                   the rest, as the codec writes them
//! ```
//! A commit is small, and what is left of a sample beside the one before it is a byte or two. So a
//! frame is written against a reference: what was last known when the reference was made, every
//! [`REFERENCE_COMMITS`] commits. It stands twice, in two frames, each with a checksum of its own:
//! whichever single frame is damaged, only its own records are lost.

use std::io::{self, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use signals::Disk;

use super::frame::{self, Found, Frame};
use super::{Entry, GroupEncoder};

/// Commits that share a reference: a minute at one a second. More would make the values old, fewer
/// the references dear.
const REFERENCE_COMMITS: u32 = 60;

/// What a group says of itself.
pub(super) struct Group<'a> {
    /// Bytes back to the frames with the reference and its copy; 0 for this one.
    pub(super) back: [u64; 2],
    pub(super) reference: &'a [u8],
    pub(super) records: &'a [u8],
}

/// The groups of one segment, in the order in which they are written.
pub(super) struct Chain<R> {
    encoder: Box<dyn GroupEncoder<R>>,
    /// The reference's bytes until the copy is written.
    reference: Vec<u8>,
    /// Where in the segment the frames with the reference and its copy begin.
    at: [u64; 2],
    commits: u32,
}

impl<R> Chain<R> {
    pub(super) fn new(encoder: Box<dyn GroupEncoder<R>>) -> Self {
        Self { encoder, reference: Vec::new(), at: [0; 2], commits: 0 }
    }

    /// The payload of the frame that begins at `place` in the segment. A group that fails ends
    /// its segment: nothing is written behind it.
    pub(super) fn payload(&mut self, group: &[Entry<R>], place: u64) -> io::Result<Vec<u8>> {
        let records: Vec<Arc<R>> = group.iter().map(|entry| Arc::clone(&entry.record)).collect();
        let turn = self.commits % REFERENCE_COMMITS;
        match turn {
            0 => {
                self.reference = self.encoder.reference(&records)?;
                self.at = [place; 2];
            }
            1 => {
                let [first, _] = self.at;
                self.at = [first, place];
            }
            _ => self.reference = Vec::new(),
        }
        let mut bytes = Vec::new();
        self.encoder.encode(&records, &mut bytes)?;
        self.commits = self.commits.wrapping_add(1);
        Ok(payload(self.at.map(|at| place - at), &self.reference, &bytes))
    }
}

/// Reads what stands in front of a group's records.
pub(super) fn read(payload: &[u8]) -> io::Result<Group<'_>> {
    let mut rest = payload;
    let back = [take_varint(&mut rest)?, take_varint(&mut rest)?];
    let length = usize::try_from(take_varint(&mut rest)?).unwrap_or(usize::MAX);
    let (reference, records) = rest.split_at_checked(length).ok_or_else(short)?;
    Ok(Group { back, reference, records })
}

impl Group<'_> {
    /// Where the frames with the reference and its copy begin, for a frame that begins at `at`.
    pub(super) fn places(&self, at: u64) -> io::Result<[u64; 2]> {
        let before = |back: u64| {
            let text = "its reference is before the segment";
            at.checked_sub(back).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, text))
        };
        let [first, copy] = self.back;
        Ok([before(first)?, before(copy)?])
    }
}

/// The reference at one of `places` in a segment; `None` when both frames are damaged.
pub(super) fn look_up(
    disk: &dyn Disk,
    path: &Path,
    places: [u64; 2],
) -> io::Result<Option<Vec<u8>>> {
    let mut source = disk.open(path)?;
    for place in places {
        source.seek(SeekFrom::Start(place))?;
        let Found::Frame(frame) = frame::read(&mut *source)? else { continue };
        let Some(Ok(group)) = frame.group().map(read) else { continue };
        if !group.reference.is_empty() {
            return Ok(Some(group.reference.to_vec()));
        }
    }
    Ok(None)
}

/// The frame at `at` of a segment with its reference in it, so that it can stand in a segment of
/// its own. `None` when it is no group, or its reference is lost.
pub(super) fn standing_alone(
    disk: &dyn Disk,
    path: &Path,
    at: u64,
    frame: &Frame,
) -> io::Result<Option<Frame>> {
    let Some(Ok(group)) = frame.group().map(read) else { return Ok(None) };
    let reference = match group.places(at) {
        _ if !group.reference.is_empty() => Some(group.reference.to_vec()),
        Ok(places) => look_up(disk, path, places)?,
        Err(_) => None,
    };
    let Some(reference) = reference else { return Ok(None) };
    let payload = payload([0; 2], &reference, group.records);
    frame::group(frame.first, frame.records, frame.wall, payload).map(Some)
}

fn payload(back: [u64; 2], reference: &[u8], records: &[u8]) -> Vec<u8> {
    let mut payload = Vec::with_capacity(reference.len() + records.len() + 12);
    for back in back {
        put_varint(&mut payload, back);
    }
    put_varint(&mut payload, reference.len() as u64);
    payload.extend_from_slice(reference);
    payload.extend_from_slice(records);
    payload
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7F) as u8 | 0x80);
        value >>= 7;
    }
    #[expect(clippy::cast_possible_truncation, reason = "below 0x80")]
    out.push(value as u8);
}

fn take_varint(rest: &mut &[u8]) -> io::Result<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first().ok_or_else(short)?;
        *rest = after;
        value |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(short())
}

fn short() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "group ends before its content")
}
