//! Functions of a window: what is told of it, by the names that configurations, columns and
//! messages use.

use std::fmt;

/// Most quantiles of one kind of window: a summary keeps room for so many.
pub const QUANTILES_MAX: usize = 8;

/// What is told of the values of one signal over one window.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Function {
    /// Number of values.
    Count,
    /// Number of values without reservation.
    Good,
    /// Smallest value.
    Min,
    /// Greatest value.
    Max,
    /// Arithmetic mean.
    Mean,
    /// Time-weighted mean.
    Twa,
    /// Earliest value.
    First,
    /// Latest value.
    Last,
    /// Standard deviation of the population.
    Stddev,
    /// A quantile.
    Quantile(Quantile),
}

/// A quantile by its percentage in thousandths, 1..=99,999: `p50` is 50,000.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Quantile(u32);

impl Function {
    /// What is told of a window when nothing else is said, in the order of columns and messages.
    pub const USUAL: [Self; 9] = [
        Self::Count,
        Self::Good,
        Self::Min,
        Self::Max,
        Self::Mean,
        Self::Twa,
        Self::First,
        Self::Last,
        Self::Stddev,
    ];

    /// The function of a name: `count`, `twa` …, `p50`, `p99.9` or `p99_9`; `None` for any other.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let plain = Self::USUAL.into_iter().find(|function| function.plain_name() == Some(name));
        plain.or_else(|| Quantile::parse(name).map(Self::Quantile))
    }

    const fn plain_name(self) -> Option<&'static str> {
        match self {
            Self::Count => Some("count"),
            Self::Good => Some("good"),
            Self::Min => Some("min"),
            Self::Max => Some("max"),
            Self::Mean => Some("mean"),
            Self::Twa => Some("twa"),
            Self::First => Some("first"),
            Self::Last => Some("last"),
            Self::Stddev => Some("stddev"),
            Self::Quantile(_) => None,
        }
    }
}

/// The name of its column: `count`, `p50`, `p99_9`.
impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.plain_name(), self) {
            (Some(name), _) => f.write_str(name),
            (None, Self::Quantile(quantile)) => quantile.fmt(f),
            (None, _) => Ok(()),
        }
    }
}

impl Quantile {
    /// The share of values that are not greater, above 0 and below 1.
    #[must_use]
    pub fn share(self) -> f64 {
        f64::from(self.0) / 100_000.0
    }

    /// `p` and a percentage above 0 and below 100, with at most three decimals.
    fn parse(name: &str) -> Option<Self> {
        let percent = name.strip_prefix('p')?;
        let (whole, part) = percent.split_once(['.', '_']).unwrap_or((percent, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let is_number = digits(whole) && digits(part) && !whole.is_empty();
        if !is_number || whole.len() > 2 || part.len() > 3 || percent.ends_with(['.', '_']) {
            return None;
        }
        let thousandths: u32 = format!("{whole}{part:0<3}").parse().ok()?;
        (thousandths > 0).then_some(Self(thousandths))
    }
}

impl fmt::Display for Quantile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / 1_000, self.0 % 1_000);
        if part == 0 {
            return write!(f, "p{whole}");
        }
        let part = format!("{part:03}");
        write!(f, "p{whole}_{}", part.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests;
