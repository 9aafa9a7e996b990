//! The checksum of a file of the lake: CRC-32 of all its bytes, kept in its own metadata.
//!
//! Parquet has checksums of pages at best, and readers that do not look at them. This one covers
//! indexes and footer too: it is computed with its own digits as zeros, and stands in the
//! metadata as `crc32=` and eight hexadecimal digits.

use std::io::{self, Read as _, SeekFrom};

use signals::DiskSource;

/// Key in the file's metadata.
pub(super) const KEY: &str = "fieldgate.crc32";
/// Its value before it is known.
pub(super) const EMPTY: &str = "crc32=00000000";
const MARK: &[u8] = b"crc32=";
const ZEROS: [u8; 8] = *b"00000000";
/// What is looked at of the end of a file; no footer is longer.
const END_BYTES: u64 = 16 << 20;
/// Bytes read at a time.
const CHUNK: usize = 1 << 16;

/// Puts the checksum into the end of a file. `before` has seen everything in front of it.
pub(super) fn seal(mut before: crc32fast::Hasher, end: &mut [u8]) {
    before.update(end);
    let digits = format!("{:08x}", before.finalize());
    if let Some(place) = digits_at(end)
        && let Some(empty) = end.get_mut(place..place + ZEROS.len())
    {
        empty.copy_from_slice(digits.as_bytes());
    }
}

/// Holds a file of so many bytes against its checksum. One without is taken as it is: files of
/// earlier versions have none.
///
/// # Errors
/// When it cannot be read or is not what was written.
pub(super) fn verify(source: &mut dyn DiskSource, bytes: u64) -> io::Result<()> {
    let end_at = bytes.saturating_sub(END_BYTES);
    source.seek(SeekFrom::Start(end_at))?;
    let mut end = Vec::new();
    source.read_to_end(&mut end)?;
    let Some(digits) = take_digits(&mut end) else { return Ok(()) };
    source.seek(SeekFrom::Start(0))?;
    let mut before = source.take(end_at);
    let (mut crc, mut chunk) = (crc32fast::Hasher::new(), vec![0; CHUNK]);
    loop {
        match before.read(&mut chunk)? {
            0 => break,
            read => crc.update(chunk.get(..read).unwrap_or_default()),
        }
    }
    crc.update(&end);
    if format!("{:08x}", crc.finalize()).as_bytes() == digits {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "it is not what was written"))
}

/// The digits, which are zeros afterwards.
fn take_digits(end: &mut [u8]) -> Option<[u8; 8]> {
    let place = digits_at(end)?;
    let digits = end.get_mut(place..place + ZEROS.len())?;
    let found = <[u8; 8]>::try_from(&*digits).ok()?;
    digits.copy_from_slice(&ZEROS);
    Some(found)
}

/// Where the digits begin: behind the last place where the key stands. A text among the rows, or
/// a name in the metadata, may be the same word; both stand in front of it.
fn digits_at(end: &[u8]) -> Option<usize> {
    let key_at = end.windows(KEY.len()).rposition(|window| window == KEY.as_bytes())?;
    let behind = key_at + KEY.len();
    let mark_at = end.get(behind..)?.windows(MARK.len()).position(|window| window == MARK)?;
    Some(behind + mark_at + MARK.len())
}
