//! What is asked for: a command, and the value in it.

use std::fmt;

use serde::{Deserialize, Serialize};
use signals::{Timestamp, Value};

/// A wish to write one value to one tag.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// Path of the signal: `plant/pump-3/setpoint`.
    pub path: String,
    /// The value, in engineering units.
    pub value: Setting,
    /// Who wants it.
    pub who: String,
    /// From where: an address, or a broker.
    pub origin: Origin,
    /// Refused unless the tag has this value right before.
    pub expected_old: Option<Setting>,
    /// The token that the first of two steps gave.
    pub confirm_token: Option<String>,
    /// Refused when it is not on the wire by then, by the gateway's wall clock.
    pub not_after: Option<Timestamp>,
}

/// Where a command comes from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Origin {
    /// The gateway's own API; the address of the peer.
    Local(String),
    /// A cloud; such commands must say until when they hold.
    Cloud(String),
}

/// A value to be written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Setting {
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Signed(i64),
    /// A whole number above the signed ones.
    Unsigned(u64),
    /// A real number.
    Real(f64),
    /// Text.
    Text(String),
}

impl Setting {
    /// It as samples are.
    #[must_use]
    pub fn as_value(&self) -> Value<'_> {
        match self {
            Self::Bool(truth) => Value::Bool(*truth),
            Self::Signed(number) => Value::I64(*number),
            Self::Unsigned(number) => Value::U64(*number),
            Self::Real(number) => Value::F64(*number),
            Self::Text(text) => Value::Text(text),
        }
    }

    /// A value read, kept.
    #[must_use]
    pub fn of(value: Value<'_>) -> Self {
        match value {
            Value::Bool(truth) => Self::Bool(truth),
            Value::I64(number) => Self::Signed(number),
            Value::U64(number) => Self::Unsigned(number),
            Value::F64(number) => Self::Real(number),
            Value::Text(text) => Self::Text(text.to_owned()),
            Value::Bytes(bytes) => Self::Text(String::from_utf8_lossy(bytes).into_owned()),
        }
    }

    /// What people and scripts write: `true`, `12`, `-3.5`, anything else is text.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let truth = text.parse().ok().map(Self::Bool);
        let signed = || text.parse().ok().map(Self::Signed);
        let unsigned = || text.parse().ok().map(Self::Unsigned);
        let real = || text.parse().ok().filter(|number: &f64| number.is_finite()).map(Self::Real);
        let number = truth.or_else(signed).or_else(unsigned).or_else(real);
        number.unwrap_or_else(|| Self::Text(text.to_owned()))
    }

    /// The number it is; truth values are 0 and 1, text is none.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "only held against limits")]
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Bool(truth) => Some(f64::from(u8::from(*truth))),
            Self::Signed(number) => Some(*number as f64),
            Self::Unsigned(number) => Some(*number as f64),
            Self::Real(number) => Some(*number),
            Self::Text(_) => None,
        }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(truth) => write!(f, "{truth}"),
            Self::Signed(number) => write!(f, "{number}"),
            Self::Unsigned(number) => write!(f, "{number}"),
            Self::Real(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "\"{text}\""),
        }
    }
}

impl Origin {
    /// The place, for the audit: `api 127.0.0.1:40022`.
    #[must_use]
    pub fn place(&self) -> String {
        match self {
            Self::Local(peer) => format!("api {peer}"),
            Self::Cloud(broker) => format!("cloud {broker}"),
        }
    }
}
