//! The order of bytes in a value, as it stands on the wire.

/// Order of bytes in values over several registers; A is the most significant byte.
///
/// For 64 bits the pattern extends: `CDAB` reverses the words and keeps their bytes, `BADC` keeps
/// the words and swaps their bytes, `DCBA` reverses everything.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Order {
    /// Big endian: the order of the standard.
    #[default]
    Abcd,
    /// Words reversed.
    Cdab,
    /// Bytes of each word swapped.
    Badc,
    /// Little endian.
    Dcba,
}

impl Order {
    /// All four.
    pub const ALL: [Self; 4] = [Self::Abcd, Self::Cdab, Self::Badc, Self::Dcba];

    /// The name in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Abcd => "ABCD",
            Self::Cdab => "CDAB",
            Self::Badc => "BADC",
            Self::Dcba => "DCBA",
        }
    }

    /// The order of that name; case does not matter.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|order| order.name().eq_ignore_ascii_case(name))
    }

    /// Whether the first register on the wire is the least significant.
    #[must_use]
    pub const fn reverses_words(self) -> bool {
        matches!(self, Self::Cdab | Self::Dcba)
    }

    /// A word with its bytes in the order of the standard.
    #[must_use]
    pub(crate) const fn word(self, word: u16) -> u16 {
        match self {
            Self::Abcd | Self::Cdab => word,
            Self::Badc | Self::Dcba => word.swap_bytes(),
        }
    }

    /// Up to four words as one number, right-aligned.
    pub(crate) fn join(self, words: &[u16]) -> u64 {
        let append = |bits: u64, word: &u16| bits << 16 | u64::from(self.word(*word));
        if self.reverses_words() {
            words.iter().rev().fold(0, append)
        } else {
            words.iter().fold(0, append)
        }
    }

    /// The inverse of [`Order::join`]: the low `count` words of a number as they go on the wire.
    pub(crate) fn split(self, bits: u64, count: u16) -> Vec<u16> {
        let word = |place: u16| {
            let low = bits.checked_shr(16 * u32::from(place)).unwrap_or(0) & 0xFFFF;
            self.word(u16::try_from(low).unwrap_or(0))
        };
        if self.reverses_words() {
            (0..count).map(word).collect()
        } else {
            (0..count).rev().map(word).collect()
        }
    }
}
