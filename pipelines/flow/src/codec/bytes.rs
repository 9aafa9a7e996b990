//! Small numbers and slices in and out of bytes; every reading is bounded by what is there.

use std::io;

/// Appends `value` in as many groups of seven bits as it needs, lowest first.
pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7F) as u8 | 0x80);
        value >>= 7;
    }
    #[expect(clippy::cast_possible_truncation, reason = "below 0x80")]
    out.push(value as u8);
}

/// What is left to read.
pub(super) struct Reading<'a>(pub(super) &'a [u8]);

impl<'a> Reading<'a> {
    pub(super) fn slice(&mut self, length: usize) -> io::Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or_else(short)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or_else(short)?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(super) fn byte(&mut self) -> io::Result<u8> {
        let [byte] = self.array::<1>()?;
        Ok(byte)
    }

    pub(super) fn varint(&mut self) -> io::Result<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(short())
    }

    /// A number of things that take at least a bit each: more than the bytes left can hold is
    /// an error, not an allocation.
    pub(super) fn count(&mut self) -> io::Result<usize> {
        let count = usize::try_from(self.varint()?).map_err(|_| short())?;
        if count > self.0.len().saturating_mul(8).saturating_add(8) {
            return Err(short());
        }
        Ok(count)
    }
}

fn short() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "record ends before its content")
}
