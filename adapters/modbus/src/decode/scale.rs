//! Scale and offset, in decimal: 2315 × 0.1 is 231.5 and nothing next to it.

/// Powers of ten that an `f64` holds exactly.
const EXACT_POWER_MAX: i32 = 22;

/// 10^-10 to 10^10.
const POWERS: [f64; 21] = [
    1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6,
    1e7, 1e8, 1e9, 1e10,
];

/// Engineering value = raw × scale + offset.
///
/// The result for an integer is the `f64` nearest to the exact decimal result wherever 128 bits
/// hold the digits, which is everywhere but for scales of 17 digits on 64-bit numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    factor: f64,
    offset: f64,
    decimal: Option<Decimal>,
}

/// raw × factor + offset, both as multiples of 1 / power.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Decimal {
    factor: i128,
    offset: i128,
    power: f64,
    /// Its exponent: power = 10^places.
    places: i32,
}

impl Scale {
    /// The scale as it was written; both numbers finite, `factor` not 0.
    #[must_use]
    pub fn new(factor: f64, offset: f64) -> Self {
        Self { factor, offset, decimal: Decimal::new(factor, offset) }
    }

    /// Multiplication by 10^`power`; `None` outside of -10..=10.
    #[must_use]
    pub fn power_of_ten(power: i64) -> Option<Self> {
        let place = usize::try_from(power + 10).ok()?;
        let (factor, exponent) = (*POWERS.get(place)?, i32::try_from(power).ok()?);
        let lifted = |exponent: i32| 10_i128.pow(exponent.max(0).unsigned_abs());
        let places = (-exponent).max(0);
        let decimal =
            Decimal { factor: lifted(exponent), offset: 0, power: 10_f64.powi(places), places };
        Some(Self { factor, offset: 0.0, decimal: Some(decimal) })
    }

    /// The engineering value of an integer.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "rounds once, to the nearest")]
    pub fn of_integer(&self, raw: i128) -> f64 {
        let exact = self.decimal.and_then(|decimal| {
            let scaled = raw.checked_mul(decimal.factor)?.checked_add(decimal.offset)?;
            Some(scaled as f64 / decimal.power)
        });
        exact.unwrap_or_else(|| (raw as f64).mul_add(self.factor, self.offset))
    }

    /// The engineering value of a real number.
    #[must_use]
    pub fn of_real(&self, raw: f64) -> f64 {
        raw.mul_add(self.factor, self.offset)
    }

    /// The raw integer whose engineering value is nearest to `value`; `None` beyond 128 bits.
    #[must_use]
    pub fn undo(&self, value: f64) -> Option<i128> {
        let exact = self.decimal.and_then(|decimal| decimal.undo(value));
        exact.or_else(|| {
            let raw = self.undo_real(value).round();
            #[expect(clippy::cast_possible_truncation, reason = "checked to fit")]
            (raw.abs() < 1e30).then_some(raw as i128)
        })
    }

    /// The raw real number of an engineering value.
    #[must_use]
    pub fn undo_real(&self, value: f64) -> f64 {
        (value - self.offset) / self.factor
    }
}

impl Decimal {
    /// (value × power - offset) / factor in whole numbers, rounded to the nearest.
    fn undo(&self, value: f64) -> Option<i128> {
        let (digits, power) = digits(value)?;
        let (own, factor, offset) = (self.places + power, self.factor, self.offset);
        // With less than one unit of the value, the other two are lifted instead.
        let lift = 10_i128.checked_pow(own.unsigned_abs())?;
        let (value, factor, offset) = if own >= 0 {
            (digits.checked_mul(lift)?, factor, offset)
        } else {
            (digits, factor.checked_mul(lift)?, offset.checked_mul(lift)?)
        };
        let dividend = value.checked_sub(offset)?;
        let quotient = dividend.checked_div(factor)?;
        let rest = dividend.checked_rem(factor)?;
        let is_up = rest.unsigned_abs().checked_mul(2)? >= factor.unsigned_abs();
        let step = if (rest < 0) == (factor < 0) { 1 } else { -1 };
        Some(if is_up { quotient + step } else { quotient })
    }

    fn new(factor: f64, offset: f64) -> Option<Self> {
        let (factor_digits, factor_power) = digits(factor)?;
        let (offset_digits, offset_power) = digits(offset)?;
        let power = (-factor_power).max(-offset_power).max(0);
        if power > EXACT_POWER_MAX {
            return None;
        }
        let lift = |digits: i128, own: i32| {
            digits.checked_mul(10_i128.checked_pow(u32::try_from(own + power).ok()?)?)
        };
        Some(Self {
            factor: lift(factor_digits, factor_power)?,
            offset: lift(offset_digits, offset_power)?,
            power: 10_f64.powi(power),
            places: power,
        })
    }
}

/// The shortest decimal that reads back as `number`: digits × 10^power.
fn digits(number: f64) -> Option<(i128, i32)> {
    let text = format!("{number:e}");
    let (mantissa, power) = text.split_once('e')?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    let power: i32 = power.parse().ok()?;
    Some((digits, power - i32::try_from(fraction.len()).ok()?))
}
