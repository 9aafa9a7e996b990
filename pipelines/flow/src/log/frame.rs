//! Frames: one group commit of a log as bytes.
//!
//! ```text
//! 0   magic "FGL1"/"FGL2" 4
//! 4   payload length      4   bytes after the header, compressed
//! 8   records             4
//! 12  records' length     4   bytes, uncompressed
//! 16  first offset        8   of the first record
//! 24  wall time           8   µs UTC at the commit
//! 32  CRC-32              4   over bytes 0..32 and the payload
//! 36  payload                 FGL1: zstd of, per record, its length (4) and bytes
//!                             FGL2: a group, see `chain.rs`
//! ```
//! Numbers are little-endian.

use std::io::{self, Read, SeekFrom};

use signals::{DiskSource, Offset, Timestamp};

use super::{Codec, Entry};

/// Bytes before the payload.
pub(super) const HEADER_BYTES: usize = 36;
const MAGIC: [u8; 4] = *b"FGL1";
const MAGIC_GROUP: [u8; 4] = *b"FGL2";
/// A payload above this is not one of ours: a commit is cut long before.
const PAYLOAD_BYTES_MAX: u32 = 256 << 20;
/// zstd 1: within 1 % of level 3 on process values at a fraction of the time.
const ZSTD_LEVEL: i32 = 1;

/// One group commit as read from a file.
pub(super) struct Frame {
    pub(super) first: Offset,
    pub(super) records: u32,
    pub(super) wall: Timestamp,
    is_group: bool,
    records_bytes: u32,
    payload: Vec<u8>,
}

impl Frame {
    /// Bytes in the file.
    pub(super) fn bytes(&self) -> u64 {
        (HEADER_BYTES + self.payload.len()) as u64
    }

    /// The offset after the last record.
    pub(super) fn end(&self) -> Offset {
        Offset(self.first.0 + u64::from(self.records))
    }

    /// The frame as it stands in a file.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let payload_bytes = u32::try_from(self.payload.len()).unwrap_or(u32::MAX);
        let mut bytes = Vec::with_capacity(HEADER_BYTES + self.payload.len());
        bytes.extend_from_slice(if self.is_group { &MAGIC_GROUP } else { &MAGIC });
        bytes.extend_from_slice(&payload_bytes.to_le_bytes());
        bytes.extend_from_slice(&self.records.to_le_bytes());
        bytes.extend_from_slice(&self.records_bytes.to_le_bytes());
        bytes.extend_from_slice(&self.first.0.to_le_bytes());
        bytes.extend_from_slice(&self.wall.micros().to_le_bytes());
        bytes.extend_from_slice(&checksum(&bytes, &self.payload).to_le_bytes());
        bytes.extend_from_slice(&self.payload);
        bytes
    }

    /// The payload of a group; `None` when records stand by themselves.
    pub(super) fn group(&self) -> Option<&[u8]> {
        self.is_group.then_some(self.payload.as_slice())
    }

    /// The records' bytes, in order.
    pub(super) fn unpack(&self) -> io::Result<Vec<Vec<u8>>> {
        let capacity = usize::try_from(self.records_bytes).unwrap_or(0);
        let raw = zstd::bulk::decompress(&self.payload, capacity)?;
        let mut rest = raw.as_slice();
        let mut records = Vec::new();
        while let Some((length, after)) = rest.split_first_chunk::<4>() {
            let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
            let Some((record, after)) = after.split_at_checked(length) else {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "record beyond its frame"));
            };
            records.push(record.to_vec());
            rest = after;
        }
        Ok(records)
    }
}

/// The bytes of a commit. `records` holds, per record, its length and bytes.
pub(super) fn pack(
    first: Offset,
    count: u32,
    wall: Timestamp,
    records: &[u8],
) -> io::Result<Vec<u8>> {
    let payload = zstd::bulk::compress(records, ZSTD_LEVEL)?;
    fits(payload.len())?;
    let records_bytes = u32::try_from(records.len()).map_err(|_| too_large())?;
    let is_group = false;
    Ok(Frame { first, records: count, wall, is_group, records_bytes, payload }.to_bytes())
}

