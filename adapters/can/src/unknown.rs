//! Unknown identifiers: how many different ones, at the cost of a multiplication a frame.
//!
//! A bus without the right database is nothing but these, thousands a second.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

use crate::frame::{Frame, FrameKind};

/// Identifiers told apart; further ones are counted as frames alone.
pub(crate) const UNKNOWN_IDS_MAX: usize = 65_536;

const EXTENDED_FLAG: u32 = 0x8000_0000;

/// The identifiers of data frames that no database knows.
#[derive(Clone, Debug, Default)]
pub(crate) struct UnknownIds {
    seen: HashSet<u32, BuildHasherDefault<Spread>>,
}

impl UnknownIds {
    /// Takes note of an unknown frame; remote and error frames have no identifier to know.
    pub(crate) fn note(&mut self, frame: &Frame) {
        if frame.kind == FrameKind::Data && self.seen.len() < UNKNOWN_IDS_MAX {
            self.seen.insert(frame.id | if frame.extended { EXTENDED_FLAG } else { 0 });
        }
    }

    /// Different identifiers so far.
    pub(crate) fn len(&self) -> usize {
        self.seen.len()
    }
}

/// Fibonacci hashing of one word.
#[derive(Debug, Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u32(byte.into());
        }
    }

    fn write_u32(&mut self, word: u32) {
        /// 2^64 divided by the golden ratio.
        const RATIO: u64 = 0x9E37_79B9_7F4A_7C15;
        let spread = (self.0 ^ u64::from(word)).wrapping_mul(RATIO);
        self.0 = spread ^ (spread >> 32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_of_eleven_and_twenty_nine_bits_are_told_apart_up_to_the_bound() {
        let mut unknown = UnknownIds::default();
        for id in 0..0x800 {
            for extended in [false, true, true] {
                unknown.note(&Frame { id, extended, ..Frame::default() });
            }
        }
        assert_eq!(unknown.len(), 0x1000);
        unknown.note(&Frame { id: 0x900, kind: FrameKind::Error, ..Frame::default() });
        assert_eq!(unknown.len(), 0x1000);
        for id in 0..0x2_0000 {
            unknown.note(&Frame { id: id << 8, extended: true, ..Frame::default() });
        }
        assert_eq!(unknown.len(), UNKNOWN_IDS_MAX);
    }
}
