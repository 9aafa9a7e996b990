//! Words of a value: what is sent, and whether what is read is the same.

use signals::{QualityClass, Value};

use super::command::Setting;
use crate::decode::Format;

/// A value as it goes on the wire.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Coded {
    /// One word a register or coil; bits outside of the mask are 0.
    pub(super) words: Vec<u16>,
    /// Bits of the one register that are the value's own; all of them for whole registers.
    pub(super) mask: u16,
}

impl Coded {
    /// # Errors
    /// Why the tag cannot hold it.
    pub(super) fn new(format: &Format, setting: &Setting) -> Result<Self, String> {
        let words = format.encode(setting.as_value()).map_err(|err| err.to_string())?;
        Ok(Self { words, mask: format.mask() })
    }

    /// Whether only some bits of a register are the value's.
    pub(super) fn is_part(&self) -> bool {
        self.mask != u16::MAX
    }

    /// The register with the value put into it.
    pub(super) fn put_into(&self, register: u16) -> u16 {
        let own = self.words.first().copied().unwrap_or_default();
        (register & !self.mask) | (own & self.mask)
    }

    /// Whether the words are those of the value, to within `tolerance` raw counts.
    pub(super) fn is_in(&self, format: &Format, words: &[u16], tolerance: u32) -> bool {
        let masked = |words: &[u16]| words.iter().map(|word| word & self.mask).collect::<Vec<_>>();
        let (wanted, found) = (masked(&self.words), masked(words));
        if wanted == found {
            return true;
        }
        if tolerance == 0 || wanted.len() != found.len() {
            return false;
        }
        let counts = counts(format, &wanted).zip(counts(format, &found));
        counts.is_some_and(|(a, b)| a.abs_diff(b) <= u128::from(tolerance))
    }
}

/// The value in words that were read; `None` when its quality is bad.
pub(super) fn value_in(format: &Format, words: &[u16]) -> Option<Setting> {
    let mut text = String::new();
    let decoded = format.decode(words, &mut text);
    decoded.value.map(Setting::of)
}

/// Whether the value is good and true: what an interlock must be. Else what it is.
pub(super) fn good_and_true(format: &Format, words: &[u16]) -> Result<(), String> {
    let mut text = String::new();
    let decoded = format.decode(words, &mut text);
    if decoded.quality.class != QualityClass::Good {
        return Err(format!("its quality is {}", decoded.quality.reason));
    }
    let value = decoded.value.map(Setting::of);
    match value.as_ref().and_then(Setting::number) {
        Some(number) if number != 0.0 => Ok(()),
        Some(_) => Err("it is false".to_owned()),
        None => Err("it is neither true nor false".to_owned()),
    }
}

/// The raw number; a real number counts in steps of its type. `None` for text.
fn counts(format: &Format, words: &[u16]) -> Option<i128> {
    let bare = Format { order: format.order, bit: format.bit, ..Format::new(format.kind) };
    let mut text = String::new();
    match bare.decode(words, &mut text).value? {
        Value::Bool(truth) => Some(i128::from(truth)),
        Value::I64(number) => Some(i128::from(number)),
        Value::U64(number) => Some(i128::from(number)),
        Value::F64(_) => {
            let bits = i128::from(format.order.join(words));
            let sign = 1_i128 << (format.kind.bits() - 1);
            Some(if bits < sign { bits } else { sign - bits })
        }
        Value::Text(_) | Value::Bytes(_) => None,
    }
}
