//! MBAP framing (Modbus Messaging on TCP/IP V1.0b, clause 3.1.3).

use std::ops::Range;

use super::Fault;

/// Bytes before the PDU: transaction id, protocol id, length, unit id.
const HEADER: usize = 7;
/// Bytes the length field does not count.
const UNCOUNTED: usize = 6;
/// Legal lengths: unit id and function code up to unit id and the longest PDU.
const LENGTHS: std::ops::RangeInclusive<u16> = 2..=254;

/// A whole frame at the beginning of the inbox.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Frame {
    /// Transaction id.
    pub(super) id: u16,
    /// Unit id.
    pub(super) unit: u8,
    /// Where the PDU is in the inbox; it ends where the frame ends.
    pub(super) pdu: Range<usize>,
}

/// The first frame of `inbox`, `None` when it has not arrived whole.
///
/// # Errors
/// [`Fault::Framing`] as soon as the header cannot be one: waiting would not help.
pub(super) fn first(inbox: &[u8]) -> Result<Option<Frame>, Fault> {
    if let Some(protocol) = inbox.get(2..4)
        && protocol != [0, 0]
    {
        return Err(Fault::Framing("protocol id is not 0"));
    }
    let Some(length) = inbox.get(4..6).and_then(word) else { return Ok(None) };
    if !LENGTHS.contains(&length) {
        return Err(Fault::Framing("length of a frame out of range"));
    }
    let end = UNCOUNTED + usize::from(length);
    let whole = inbox.len() >= end;
    let id = inbox.get(..2).and_then(word);
    let (Some(id), Some(unit), true) = (id, inbox.get(UNCOUNTED), whole) else { return Ok(None) };
    Ok(Some(Frame { id, unit: *unit, pdu: HEADER..end }))
}

/// Starts a frame in an empty `outbox`; the PDU is appended, then [`seal`] is called.
pub(super) fn open(outbox: &mut Vec<u8>, id: u16, unit: u8) {
    outbox.clear();
    outbox.extend_from_slice(&id.to_be_bytes());
    outbox.extend_from_slice(&[0, 0, 0, 0, unit]);
}

/// Writes the length of the frame in `outbox`.
///
/// # Errors
/// [`Fault::Request`] when the PDU is longer than a frame can hold.
pub(super) fn seal(outbox: &mut [u8]) -> Result<(), Fault> {
    let length = outbox.len().saturating_sub(UNCOUNTED);
    let legal = u16::try_from(length).ok().filter(|length| LENGTHS.contains(length));
    let (Some(length), Some(field)) = (legal, outbox.get_mut(4..6)) else {
        return Err(Fault::Request);
    };
    field.copy_from_slice(&length.to_be_bytes());
    Ok(())
}

/// The PDU of a frame in the outbox.
pub(super) fn pdu(outbox: &[u8]) -> &[u8] {
    outbox.get(HEADER..).unwrap_or_default()
}

fn word(bytes: &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.try_into().ok()?))
}
