//! Frames → records.

use std::io;
use std::path::Path;
use std::sync::Arc;

use signals::{Disk, Offset};

use super::chain;
use super::frame::Frame;
use super::{Codec, Entry, GroupCodec, Reference};

/// Decodes the frames of one segment; keeps the reference that neighbours share.
pub(super) struct Unpacker<'a, R> {
    disk: &'a dyn Disk,
    codec: &'a dyn Codec<R>,
    path: &'a Path,
    /// Where the frame with the reference begins.
    reference: Option<(u64, Reference)>,
}

impl<'a, R> Unpacker<'a, R> {
    pub(super) fn new(disk: &'a dyn Disk, codec: &'a dyn Codec<R>, path: &'a Path) -> Self {
        Self { disk, codec, path, reference: None }
    }

    /// Decodes the records from `from` on of the frame at a place; returns how many could not be.
    pub(super) fn unpack(
        &mut self,
        (at, frame): (u64, &Frame),
        from: Offset,
        found: &mut Vec<Entry<R>>,
    ) -> io::Result<u64> {
        let records = match (frame.group(), self.codec.groups()) {
            (None, _) => frame.unpack()?.iter().map(|bytes| self.codec.decode(bytes)).collect(),
            (Some(payload), Some(groups)) => match self.group(groups, at, payload) {
                Ok(records) if records.len() as u64 == u64::from(frame.records) => records,
                Ok(_) => return Ok(lost(frame, from, "it has other records than it says")),
                Err(err) => return Ok(lost(frame, from, &err.to_string())),
            },
            (Some(_), None) => return Ok(lost(frame, from, "its records are of another kind")),
        };
        let mut unreadable = 0;
        let mut offset = frame.first;
        for record in records {
            match record {
                _ if offset < from => {}
                Ok(record) => found.push(Entry { offset, record: Arc::new(record) }),
                Err(err) => {
                    unreadable += 1;
                    tracing::error!(%offset, %err, "log: a record cannot be read and is skipped");
                }
            }
            offset = offset.next();
        }
        Ok(unreadable)
    }

    fn group(
        &mut self,
        groups: &dyn GroupCodec<R>,
        at: u64,
        payload: &[u8],
    ) -> io::Result<Vec<io::Result<R>>> {
        let group = chain::read(payload)?;
        let places = group.places(at)?;
        let [place, _] = places;
        let known = self.reference.take_if(|(of, _)| *of == place).map(|(_, reference)| reference);
        let reference = match known {
            Some(reference) => reference,
            None if !group.reference.is_empty() => groups.reference(group.reference)?,
            None => match chain::look_up(self.disk, self.path, places)? {
                Some(bytes) => groups.reference(&bytes)?,
                None => return Err(damaged()),
            },
        };
        let records = groups.decode_all(group.records, &reference);
        self.reference = Some((place, reference));
        records
    }
}

fn damaged() -> io::Error {
    let text = "both frames with its reference are damaged";
    io::Error::new(io::ErrorKind::InvalidData, text)
}

/// Says that the records of a frame cannot be read; how many.
fn lost(frame: &Frame, from: Offset, why: &str) -> u64 {
    let records = frame.end().since(from.max(frame.first));
    tracing::error!(first = %frame.first, records, why, "log: a commit cannot be read and is skipped");
    records
}
