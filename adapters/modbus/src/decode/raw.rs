//! From bits to numbers: every coding an integer or a real number can have in registers.

use signals::{Reason, Value};

use super::{Format, RegisterType, Scale};

/// A number as it came, before scaling.
#[derive(Clone, Copy)]
pub(super) enum Raw {
    Truth(bool),
    Signed(i64),
    Unsigned(u64),
    Real(f64),
}

impl Format {
    /// The number in the bits of the value itself.
    #[expect(clippy::cast_possible_truncation, reason = "the kind says how many bits there are")]
    pub(super) fn raw(&self, bits: u64) -> Result<Raw, Reason> {
        Ok(match self.kind {
            RegisterType::Bool | RegisterType::Bit => Raw::Truth(bits != 0),
            RegisterType::I8High | RegisterType::I8Low => {
                Raw::Signed((bits as u8).cast_signed().into())
            }
            RegisterType::I16 => Raw::Signed((bits as u16).cast_signed().into()),
            RegisterType::I32 => Raw::Signed((bits as u32).cast_signed().into()),
            RegisterType::I64 => Raw::Signed(bits.cast_signed()),
            RegisterType::I16SignMagnitude => {
                let magnitude = (bits & 0x7FFF).cast_signed();
                Raw::Signed(if bits & 0x8000 == 0 { magnitude } else { -magnitude })
            }
            RegisterType::F16 => Raw::Real(half(bits as u16)),
            RegisterType::F32 => Raw::Real(f32::from_bits(bits as u32).into()),
            RegisterType::F64 => Raw::Real(f64::from_bits(bits)),
            RegisterType::Bcd16 | RegisterType::Bcd32 => Raw::Unsigned(bcd(bits)?),
            RegisterType::Mod10k2 | RegisterType::Mod10k3 | RegisterType::Mod10k4 => {
                Raw::Unsigned(mod10k(bits)?)
            }
            RegisterType::U8High
            | RegisterType::U8Low
            | RegisterType::U16
            | RegisterType::U32
            | RegisterType::U64
            | RegisterType::Enum16
            | RegisterType::Flags16
            | RegisterType::Flags32
            | RegisterType::Text
            | RegisterType::Epoch32
            | RegisterType::DateTime6
            | RegisterType::Ipv4
            | RegisterType::Mac => Raw::Unsigned(bits),
        })
    }
}

/// The number in engineering units.
pub(super) fn engineering(raw: Raw, scale: Option<&Scale>) -> Value<'static> {
    match (raw, scale) {
        (Raw::Truth(truth), _) => Value::Bool(truth),
        (Raw::Signed(number), None) => Value::I64(number),
        (Raw::Unsigned(number), None) => Value::U64(number),
        (Raw::Real(number), None) => Value::F64(number),
        (Raw::Signed(number), Some(scale)) => Value::F64(scale.of_integer(number.into())),
        (Raw::Unsigned(number), Some(scale)) => Value::F64(scale.of_integer(number.into())),
        (Raw::Real(number), Some(scale)) => Value::F64(scale.of_real(number)),
    }
}

/// IEEE 754 binary16 as `f64`, exact.
fn half(bits: u16) -> f64 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let exponent = i32::from(bits >> 10 & 0x1F);
    let fraction = f64::from(bits & 0x3FF);
    match (exponent, bits & 0x3FF) {
        (0, _) => sign * fraction * 2_f64.powi(-24),
        (31, 0) => sign * f64::INFINITY,
        (31, _) => f64::NAN,
        _ => sign * (1024.0 + fraction) * 2_f64.powi(exponent - 25),
    }
}

fn bcd(bits: u64) -> Result<u64, Reason> {
    let mut number = 0;
    for place in (0..16).rev() {
        let digit = bits >> (4 * place) & 0xF;
        if digit > 9 {
            return Err(Reason::InvalidBcd);
        }
        number = number * 10 + digit;
    }
    Ok(number)
}

fn mod10k(bits: u64) -> Result<u64, Reason> {
    let mut number = 0;
    for place in (0..4).rev() {
        let digits = bits >> (16 * place) & 0xFFFF;
        if digits > 9999 {
            return Err(Reason::InvalidMod10k);
        }
        number = number * 10_000 + digits;
    }
    Ok(number)
}
