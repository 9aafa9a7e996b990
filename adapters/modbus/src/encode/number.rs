//! Numbers on their way to raw counts: scale undone, range checked, coded as the type wants it.

use signals::Value;

use super::EncodeError;
use crate::decode::{Coding, Format, RegisterType};

impl Format {
    /// Least and greatest raw number of an integer type; `None` for a real or no number.
    #[must_use]
    pub fn raw_limits(&self) -> Option<(i128, i128)> {
        let bits = self.kind.bits();
        let limits = match self.kind.coding() {
            Coding::Truth => (0, 1),
            Coding::Bcd(digits) => (0, 10_i128.pow(digits) - 1),
            Coding::Mod10k(words) => (0, 10_000_i128.pow(words) - 1),
            Coding::SignMagnitude => (-0x7FFF, 0x7FFF),
            Coding::Binary if self.kind.is_signed() => {
                (-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1)
            }
            Coding::Binary => (0, (1_i128 << bits) - 1),
            Coding::Real(_) | Coding::Text => return None,
        };
        Some(limits)
    }

    /// Least and greatest value the tag can hold, in engineering units; `None` for text.
    #[must_use]
    pub fn value_limits(&self) -> Option<(f64, f64)> {
        #[expect(clippy::cast_precision_loss, reason = "a limit may be a count off at 2^63")]
        let of_integer = |raw: i128| match &self.scale {
            Some(scale) => scale.of_integer(raw),
            None => raw as f64,
        };
        let of_real = |raw: f64| match &self.scale {
            Some(scale) => scale.of_real(raw).clamp(f64::MIN, f64::MAX),
            None => raw,
        };
        let (one, other) = match (self.raw_limits(), self.kind.coding()) {
            (Some((low, high)), _) => (of_integer(low), of_integer(high)),
            (None, Coding::Real(greatest)) => (of_real(-greatest), of_real(greatest)),
            (None, _) => return None,
        };
        Some((one.min(other), one.max(other)))
    }

    /// The bits of an integer type for an engineering value.
    pub(super) fn integer_bits(&self, value: Value<'_>) -> Result<u64, EncodeError> {
        let raw = self.raw_integer(value)?;
        let (low, high) = self.raw_limits().unwrap_or((0, 0));
        if !(low..=high).contains(&raw) {
            return Err(self.beyond_type(value));
        }
        let bits = match self.kind.coding() {
            Coding::Bcd(_) => digits(raw, 10, 4),
            Coding::Mod10k(_) => digits(raw, 10_000, 16),
            Coding::SignMagnitude => low_bits(raw.abs(), 16) | if raw < 0 { 0x8000 } else { 0 },
            Coding::Truth | Coding::Binary | Coding::Real(_) | Coding::Text => {
                low_bits(raw, self.kind.bits())
            }
        };
        match self.no_value_of(raw, bits) {
            Some(name) => Err(EncodeError::Sentinel(name.to_owned())),
            None => Ok(bits),
        }
    }

    /// The raw count next to an engineering value.
    fn raw_integer(&self, value: Value<'_>) -> Result<i128, EncodeError> {
        let whole_only = !self.kind.can_scale();
        match (value, &self.scale) {
            (Value::I64(number), None) => Ok(number.into()),
            (Value::U64(number), None) => Ok(number.into()),
            (Value::F64(number), _) if !number.is_finite() => Err(EncodeError::NotFinite),
            (Value::F64(number), None) if whole_only && number.fract() != 0.0 => {
                Err(EncodeError::NotWhole(number))
            }
            (Value::F64(number), None) => rounded(number).ok_or_else(|| self.beyond_type(value)),
            (Value::I64(_) | Value::U64(_) | Value::F64(_), Some(scale)) => scale
                .undo(as_real(value).unwrap_or(f64::NAN))
                .ok_or_else(|| self.beyond_type(value)),
            (Value::Bool(_) | Value::Text(_) | Value::Bytes(_), _) => {
                Err(self.kind_error("a number"))
            }
        }
    }

    /// The bits of a floating-point type for an engineering value.
    #[expect(clippy::cast_possible_truncation, reason = "rounding to f32 is what is meant")]
    pub(super) fn real_bits(&self, value: Value<'_>) -> Result<u64, EncodeError> {
        let number = as_real(value).ok_or_else(|| self.kind_error("a number"))?;
        if !number.is_finite() {
            return Err(EncodeError::NotFinite);
        }
        let raw = match &self.scale {
            Some(scale) => scale.undo_real(number),
            None => number,
        };
        let (bits, stored) = if self.kind == RegisterType::F16 {
            let bits = half_bits(raw);
            (u64::from(bits), if bits & 0x7C00 == 0x7C00 { f64::INFINITY } else { raw })
        } else if self.kind == RegisterType::F32 {
            let narrow = raw as f32;
            (narrow.to_bits().into(), narrow.into())
        } else {
            (raw.to_bits(), raw)
        };
        if !stored.is_finite() {
            return Err(self.beyond_type(value));
        }
        match self.no_value_of_real(stored, bits) {
            Some(name) => Err(EncodeError::Sentinel(name.to_owned())),
            None => Ok(bits),
        }
    }

    fn beyond_type(&self, value: Value<'_>) -> EncodeError {
        let (low, high) = self.value_limits().unwrap_or((f64::NAN, f64::NAN));
        let value = as_real(value).unwrap_or(f64::NAN);
        EncodeError::Range { value, kind: self.kind.name(), low, high }
    }
}

#[expect(clippy::cast_precision_loss, reason = "beyond 2^53 a scaled value is a float anyway")]
fn as_real(value: Value<'_>) -> Option<f64> {
    match value {
        Value::I64(number) => Some(number as f64),
        Value::U64(number) => Some(number as f64),
        Value::F64(number) => Some(number),
        Value::Bool(_) | Value::Text(_) | Value::Bytes(_) => None,
    }
}

/// The whole number next to `number`, if 128 bits hold it with room to spare.
#[expect(clippy::cast_possible_truncation, reason = "checked to fit")]
fn rounded(number: f64) -> Option<i128> {
    (number.abs() < 1e30).then(|| number.round() as i128)
}

/// The low `width` bits of a number in two's complement.
fn low_bits(number: i128, width: u32) -> u64 {
    let mask = (1_i128 << width) - 1;
    u64::try_from(number & mask).expect("a mask of at most 64 bits leaves at most 64")
}

/// A number, not negative, as digits to `base` that take `bits` each.
fn digits(number: i128, base: i128, bits: u32) -> u64 {
    let (mut left, mut coded, mut shift) = (number, 0_u64, 0);
    while left > 0 && shift < 64 {
        coded |= low_bits(left % base, bits) << shift;
        left /= base;
        shift += bits;
    }
    coded
}

/// IEEE 754 binary16 nearest to `number`, ties to even; infinite beyond 65,520.
fn half_bits(number: f64) -> u16 {
    let sign = if number.is_sign_negative() { 0x8000 } else { 0 };
    let magnitude = number.abs();
    // In units of the last place: 2^-24 below 2^-14, else 2^(exponent - 10).
    let mut exponent = -14_i32;
    while exponent < 16 && magnitude >= 2_f64.powi(exponent + 1) {
        exponent += 1;
    }
    if exponent > 15 {
        return sign | 0x7C00;
    }
    let steps = (magnitude / 2_f64.powi(exponent - 10)).round_ties_even();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0..=2048")]
    let steps = steps as u16;
    let biased = u16::try_from(exponent + 14).unwrap_or(0);
    // A carry out of the fraction raises the exponent by itself, up to infinity.
    sign | (biased * 0x400 + steps)
}
