//! Every way to read the words at an address.

use signals::{QualityClass, Value};

use crate::area::Address;
use crate::decode::{Format, Order, RegisterType};

/// Numbers that a search tries, narrow ones first.
const NUMBERS: [RegisterType; 14] = [
    RegisterType::U16,
    RegisterType::I16,
    RegisterType::F32,
    RegisterType::U32,
    RegisterType::I32,
    RegisterType::F64,
    RegisterType::U64,
    RegisterType::I64,
    RegisterType::F16,
    RegisterType::Bcd16,
    RegisterType::Bcd32,
    RegisterType::Mod10k2,
    RegisterType::Mod10k3,
    RegisterType::I16SignMagnitude,
];
/// Powers of ten by which devices scale whole numbers.
const POWERS: [i32; 7] = [0, -1, -2, -3, 1, 2, 3];

/// Words read in one way.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoding {
    /// First register.
    pub address: Address,
    /// Type.
    pub kind: RegisterType,
    /// Order of the bytes.
    pub order: Order,
    /// The value as text; `None` when the words are no such value.
    pub text: Option<String>,
    /// The value as a number, where it is one.
    pub number: Option<f64>,
}

/// A number that is looked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wanted {
    /// The number.
    pub value: f64,
    /// How far a reading may lie from it.
    pub tolerance: f64,
}

/// Readings that give the number looked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// First register.
    pub address: Address,
    /// Types that give the same number there.
    pub kinds: Vec<RegisterType>,
    /// Order of the bytes.
    pub order: Order,
    /// The number in the registers.
    pub raw: f64,
    /// Power of ten to multiply it with.
    pub power: i32,
}

impl Wanted {
    /// A number as written: 23.5 is what an instrument shows from 23.45 to 23.55.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("\"{text}\" is not a number; write it with a dot, for example 23.5");
        let value: f64 = text.trim().parse().map_err(|_| wrong())?;
        if !value.is_finite() {
            return Err(wrong());
        }
        let digits = text.trim().split(['e', 'E']).next().unwrap_or_default();
        let decimals = digits.split_once('.').map_or(0, |(_, decimals)| decimals.len());
        let decimals = i32::try_from(decimals.min(15)).unwrap_or(15);
        Ok(Self { value, tolerance: 0.5 * 10_f64.powi(-decimals) })
    }

    fn is(self, number: f64) -> bool {
        (number - self.value).abs() <= self.tolerance
    }
}

impl Decoding {
    /// Reads words, which may be more than the type takes; `None` when they are fewer.
    #[must_use]
    pub fn of(kind: RegisterType, order: Order, address: Address, words: &[u16]) -> Option<Self> {
        let mut format = Format::new(kind);
        format.order = order;
        if kind == RegisterType::Text {
            format.length = u16::try_from(words.len()).ok()?;
        }
        let words = words.get(..usize::from(format.words())).filter(|words| !words.is_empty())?;
        let mut text = String::new();
        let decoded = format.decode(words, &mut text);
        let good = decoded.quality.class != QualityClass::Bad;
        let value = decoded.value.filter(|_| good);
        let number = value.and_then(number);
        Some(Self { address, kind, order, text: value.map(|value| show(kind, value)), number })
    }
}

/// Every reading of every number that begins at `address`.
pub fn decodings(address: Address, words: &[u16]) -> impl Iterator<Item = Decoding> {
    NUMBERS.into_iter().flat_map(move |kind| {
        let orders = orders(kind).iter();
        orders.filter_map(move |order| Decoding::of(kind, *order, address, words))
    })
}

/// Every reading in a run of registers that gives the number looked for, plain ones first.
#[must_use]
pub fn hits(start: Address, words: &[u16], wanted: Wanted) -> Vec<Hit> {
    let mut found: Vec<Hit> = Vec::new();
    for (place, offset) in (start.offset..=u16::MAX).enumerate().take(words.len()) {
        let rest = words.get(place..).unwrap_or_default();
        for reading in decodings(Address { offset, ..start }, rest) {
            let Some(raw) = reading.number else { continue };
            let Some(power) = power_of(reading.kind, raw, wanted) else { continue };
            let same = |hit: &&mut Hit| {
                hit.address == reading.address
                    && hit.order == reading.order
                    && hit.power == power
                    && hit.raw.to_bits() == raw.to_bits()
            };
            match found.iter_mut().find(same) {
                Some(hit) => hit.kinds.push(reading.kind),
                None => found.push(Hit {
                    address: reading.address,
                    kinds: vec![reading.kind],
                    order: reading.order,
                    raw,
                    power,
                }),
            }
        }
    }
    found.sort_by_key(|hit| (hit.power != 0, hit.order != Order::Abcd, hit.power.abs()));
    found
}

fn power_of(kind: RegisterType, raw: f64, wanted: Wanted) -> Option<i32> {
    let may_scale = !kind.is_real() && raw != 0.0;
    let powers = if may_scale { POWERS.as_slice() } else { &[0] };
    powers.iter().copied().find(|power| {
        let scaled = if *power < 0 { raw / 10_f64.powi(-power) } else { raw * 10_f64.powi(*power) };
        wanted.is(scaled)
    })
}

/// The orders that differ for a type.
pub(super) fn orders(kind: RegisterType) -> &'static [Order] {
    match (kind.has_word_order(), kind) {
        (true, _) => &Order::ALL,
        (false, RegisterType::Bcd16) => &[Order::Abcd],
        (false, _) => &[Order::Abcd, Order::Badc],
    }
}

#[expect(clippy::cast_precision_loss, reason = "only compared, or shown beside the exact text")]
fn number(value: Value<'_>) -> Option<f64> {
    match value {
        Value::F64(number) => Some(number),
        Value::I64(number) => Some(number as f64),
        Value::U64(number) => Some(number as f64),
        Value::Bool(_) | Value::Text(_) | Value::Bytes(_) => None,
    }
}

/// A value as people write it.
pub(super) fn show(kind: RegisterType, value: Value<'_>) -> String {
    match value {
        Value::F64(number) => show_real(number, kind != RegisterType::F64),
        Value::I64(number) => number.to_string(),
        Value::U64(number) => number.to_string(),
        Value::Bool(truth) => u8::from(truth).to_string(),
        Value::Text(text) => format!("\"{}\"", text.escape_debug()),
        Value::Bytes(bytes) => format!("{bytes:02X?}"),
    }
}

/// The shortest text that reads back, in powers of ten where it would be long.
#[expect(clippy::cast_possible_truncation, reason = "a narrow float is one already")]
fn show_real(number: f64, is_narrow: bool) -> String {
    let is_long = number != 0.0 && !(1e-4..1e9).contains(&number.abs());
    match (is_narrow, is_long) {
        (true, true) => format!("{:e}", number as f32),
        (true, false) => (number as f32).to_string(),
        (false, true) => format!("{number:e}"),
        (false, false) => number.to_string(),
    }
}
