//! Bits: where a signal lies in a payload, and how its raw value is taken out.

/// Bytes of zeros behind a payload, so that every read of eight bytes stays inside.
pub const PADDING_BYTES: usize = 9;

/// A payload with zeros behind it. Reused from frame to frame.
#[derive(Clone, Debug, Default)]
pub struct Payload {
    padded: Vec<u8>,
    len: usize,
}

impl Payload {
    /// An empty payload.
    #[must_use]
    pub fn new() -> Self {
        let mut payload = Self::default();
        payload.load(&[]);
        payload
    }

    /// Takes in the bytes of a frame, whatever their number.
    #[inline]
    pub fn load(&mut self, bytes: &[u8]) {
        self.padded.clear();
        self.padded.extend_from_slice(bytes);
        self.padded.extend_from_slice(&[0; PADDING_BYTES]);
        self.len = bytes.len();
    }

    /// Bytes received.
    #[must_use]
    #[inline]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing was received.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bytes received.
    #[must_use]
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        self.padded.get(..self.len).unwrap_or_default()
    }

    #[inline]
    fn eight(&self, at: usize) -> [u8; 8] {
        match self.padded.get(at..at + 8) {
            Some(bytes) => bytes.try_into().unwrap_or_default(),
            None => [0; 8],
        }
    }

    #[inline]
    fn byte(&self, at: usize) -> u8 {
        self.padded.get(at).copied().unwrap_or(0)
    }
}

/// The place of a signal: first byte, bits before it in that byte, width, byte order.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Field {
    first_byte: usize,
    /// Little-endian: bits below the field in its first byte. Big-endian: bits above it.
    skip: u32,
    width: u32,
    big_endian: bool,
    /// Bytes a payload must have to hold all bits.
    needs: usize,
}

impl Field {
    /// The field of a start bit in DBC numbering: the least significant bit for little-endian,
    /// the most significant one, in sawtooth counting, for big-endian.
    ///
    /// `None` for a width of 0 and for fields that no message can hold.
    #[must_use]
    pub fn new(start: u64, width: u64, big_endian: bool) -> Option<Self> {
        let first_byte = usize::try_from(start / 8).ok()?;
        let bit = u32::try_from(start % 8).ok()?;
        let width = u32::try_from(width).ok().filter(|w| (1..=1 << 20).contains(w))?;
        if first_byte > 1 << 20 {
            return None;
        }
        let skip = if big_endian { 7 - bit } else { bit };
        let needs = first_byte + usize::try_from((skip + width).div_ceil(8)).ok()?;
        Some(Self { first_byte, skip, width, big_endian, needs })
    }

    /// Width in bits.
    #[must_use]
    pub const fn width(&self) -> u32 {
        self.width
    }

    /// Whether it is all bits of one byte.
    #[must_use]
    pub const fn is_whole_byte(&self) -> bool {
        self.width == 8 && self.skip == 0
    }

    /// Bytes a payload must have to hold the field.
    #[must_use]
    #[inline]
    pub const fn needs(&self) -> usize {
        self.needs
    }

    /// Whether the most significant byte comes first.
    #[must_use]
    pub const fn is_big_endian(&self) -> bool {
        self.big_endian
    }

    /// The raw value, unsigned. Only for fields of up to 64 bits that the payload holds.
    #[must_use]
    #[inline]
    pub fn unsigned(&self, payload: &Payload) -> u64 {
        let word = payload.eight(self.first_byte);
        let reach = self.skip + self.width;
        let unused = 64_u32.saturating_sub(self.width);
        if self.big_endian {
            let mut value = u64::from_be_bytes(word) << self.skip;
            if reach > 64 {
                value |= u64::from(payload.byte(self.first_byte + 8)) >> (8 - self.skip);
            }
            value >> unused
        } else {
            let mut value = u64::from_le_bytes(word) >> self.skip;
            if reach > 64 {
                value |= u64::from(payload.byte(self.first_byte + 8)) << (64 - self.skip);
            }
            value << unused >> unused
        }
    }

    /// The raw value as two's complement. As [`Field::unsigned`].
    #[must_use]
    #[inline]
    pub fn signed(&self, payload: &Payload) -> i64 {
        let unused = 64_u32.saturating_sub(self.width);
        (self.unsigned(payload) << unused).cast_signed() >> unused
    }

    /// The bits of a field of any width as bytes in the order of the payload, appended to `out`.
    ///
    /// A width that is no multiple of 8 leaves the unused bits of the byte that holds the most
    /// significant ones 0.
    pub fn bytes(&self, payload: &Payload, out: &mut Vec<u8>) {
        let whole = self.width / 8;
        let odd = self.width % 8;
        let piece = |skipped: u32, width: u32| {
            let from = self.skip + skipped;
            let first_byte = self.first_byte + usize::try_from(from / 8).unwrap_or(usize::MAX >> 8);
            let part = Self { first_byte, skip: from % 8, width, ..*self };
            u8::try_from(part.unsigned(payload)).unwrap_or(u8::MAX)
        };
        if self.big_endian && odd > 0 {
            out.push(piece(0, odd));
        }
        let shift = if self.big_endian { odd } else { 0 };
        out.extend((0..whole).map(|place| piece(shift + 8 * place, 8)));
        if !self.big_endian && odd > 0 {
            out.push(piece(8 * whole, odd));
        }
    }

    /// Writes the lowest bits of a raw value into a payload; those past its end are left out.
    pub(crate) fn put(&self, raw: u64, payload: &mut [u8]) {
        let width = self.width.min(64);
        for (place, position) in (0..width).zip(self.positions()) {
            let shift = if self.big_endian { width - 1 - place } else { place };
            if let Some(byte) = payload.get_mut(position / 8) {
                let mask = 1_u8 << (position % 8);
                *byte = if raw >> shift & 1 == 1 { *byte | mask } else { *byte & !mask };
            }
        }
    }

    /// The bits it covers, counted from bit 0 of byte 0 upwards within bytes.
    pub(crate) fn positions(&self) -> impl Iterator<Item = usize> {
        let field = *self;
        (0..self.width).map(move |place| {
            let from = usize::try_from(field.skip + place).unwrap_or(0);
            let (byte, bit) = (field.first_byte + from / 8, from % 8);
            byte * 8 + if field.big_endian { 7 - bit } else { bit }
        })
    }
}

#[cfg(test)]
mod tests;
