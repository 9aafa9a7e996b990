//! From words to a value: pure, without allocation but for text.
//!
//! In: the words of one tag, as they stood in the answer, and the tag's [`Format`].
//! Out: a value with its quality. A bad sample has no value.

mod kind;
mod order;
mod raw;
mod scale;
mod text;

use signals::{Quality, Range, Reason, Value, ValueType};

pub use kind::RegisterType;
pub(crate) use kind::{Coding, Part};
pub use order::Order;
use raw::{Raw, engineering};
pub use scale::Scale;
pub(crate) use text::days_of;

/// How the words of a tag are to be read.
#[derive(Clone, Debug, PartialEq)]
pub struct Format {
    /// The type.
    pub kind: RegisterType,
    /// Order of the bytes.
    pub order: Order,
    /// Bit of the register, 0 = least significant; only for [`RegisterType::Bit`].
    pub bit: u8,
    /// Registers of a string; only for [`RegisterType::Text`].
    pub length: u16,
    /// Encoding of a string.
    pub encoding: Encoding,
    /// Scale and offset; a value without them keeps its exact type.
    pub scale: Option<Scale>,
    /// Whether the value is a power of ten that others are multiplied by.
    pub is_power: bool,
    /// Raw values that mean "no value".
    pub sentinels: Vec<Sentinel>,
    /// A raw value at or below this lies under the measuring range.
    pub under_range_raw: Option<i64>,
    /// A raw value at or above this lies over the measuring range.
    pub over_range_raw: Option<i64>,
    /// Declared numbers of an enumeration, ascending; empty when none were declared.
    pub states: Vec<i64>,
    /// Plausible range in engineering units, and what a value outside is.
    pub range: Option<(Range, Outside)>,
}

/// What a value outside of its range is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Outside {
    /// Kept, with a reservation.
    #[default]
    Uncertain,
    /// No value.
    Bad,
}

/// Encoding of a string.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Encoding {
    /// UTF-8, and with it ASCII.
    #[default]
    Utf8,
    /// ISO 8859-1: every byte is a character.
    Latin1,
}

/// A raw value that means "no value".
#[derive(Clone, Debug, PartialEq)]
pub struct Sentinel {
    /// The raw value.
    pub raw: RawValue,
    /// What the device means by it: `sensor_open`.
    pub name: String,
    /// The reason its samples carry.
    pub reason: Reason,
}

/// A raw value as a configuration names it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RawValue {
    /// The bits of the value, right-aligned, after byte order.
    Bits(u64),
    /// The number a coded integer (BCD, mod 10000, sign and magnitude) stands for.
    Whole(i128),
    /// A real number.
    Real(f64),
}

/// A value, if there is one, and how far it can be trusted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decoded<'a> {
    /// `None` exactly when the quality is bad.
    pub value: Option<Value<'a>>,
    /// Its quality.
    pub quality: Quality,
}

impl Format {
    /// The plain format of a type: standard byte order, unscaled, everything good.
    #[must_use]
    pub fn new(kind: RegisterType) -> Self {
        Self {
            kind,
            order: Order::Abcd,
            bit: 0,
            length: 0,
            encoding: Encoding::Utf8,
            scale: None,
            is_power: false,
            sentinels: Vec::new(),
            under_range_raw: None,
            over_range_raw: None,
            states: Vec::new(),
            range: None,
        }
    }

    /// Registers (or coils) the value takes.
    #[must_use]
    pub const fn words(&self) -> u16 {
        if matches!(self.kind, RegisterType::Text) { self.length } else { self.kind.words() }
    }

    /// Type of the column: exact when unscaled, `f64` when scaled.
    #[must_use]
    pub const fn column(&self) -> ValueType {
        match self.scale {
            Some(_) => ValueType::F64,
            None => self.kind.column(),
        }
    }