/// Per record its length and its bytes.
pub(super) fn one_by_one<R>(codec: &dyn Codec<R>, group: &[Entry<R>]) -> io::Result<Vec<u8>> {
    let mut records = Vec::new();
    for entry in group {
        let start = records.len();
        records.extend_from_slice(&[0; 4]);
        codec.encode(&entry.record, &mut records)?;
        let size = records.len() - start - 4;
        let length = u32::try_from(size)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "record above 4 GiB"))?;
        if let Some(place) = records.get_mut(start..start + 4) {
            place.copy_from_slice(&length.to_le_bytes());
        }
    }
    Ok(records)
}

/// The frame of a commit whose records are a group.
pub(super) fn group(
    first: Offset,
    count: u32,
    wall: Timestamp,
    payload: Vec<u8>,
) -> io::Result<Frame> {
    fits(payload.len())?;
    let records_bytes = u32::try_from(payload.len()).map_err(|_| too_large())?;
    Ok(Frame { first, records: count, wall, is_group: true, records_bytes, payload })
}

/// Whether so many bytes can be a payload: one that could not be read again is not written.
pub(super) fn fits(payload_bytes: usize) -> io::Result<()> {
    let is_small = u32::try_from(payload_bytes).is_ok_and(|bytes| bytes <= PAYLOAD_BYTES_MAX);
    if is_small { Ok(()) } else { Err(too_large()) }
}

fn too_large() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "commit above 256 MiB")
}

/// What stands at a place in a segment.
pub(super) enum Found {
    /// A whole frame with a right checksum.
    Frame(Frame),
    /// The file ends here, cleanly.
    End,
    /// Something that is not a whole, right frame.
    Damage,
}

/// Reads what stands at the source's current place.
pub(super) fn read(source: &mut dyn DiskSource) -> io::Result<Found> {
    let mut header = [0u8; HEADER_BYTES];
    match fill(source, &mut header)? {
        0 => return Ok(Found::End),
        HEADER_BYTES => {}
        _ => return Ok(Found::Damage),
    }
    let mut fields = Fields(&header);
    let magic: [u8; 4] = fields.take();
    let payload_bytes = u32::from_le_bytes(fields.take());
    let records = u32::from_le_bytes(fields.take());
    let records_bytes = u32::from_le_bytes(fields.take());
    let first = Offset(u64::from_le_bytes(fields.take()));
    let wall = Timestamp::from_micros(i64::from_le_bytes(fields.take()));
    let expected = u32::from_le_bytes(fields.take());
    let is_group = magic == MAGIC_GROUP;
    if (magic != MAGIC && !is_group) || payload_bytes > PAYLOAD_BYTES_MAX {
        return Ok(Found::Damage);
    }
    // The length is not trusted before the checksum: read what is there, then compare.
    let mut payload = Vec::new();
    let wanted = u64::from(payload_bytes);
    if source.take(wanted).read_to_end(&mut payload)? as u64 != wanted {
        return Ok(Found::Damage);
    }
    let covered = header.split_at(HEADER_BYTES - 4).0;
    if checksum(covered, &payload) != expected {
        return Ok(Found::Damage);
    }
    Ok(Found::Frame(Frame { first, records, wall, is_group, records_bytes, payload }))
}

/// Looks for the next whole frame behind `from`; its place, `None` when there is none.
pub(super) fn resync(source: &mut dyn DiskSource, from: u64) -> io::Result<Option<u64>> {
    source.seek(SeekFrom::Start(from))?;
    let mut rest = Vec::new();
    source.read_to_end(&mut rest)?;
    let is_magic = |bytes: &[u8]| bytes == MAGIC || bytes == MAGIC_GROUP;
    let candidates = rest.windows(MAGIC.len()).enumerate().filter(|(_, bytes)| is_magic(bytes));
    for (place, _) in candidates {
        let place = from + place as u64;
        source.seek(SeekFrom::Start(place))?;
        if let Found::Frame(_) = read(source)? {
            return Ok(Some(place));
        }
    }
    Ok(None)
}

fn checksum(header: &[u8], payload: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(header);
    crc.update(payload);
    crc.finalize()
}

/// Reads until the buffer is full or the file ends; the number of bytes read.
fn fill(source: &mut dyn DiskSource, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match source.read(rest)? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}

struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (field, rest) =
            self.0.split_first_chunk::<N>().expect("the header is as long as its fields");
        self.0 = rest;
        *field
    }
}
