//! J1939: parameter groups, and raw values that say "no value".

use signals::Reason;

/// The parameter group number of a 29-bit identifier (SAE J1939-21).
///
/// From PDU format 240 on it is the 18 bits above the source address; below, its low byte is the
/// destination address and counts as 0.
#[must_use]
#[inline]
pub const fn pgn(id: u32) -> u32 {
    let pdu_format = (id >> 16) & 0xFF;
    if pdu_format >= 240 { (id >> 8) & 0x3_FFFF } else { (id >> 8) & 0x3_FF00 }
}

/// The address of the sender: the low byte of a 29-bit identifier.
#[must_use]
#[inline]
pub const fn source_address(id: u32) -> u8 {
    (id & 0xFF) as u8
}

/// Whether anybody may define what the group contains (proprietary A, A2, B and B2), so that the
/// ranges of the standard say nothing about its values.
#[must_use]
pub const fn is_proprietary(pgn: u32) -> bool {
    matches!(pgn, 0xEF00 | 0x1_EF00 | 0xFF00..=0xFFFF | 0x1_FF00..=0x1_FFFF)
}

/// What a raw value means by the ranges of SAE J1939-71.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum State {
    /// A value.
    Valid,
    /// A parameter-specific indicator (0xFB…).
    Specific,
    /// Reserved (0xFC…, 0xFD…).
    Reserved,
    /// The sender has an error (0xFE…).
    Error,
    /// The sender does not have this parameter (0xFF…).
    NotAvailable,
}

impl State {
    /// Why there is no value; `None` for a valid one.
    #[must_use]
    #[inline]
    pub const fn reason(self) -> Option<Reason> {
        match self {
            Self::Valid => None,
            Self::Specific | Self::Reserved => Some(Reason::ReservedRange),
            Self::Error => Some(Reason::ErrorIndicator),
            Self::NotAvailable => Some(Reason::NotAvailable),
        }
    }
}

/// The smallest number of this many bits that is no value, if the standard's ranges say anything
/// about such numbers: from there on [`state`] is never valid.
///
/// Whole bytes up to four, and the odd widths whose limits are in common use: 10, 12, 20, 28.
/// 2- and 4-bit states keep their values, because several parameters use 0b11 as a state.
#[must_use]
pub const fn valid_below(bits: u32) -> Option<u64> {
    match bits {
        8 | 12 | 16 | 20 | 24 | 28 | 32 => Some(0xFB << (bits - 8)),
        10 => Some(0x3FB),
        _ => None,
    }
}

/// The state of an unsigned number; always valid where [`valid_below`] says nothing.
#[must_use]
#[inline]
pub fn state(bits: u32, raw: u64) -> State {
    let top = match bits {
        8 | 12 | 16 | 20 | 24 | 28 | 32 => raw >> (bits - 8),
        10 if raw >> 8 == 0b11 => raw & 0xFF,
        _ => return State::Valid,
    };
    match top {
        0xFB => State::Specific,
        0xFC | 0xFD => State::Reserved,
        0xFE => State::Error,
        0xFF.. => State::NotAvailable,
        0..=0xFA => State::Valid,
    }
}

#[cfg(test)]
mod tests;
