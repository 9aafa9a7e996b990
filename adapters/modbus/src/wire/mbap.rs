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
#[derive(Clone, Debug, Eq, PartialEq)]
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

/// What the length field of a frame with this PDU says.
///
/// # Errors
/// [`Fault::Request`] when the PDU is longer than a frame can hold.
pub(super) fn length_of(pdu: &[u8]) -> Result<u16, Fault> {
    let length = u16::try_from(pdu.len() + HEADER - UNCOUNTED).ok();
    length.filter(|length| LENGTHS.contains(length)).ok_or(Fault::Request)
}

/// Appends the header of a frame to `outbox`; its PDU is to follow.
pub(super) fn put(outbox: &mut Vec<u8>, id: u16, length: u16, unit: u8) {
    outbox.extend_from_slice(&id.to_be_bytes());
    outbox.extend_from_slice(&[0, 0]);
    outbox.extend_from_slice(&length.to_be_bytes());
    outbox.push(unit);
}

/// The transaction id at the head of `inbox`, when that much has arrived.
pub(super) fn first_id(inbox: &[u8]) -> Option<u16> {
    inbox.get(..2).and_then(word)
}

fn word(bytes: &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.try_into().ok()?))
}
