//! Quality: how far a sample can be trusted, and why not further.

use std::fmt;

use serde::{Deserialize, Serialize};

/// OPC UA's three classes. The number is the lake's `q` column.
#[derive(
    Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum QualityClass {
    /// The device said so, in time, and the value is plausible.
    #[default]
    Good = 0,
    /// There is a value, with a reservation.
    Uncertain = 1,
    /// There is no value: the column is null.
    Bad = 2,
}

impl QualityClass {
    /// 0 good, 1 uncertain, 2 bad.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The class of a code; everything unknown counts as bad.
    #[must_use]
    pub const fn from_code(code: u8) -> Self {
        match code {
            0 => Self::Good,
            1 => Self::Uncertain,
            2.. => Self::Bad,
        }
    }

    /// `good`, `uncertain` or `bad`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Uncertain => "uncertain",
            Self::Bad => "bad",
        }
    }
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $text:literal;)*) => {
        /// Why a sample is not plainly good.
        ///
        /// [`Reason::code`] is stable: it is stored in the journal.
        #[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
        pub enum Reason {
            /// Nothing to say: the sample is good.
            #[default]
            None,
            /// The device answered with this Modbus exception code.
            Exception(u8),
            /// The raw value is the tag's declared "no value" number, by its place in the list.
            Sentinel(u8),
            $($(#[$doc])* $name,)*
        }

        impl Reason {
            /// Stable number of the reason.
            #[must_use]
            pub const fn code(self) -> u16 {
                match self {
                    Self::None => 0,
                    Self::Exception(code) => 0x0100 | code as u16,
                    Self::Sentinel(place) => 0x0200 | place as u16,
                    $(Self::$name => $code,)*
                }
            }

            /// The reason of a stored number; `None` when this version does not know it.
            #[must_use]
            pub const fn from_code(code: u16) -> Option<Self> {
                match code {
                    0 => Some(Self::None),
                    0x0100..=0x01FF => Some(Self::Exception((code & 0xFF) as u8)),
                    0x0200..=0x02FF => Some(Self::Sentinel((code & 0xFF) as u8)),
                    $($code => Some(Self::$name),)*
                    _ => None,
                }
            }
        }

        impl fmt::Display for Reason {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    Self::None => f.write_str(""),
                    Self::Exception(code) => write!(f, "exc_{code}"),
                    Self::Sentinel(place) => write!(f, "sentinel_{place}"),
                    $(Self::$name => f.write_str($text),)*
                }
            }
        }
    };
}

reasons! {
    /// No answer has arrived since the start.
    WaitingFirst = 1, "waiting_first";
    /// The device did not answer in time.
    Timeout = 2, "timeout";
    /// There is no connection to the device.
    NotConnected = 3, "not_connected";
    /// The device is asked only now and then because it did not answer.
    Demoted = 4, "demoted";
    /// Checksum of the frame is wrong.
    Crc = 5, "crc";
    /// The frame is not a legal frame.
    Framing = 6, "framing";
    /// The answer came from another unit id.
    UnitMismatch = 7, "unit_mismatch";
    /// The answer carries another function code.
    FunctionMismatch = 8, "function_mismatch";
    /// The answer carries another number of values.
    QuantityMismatch = 9, "quantity_mismatch";
    /// The register does not exist in the device.
    IllegalAddress = 10, "illegal_address";
    /// The device sent a number that is not a number.
    Nan = 11, "nan";
    /// The device sent an infinite number.
    Infinite = 12, "infinite";
    /// A nibble of a BCD number is above 9.
    InvalidBcd = 13, "invalid_bcd";
    /// The device says that this point is not implemented.
    NotImplemented = 14, "not_implemented";
    /// The scale factor of the value could not be used.
    ScaleFactor = 15, "scale_factor";
    /// The configuration of the signal is wrong.
    ConfigError = 16, "config_error";
    /// The signal is switched off.
    Disabled = 17, "disabled";
    /// Below the configured range.
    RangeLow = 18, "range_low";
    /// Above the configured range.
    RangeHigh = 19, "range_high";
    /// The number is not one of the declared values.
    EnumUnknown = 20, "enum_unknown";
    /// The text is not legal in its encoding.
    InvalidText = 21, "invalid_text";
    /// J1939: the parameter is not available at the sender (0xFF…).
    NotAvailable = 22, "not_available";
    /// J1939: the sender reports an error for the parameter (0xFE…).
    ErrorIndicator = 23, "error_indicator";
    /// J1939: reserved or parameter-specific range (0xFB…0xFD…).
    ReservedRange = 24, "reserved_range";
    /// The frame is too short to hold the signal.
    Truncated = 25, "truncated";
    /// Nothing new has come for longer than the signal may be silent.
    Stale = 26, "stale";
    /// The wall clock was not synchronised when the sample was stamped.
    ClockUnsynced = 27, "clock_unsynced";
    /// A measuring loop below its live zero (below 4 mA).
    UnderRange = 28, "under_range";
    /// A measuring loop above its full scale (above 20 mA).
    OverRange = 29, "over_range";
    /// A mod-10000 word holds 10000 or more.
    InvalidMod10k = 30, "invalid_mod10k";
    /// A date or time that no calendar has.
    InvalidTime = 31, "invalid_time";
    /// The value lies between two declared states of a device that is not ready.
    NotReady = 32, "not_ready";
    /// A calendar date that does not exist, or a clock reading that no clock shows.
    InvalidDate = 33, "invalid_date";
    /// The device says that the scale factor of the value is not implemented.
    ScaleFactorNotImplemented = 34, "scale_factor_not_implemented";
    /// The scale factor is not a power of ten that any device uses (-10 to 10).
    ScaleFactorOutOfRange = 35, "scale_factor_out_of_range";
    /// An accumulator at 0, which is also how a device says that it has none.
    ZeroOrNotImplemented = 36, "zero_or_not_implemented";
    /// Value and scale factor come from two answers; the factor may have changed in between.
    ScaleFromOtherRead = 37, "scale_from_other_read";
    /// The tag that changes with every cycle of the device stands still.
    WatchdogStill = 38, "watchdog_still";
}

/// Class and reason together.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Quality {
    /// How far the sample can be trusted.
    pub class: QualityClass,
    /// Why not further.
    pub reason: Reason,
}

impl Quality {
    /// A good sample.
    pub const GOOD: Self = Self { class: QualityClass::Good, reason: Reason::None };

    /// No value, for this reason.
    #[must_use]
    pub const fn bad(reason: Reason) -> Self {
        Self { class: QualityClass::Bad, reason }
    }

    /// A value with a reservation.
    #[must_use]
    pub const fn uncertain(reason: Reason) -> Self {
        Self { class: QualityClass::Uncertain, reason }
    }

    /// Whether there is nothing to say against the sample.
    #[must_use]
    pub fn is_good(self) -> bool {
        self.class == QualityClass::Good
    }
}

#[cfg(test)]
mod tests;
