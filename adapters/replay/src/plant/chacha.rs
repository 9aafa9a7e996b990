//! The key stream of `ChaCha` with eight rounds: seeded, with streams, and a place in each to go to.
//!
//! Word for word that of `rand_chacha::ChaCha8Rng`, which a test holds it to; here because sensor
//! noise goes to a new place at each step, and a crate that is built without optimisation takes
//! longer for that than the whole plant.

/// Words of a block.
const WORDS: u64 = 16;

/// 2^-53.
const STEP: f64 = f64::EPSILON / 2.0;

/// A stream of 32-bit words.
#[derive(Clone)]
pub(crate) struct ChaCha8 {
    key: [u32; 8],
    stream: u64,
    /// The word that comes next.
    at: u64,
    /// Number of the block held, and its words.
    block: Option<u64>,
    words: [u32; 16],
}

impl ChaCha8 {
    /// From its beginning.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        Self { key: key_of(seed), stream, at: 0, block: None, words: [0; 16] }
    }

    /// Goes to a word.
    pub(crate) fn seek(&mut self, word: u64) {
        self.at = word;
    }

    fn next_word(&mut self) -> u32 {
        let block = self.at / WORDS;
        if self.block != Some(block) {
            self.words = block_of(&self.key, self.stream, block);
            self.block = Some(block);
        }
        let place = usize::try_from(self.at % WORDS).unwrap_or(0);
        self.at += 1;
        self.words.get(place).copied().unwrap_or(0)
    }

    /// Uniform in 0 <= u < 1, in steps of 2^-53.
    pub(crate) fn uniform(&mut self) -> f64 {
        let (low, high) = (self.next_word(), self.next_word());
        let bits = u64::from(high) << 32 | u64::from(low);
        #[expect(clippy::cast_precision_loss, reason = "53 bits are left")]
        let number = (bits >> 11) as f64;
        number * STEP
    }

    /// A byte.
    pub(crate) fn byte(&mut self) -> u8 {
        let [lowest, ..] = self.next_word().to_le_bytes();
        lowest
    }
}

/// A key from a seed, by PCG32, as `rand_core` does it.
fn key_of(seed: u64) -> [u32; 8] {
    let mut state = seed;
    std::array::from_fn(|_| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(11_634_580_027_462_260_723);
        let [_, _, _, _, a, b, c, d] = (((state >> 18) ^ state) << 5).to_le_bytes();
        let turned = u32::from_le_bytes([a, b, c, d]);
        turned.rotate_right(u32::try_from(state >> 59).unwrap_or(0))
    })
}

/// Places of the words that are stirred together: columns, then diagonals.
const QUARTERS: [[usize; 4]; 8] = [
    [0, 4, 8, 12],
    [1, 5, 9, 13],
    [2, 6, 10, 14],
    [3, 7, 11, 15],
    [0, 5, 10, 15],
    [1, 6, 11, 12],
    [2, 7, 8, 13],
    [3, 4, 9, 14],
];

/// A block of the key stream (Bernstein, 2008), with a counter and a stream of 64 bits each.
#[expect(clippy::indexing_slicing, reason = "places are constants below 16")]
fn block_of(key: &[u32; 8], stream: u64, block: u64) -> [u32; 16] {
    let mut start = [0; 16];
    start[..4].copy_from_slice(&[0x6170_7865, 0x3320_646E, 0x7962_2D32, 0x6B20_6574]);
    start[4..12].copy_from_slice(key);
    start[12..14].copy_from_slice(&halves(block));
    start[14..].copy_from_slice(&halves(stream));
    let mut words = start;
    for _ in 0..4 {
        for places in QUARTERS {
            let stirred = quarter(places.map(|place| words[place]));
            for (place, word) in places.into_iter().zip(stirred) {
                words[place] = word;
            }
        }
    }
    for (word, begun) in words.iter_mut().zip(start) {
        *word = word.wrapping_add(begun);
    }
    words
}

/// The low and the high word.
#[expect(clippy::cast_possible_truncation, reason = "each takes the bits it has")]
const fn halves(wide: u64) -> [u32; 2] {
    [wide as u32, (wide >> 32) as u32]
}

fn quarter([mut a, mut b, mut c, mut d]: [u32; 4]) -> [u32; 4] {
    a = a.wrapping_add(b);
    d = (d ^ a).rotate_left(16);
    c = c.wrapping_add(d);
    b = (b ^ c).rotate_left(12);
    a = a.wrapping_add(b);
    d = (d ^ a).rotate_left(8);
    c = c.wrapping_add(d);
    b = (b ^ c).rotate_left(7);
    [a, b, c, d]
}

#[cfg(test)]
mod tests;