    /// The value in `words`, which must be as many as [`Format::words`]; `text` is scratch.
    #[must_use]
    pub fn decode<'a>(&self, words: &[u16], text: &'a mut String) -> Decoded<'a> {
        if words.len() != usize::from(self.words()) {
            return Decoded::bad(Reason::QuantityMismatch);
        }
        if self.kind.column() == ValueType::Text {
            return self.decode_text(words, text);
        }
        self.decode_number(words, self.scale.as_ref())
    }

    /// The number in `words` times a power of ten that the device gave, or why there is none.
    ///
    /// What the number itself has against it comes first.
    #[must_use]
    pub fn decode_scaled(&self, words: &[u16], power: Result<i64, Reason>) -> Decoded<'static> {
        if words.len() != usize::from(self.words()) {
            return Decoded::bad(Reason::QuantityMismatch);
        }
        let bits = self.bits(words);
        let raw = match self.raw(bits) {
            Err(reason) => return Decoded::bad(reason),
            Ok(raw) => raw,
        };
        match (self.refused(raw, bits), power.map(Scale::power_of_ten)) {
            (Some(reason), _) | (None, Err(reason)) => Decoded::bad(reason),
            (None, Ok(None)) => Decoded::bad(Reason::ScaleFactorOutOfRange),
            (None, Ok(scale)) => self.judge(raw, bits, scale.as_ref()),
        }
    }

    fn decode_number(&self, words: &[u16], scale: Option<&Scale>) -> Decoded<'static> {
        let bits = self.bits(words);
        match self.raw(bits) {
            Err(reason) => Decoded::bad(reason),
            Ok(raw) => self.judge(raw, bits, scale),
        }
    }

    /// Takes the value for a power of ten: -32768 is how devices say that there is none.
    pub(crate) fn mark_as_power(&mut self) {
        self.is_power = true;
        let absent = RawValue::Bits(1 << 15);
        let is_known = self.sentinels.iter().any(|sentinel| sentinel.raw == absent);
        if self.kind == RegisterType::I16 && !is_known {
            let reason = Reason::NotImplemented;
            self.sentinels.push(Sentinel { raw: absent, name: reason.to_string(), reason });
        }
    }

    fn decode_text<'a>(&self, words: &[u16], text: &'a mut String) -> Decoded<'a> {
        // A string has one "no value": nothing but NUL, which is 0.
        let bits = if self.kind == RegisterType::Text {
            u64::from(words.iter().any(|word| *word != 0))
        } else {
            self.order.join(words)
        };
        if let Some(sentinel) = self.sentinel(Raw::Unsigned(bits), bits) {
            return Decoded::bad(sentinel.reason);
        }
        let quality = if self.kind == RegisterType::Text {
            text::string(words, self.order, self.encoding, text)
        } else if self.kind == RegisterType::DateTime6 {
            text::datetime(words, self.order, text)
        } else if self.kind == RegisterType::Epoch32 {
            text::epoch(bits, text)
        } else if self.kind == RegisterType::Ipv4 {
            text::ipv4(bits, text)
        } else {
            text::mac(bits, text)
        };
        match quality {
            Quality { class: signals::QualityClass::Bad, reason } => Decoded::bad(reason),
            quality => Decoded { value: Some(Value::Text(text)), quality },
        }
    }

    /// The bits of the value itself, right-aligned.
    fn bits(&self, words: &[u16]) -> u64 {
        let bits = self.order.join(words);
        let (shift, width) = match self.kind.part() {
            Part::Whole => return bits,
            Part::HighByte => (8, 8),
            Part::LowByte => (0, 8),
            Part::Bit => (self.bit, 1),
        };
        bits >> shift & ((1 << width) - 1)
    }

    /// Why the raw number is no value, if it is none.
    fn refused(&self, raw: Raw, bits: u64) -> Option<Reason> {
        let absent = self.sentinel(raw, bits).map(|sentinel| sentinel.reason);
        match (absent.filter(|reason| *reason != Reason::ZeroOrNotImplemented), raw) {
            (Some(reason), _) => Some(reason),
            (None, Raw::Real(real)) if real.is_nan() => Some(Reason::Nan),
            (None, Raw::Real(real)) if real.is_infinite() => Some(Reason::Infinite),
            (None, _) => None,
        }
    }

    fn judge(&self, raw: Raw, bits: u64, scale: Option<&Scale>) -> Decoded<'static> {
        if let Some(reason) = self.refused(raw, bits) {
            return Decoded::bad(reason);
        }
        // The only one that is left says that the value may be none.
        let doubt = self.sentinel(raw, bits).map(|sentinel| Quality::uncertain(sentinel.reason));
        let value = engineering(raw, scale);
        let quality = doubt.or_else(|| self.out_of_loop(raw)).or_else(|| self.unknown_state(raw));
        let number = match value {
            Value::F64(number) => number,
            #[expect(clippy::cast_precision_loss, reason = "only compared with a range")]
            Value::I64(number) => number as f64,
            #[expect(clippy::cast_precision_loss, reason = "only compared with a range")]
            Value::U64(number) => number as f64,
            Value::Bool(_) | Value::Text(_) | Value::Bytes(_) => 0.0,
        };
        if number.is_infinite() {
            return Decoded::bad(Reason::Infinite);
        }
        if self.is_power && !(-10.0..=10.0).contains(&number) {
            return Decoded::bad(Reason::ScaleFactorOutOfRange);
        }
        match self.out_of_range(number) {
            Some(outside) if outside.class == signals::QualityClass::Bad => {
                Decoded::bad(outside.reason)
            }
            outside => Decoded {
                value: Some(value),
                quality: quality.or(outside).unwrap_or(Quality::GOOD),
            },
        }
    }

    fn sentinel(&self, raw: Raw, bits: u64) -> Option<&Sentinel> {
        self.sentinels.iter().find(|sentinel| match (sentinel.raw, raw) {
            (RawValue::Bits(wanted), _) => wanted == bits,
            (RawValue::Whole(wanted), Raw::Signed(number)) => wanted == i128::from(number),
            (RawValue::Whole(wanted), Raw::Unsigned(number)) => wanted == i128::from(number),
            (RawValue::Real(wanted), Raw::Real(number)) => self.same_real(wanted, number),
            (RawValue::Whole(_) | RawValue::Real(_), _) => false,
        })
    }

    /// Name of the "no value" that an integer stands for, if it stands for one.
    pub(crate) fn no_value_of(&self, raw: i128, bits: u64) -> Option<&str> {
        let named = self.sentinels.iter().find(|sentinel| match sentinel.raw {
            RawValue::Bits(wanted) => wanted == bits,
            RawValue::Whole(wanted) => wanted == raw,
            RawValue::Real(_) => false,
        });
        let named = named.filter(|sentinel| sentinel.reason != Reason::ZeroOrNotImplemented);
        named.map(|sentinel| sentinel.name.as_str())
    }

    /// Likewise for a real number.
    pub(crate) fn no_value_of_real(&self, real: f64, bits: u64) -> Option<&str> {
        self.sentinel(Raw::Real(real), bits).map(|sentinel| sentinel.name.as_str())
    }

    /// Whether the device means `wanted`: -999.9 written in decimal is not the `f32` of it.
    #[expect(clippy::cast_possible_truncation, clippy::float_cmp, reason = "meant: same bits")]
    fn same_real(&self, wanted: f64, number: f64) -> bool {
        let narrow = self.kind == RegisterType::F32;
        if narrow { wanted as f32 == number as f32 } else { wanted == number }
    }

    /// Whether a measuring loop is below its live zero or above its full scale.
    fn out_of_loop(&self, raw: Raw) -> Option<Quality> {
        let number = match raw {
            Raw::Signed(number) => i128::from(number),
            Raw::Unsigned(number) => i128::from(number),
            Raw::Truth(_) | Raw::Real(_) => return None,
        };
        if self.under_range_raw.is_some_and(|limit| number <= i128::from(limit)) {
            return Some(Quality::uncertain(Reason::UnderRange));
        }
        if self.over_range_raw.is_some_and(|limit| number >= i128::from(limit)) {
            return Some(Quality::uncertain(Reason::OverRange));
        }
        None
    }

    fn unknown_state(&self, raw: Raw) -> Option<Quality> {
        let Raw::Unsigned(number) = raw else { return None };
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        let unknown = !self.states.is_empty() && self.states.binary_search(&number).is_err();
        unknown.then_some(Quality::uncertain(Reason::EnumUnknown))
    }

    fn out_of_range(&self, number: f64) -> Option<Quality> {
        let (range, outside) = self.range?;
        let reason = if number < range.low {
            Reason::RangeLow
        } else if number > range.high {
            Reason::RangeHigh
        } else {
            return None;
        };
        Some(match outside {
            Outside::Uncertain => Quality::uncertain(reason),
            Outside::Bad => Quality::bad(reason),
        })
    }
}

impl Decoded<'_> {
    const fn bad(reason: Reason) -> Self {
        Self { value: None, quality: Quality::bad(reason) }
    }
}

#[cfg(test)]
pub(crate) mod tests;
