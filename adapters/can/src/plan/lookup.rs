//! Look-up from key to message: open addressing, at most half full.

use super::Key;

const PGN_FLAG: u32 = 0x4000_0000;
const EXTENDED_FLAG: u32 = 0x8000_0000;
const FREE: u32 = u32::MAX;
/// Fibonacci hashing: 2^32 divided by the golden ratio.
const SPREAD: u32 = 0x9E37_79B9;

/// Keys are unique; places are below 2^32.
#[derive(Debug)]
pub(super) struct Lookup {
    /// (key, place); `FREE` as key for a free slot. The length is a power of two.
    slots: Vec<(u32, u32)>,
    used: usize,
}

impl Default for Lookup {
    fn default() -> Self {
        Self { slots: vec![(FREE, 0); 16], used: 0 }
    }
}

impl Lookup {
    #[inline]
    pub(super) fn get(&self, key: Key) -> Option<usize> {
        let word = word_of(key);
        let mask = self.slots.len() - 1;
        let mut at = self.start(word);
        loop {
            match self.slots.get(at & mask) {
                Some(&(found, place)) if found == word => return usize::try_from(place).ok(),
                Some(&(FREE, _)) | None => return None,
                Some(_) => at += 1,
            }
        }
    }

    pub(super) fn insert(&mut self, key: Key, place: usize) {
        if (self.used + 1) * 2 > self.slots.len() {
            let bigger = vec![(FREE, 0); self.slots.len() * 2];
            let old = std::mem::replace(&mut self.slots, bigger);
            self.used = 0;
            for (word, place) in old.into_iter().filter(|(word, _)| *word != FREE) {
                self.put(word, place);
            }
        }
        self.put(word_of(key), u32::try_from(place).unwrap_or(u32::MAX));
    }

    fn put(&mut self, word: u32, place: u32) {
        let mask = self.slots.len() - 1;
        let mut at = self.start(word);
        while let Some(slot) = self.slots.get_mut(at & mask) {
            if slot.0 == FREE || slot.0 == word {
                self.used += usize::from(slot.0 == FREE);
                *slot = (word, place);
                return;
            }
            at += 1;
        }
    }

    #[inline]
    fn start(&self, word: u32) -> usize {
        let bits = self.slots.len().trailing_zeros();
        let spread = word.wrapping_mul(SPREAD) >> (32 - bits.min(31));
        usize::try_from(spread).unwrap_or(0)
    }
}

#[inline]
const fn word_of(key: Key) -> u32 {
    match key {
        Key::Standard(id) => id,
        Key::Extended(id) => id | EXTENDED_FLAG,
        Key::Pgn(group) => group | PGN_FLAG,
    }
}
