//! From a value to words: what a write puts into registers. The inverse of [`decode`](crate::decode).
//!
//! In: a value in engineering units and the tag's [`Format`]. Out: the words in the order of the
//! wire, or why there are none.
//! E-1 Words that come out decode to the value again, to within half a raw count.
//! E-2 Nothing is clamped: what the type cannot hold is refused.

mod number;
mod text;

use signals::Value;

use crate::decode::{Coding, Format, Part, RawValue, RegisterType};

/// Why a value cannot be written.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum EncodeError {
    /// The value is of another kind than the type.
    #[error("{kind} takes {wanted}; give the value as that")]
    Kind {
        /// Name of the register type.
        kind: &'static str,
        /// What it takes: `a number`, `text` …
        wanted: &'static str,
    },
    /// The type cannot hold the number.
    #[error("{value} does not fit {kind}, which holds {low} to {high} here; give a value within")]
    Range {
        /// The value asked for, in engineering units.
        value: f64,
        /// Name of the register type.
        kind: &'static str,
        /// Least value the tag can hold, in engineering units.
        low: f64,
        /// Greatest value the tag can hold, in engineering units.
        high: f64,
    },
    /// Not a number, or infinite.
    #[error("the value is not a finite number; give a plain number")]
    NotFinite,
    /// A state or a set of flags is a whole number.
    #[error("{0} is not a whole number; give the number of the state or of the flags")]
    NotWhole(f64),
    /// The raw value means "no value" to the device.
    #[error("the raw value means \"{0}\" to the device; give another value")]
    Sentinel(String),
    /// The text takes more room than the tag has.
    #[error("the text takes {bytes} bytes, the tag holds {bytes_max}; shorten it")]
    TooLong {
        /// Bytes it takes.
        bytes: usize,
        /// Bytes there are.
        bytes_max: usize,
    },
    /// The text cannot be written in the tag's encoding.
    #[error(
        "the text has characters that cannot be written in this tag's encoding; leave them out"
    )]
    Characters,
    /// The text is not of the form the type is written in.
    #[error("\"{text}\" is not {wanted}")]
    Form {
        /// What was given.
        text: String,
        /// What is wanted, with an example.
        wanted: &'static str,
    },
}

impl Format {
    /// The words that a device takes for `value`, as many as [`Format::words`].
    ///
    /// A number is turned into the nearest raw count. A value that is a part of its register (bit,
    /// high or low byte) leaves the other bits 0: [`Format::mask`] says which are its own. Text is
    /// padded with NUL.
    ///
    /// # Errors
    /// [`EncodeError`] for everything the words cannot say.
    pub fn encode(&self, value: Value<'_>) -> Result<Vec<u16>, EncodeError> {
        let bits = match (self.kind.coding(), value) {
            (Coding::Text, Value::Text(text)) => return self.encode_text(text),
            (Coding::Text, _) => return Err(self.kind_error("text")),
            (Coding::Truth, value) => u64::from(self.truth(value)?),
            (Coding::Real(_), value) => self.real_bits(value)?,
            (
                Coding::Binary | Coding::Bcd(_) | Coding::Mod10k(_) | Coding::SignMagnitude,
                value,
            ) => self.integer_bits(value)?,
        };
        Ok(self.order.split(self.placed(bits), self.words()))
    }

    /// Bits of its register that the value takes, as they stand on the wire: 0xFFFF but for a bit,
    /// a high byte and a low byte.
    #[must_use]
    pub fn mask(&self) -> u16 {
        let (own, shift): (u16, u8) = match self.kind.part() {
            Part::Whole => (0xFFFF, 0),
            Part::HighByte => (0xFF, 8),
            Part::LowByte => (0xFF, 0),
            Part::Bit => (1, self.bit),
        };
        self.order.word(own.checked_shl(u32::from(shift)).unwrap_or(0))
    }

    /// The value's own bits where they stand in the register.
    fn placed(&self, bits: u64) -> u64 {
        match self.kind.part() {
            Part::Whole => bits,
            Part::HighByte => (bits & 0xFF) << 8,
            Part::LowByte => bits & 0xFF,
            Part::Bit => (bits & 1) << self.bit,
        }
    }

    fn truth(&self, value: Value<'_>) -> Result<bool, EncodeError> {
        match value {
            Value::Bool(truth) => Ok(truth),
            Value::U64(number @ (0 | 1)) => Ok(number == 1),
            Value::I64(number @ (0 | 1)) => Ok(number == 1),
            Value::I64(_) | Value::U64(_) | Value::F64(_) | Value::Text(_) | Value::Bytes(_) => {
                Err(self.kind_error("true or false"))
            }
        }
    }

    fn encode_text(&self, text: &str) -> Result<Vec<u16>, EncodeError> {
        if self.kind == RegisterType::Text {
            return text::string(text, self);
        }
        if self.kind == RegisterType::DateTime6 {
            return text::datetime(text, self.order);
        }
        let bits = if self.kind == RegisterType::Epoch32 {
            text::epoch(text)?
        } else if self.kind == RegisterType::Ipv4 {
            text::ipv4(text)?
        } else {
            text::mac(text)?
        };
        let named = self.sentinels.iter().find(|sentinel| sentinel.raw == RawValue::Bits(bits));
        match named {
            Some(sentinel) => Err(EncodeError::Sentinel(sentinel.name.clone())),
            None => Ok(self.order.split(bits, self.words())),
        }
    }

    fn kind_error(&self, wanted: &'static str) -> EncodeError {
        EncodeError::Kind { kind: self.kind.name(), wanted }
    }
}

#[cfg(test)]
mod tests;
