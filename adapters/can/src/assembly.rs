//! Assembly: which frames are pieces of a longer message, and the message once it is whole.
//!
//! Stands between the frames of a bus and its decoder. What a piece is, the plan says: a message
//! that is longer than a frame, or a bus that speaks J1939.

use crate::frame::{Frame, FrameKind};
use crate::j1939::{pgn, source_address};
use crate::plan::{DecodePlan, Key, MessagePlan};
use crate::transport::{Ended, Failure, FastPacket, IsoTp, J1939};

/// Bytes of the longest classic frame.
const CLASSIC_BYTES: u32 = 8;
/// Lengths above 8 that a CAN FD frame can have (ISO 11898-1, table 5).
const FD_LENGTHS: [u32; 7] = [12, 16, 20, 24, 32, 48, 64];
/// Parameter groups that NMEA 2000 sends in fast packets, if they are longer than a frame.
const FAST_GROUPS: std::ops::RangeInclusive<u32> = 0x1_F000..=0x1_FFFF;
/// Connection management and packets of SAE J1939-21.
const TRANSPORT_GROUPS: [u32; 2] = [0xEC00, 0xEB00];

/// What became of the transfers of a bus.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct TransferCounts {
    /// Put together.
    pub whole: u64,
    /// Given up, in the order of [`Failure::ALL`].
    pub failed: [u64; Failure::ALL.len()],
}

/// A message that was put together.
#[derive(Clone, Debug)]
pub(crate) struct Whole {
    /// Place in the plan; `None` when the plan does not know it.
    pub(crate) message: Option<usize>,
    /// Parameter group, where there is one.
    pub(crate) pgn: Option<u32>,
    /// Who sent it.
    pub(crate) source: u8,
    /// The payload as the database counts its bytes.
    pub(crate) payload: Vec<u8>,
}

/// Puts together what a plan wants of one bus.
#[derive(Clone, Debug, Default)]
pub(crate) struct Assembly {
    /// Places of the messages that come over ISO-TP.
    isotp: Option<(Vec<usize>, IsoTp)>,
    /// Places of the messages that come in fast packets.
    fast: Option<(Vec<usize>, FastPacket)>,
    j1939: Option<J1939>,
    ended: Vec<Ended>,
    counts: TransferCounts,
}

impl Assembly {
    /// What `plan` needs; nothing for plans of single frames.
    pub(crate) fn new(plan: &DecodePlan) -> Self {
        let places = |wanted: fn(&MessagePlan) -> bool| -> Vec<usize> {
            let all = plan.messages().iter().enumerate();
            all.filter(|(_, message)| wanted(message)).map(|(place, _)| place).collect()
        };
        let isotp = places(comes_over_isotp);
        let fast = places(comes_in_fast_packets);
        Self {
            isotp: (!isotp.is_empty()).then(|| (isotp, IsoTp::default())),
            fast: (!fast.is_empty()).then(|| (fast, FastPacket::default())),
            j1939: plan.by_pgn().then(J1939::default),
            ended: Vec::new(),
            counts: TransferCounts::default(),
        }
    }

    /// Takes a frame that is a piece; false for any other.
    #[inline]
    pub(crate) fn take(&mut self, plan: &DecodePlan, frame: &Frame) -> bool {
        if frame.kind != FrameKind::Data {
            return false;
        }
        if let Some(j1939) = &mut self.j1939
            && frame.extended
            && TRANSPORT_GROUPS.contains(&pgn(frame.id))
        {
            j1939.push(frame, &mut self.ended);
            return true;
        }
        if self.isotp.is_none() && self.fast.is_none() {
            return false;
        }
        let Some(place) = plan.find(frame) else { return false };
        if let Some((places, isotp)) = &mut self.isotp
            && places.binary_search(&place).is_ok()
        {
            isotp.push(frame, &mut self.ended);
            return true;
        }
        if let Some((places, fast)) = &mut self.fast
            && places.binary_search(&place).is_ok()
        {
            fast.push(frame, &mut self.ended);
            return true;
        }
        false
    }

    /// The next message that is whole; counts those that were given up.
    pub(crate) fn next_whole(&mut self, plan: &DecodePlan) -> Option<Whole> {
        while let Some(ended) = self.ended.pop() {
            let payload = match ended.payload {
                Ok(payload) => payload,
                Err(why) => {
                    let place = Failure::ALL.iter().position(|known| *known == why);
                    if let Some(failed) = place.and_then(|at| self.counts.failed.get_mut(at)) {
                        *failed += 1;
                    }
                    continue;
                }
            };
            self.counts.whole += 1;
            let source = source_address(ended.id);
            let Some(pgn) = ended.pgn else {
                let key =
                    if ended.extended { Key::Extended(ended.id) } else { Key::Standard(ended.id) };
                // Databases count the length byte of the protocol as byte 0, as in a single frame.
                let length = u8::try_from(payload.len() & 0xFF).unwrap_or(u8::MAX);
                let payload = [&[length], &payload[..]].concat();
                return Some(Whole { message: plan.of_key(key), pgn: None, source, payload });
            };
            return Some(Whole {
                message: plan.of_key(Key::Pgn(pgn)),
                pgn: Some(pgn),
                source,
                payload,
            });
        }
        None
    }

    /// Goes on with the transfers and counts of another plan of the same bus.
    pub(crate) fn inherit(&mut self, before: Self) {
        if let (Some((_, own)), Some((_, isotp))) = (&mut self.isotp, before.isotp) {
            *own = isotp;
        }
        if let (Some((_, own)), Some((_, fast))) = (&mut self.fast, before.fast) {
            *own = fast;
        }
        if let (Some(own), Some(j1939)) = (&mut self.j1939, before.j1939) {
            *own = j1939;
        }
        self.ended = before.ended;
        self.counts = before.counts;
    }

    /// What has been counted.
    pub(crate) fn counts(&self) -> TransferCounts {
        self.counts
    }
}

/// A message that is found by its whole identifier and fits into no frame comes over ISO-TP.
fn comes_over_isotp(message: &MessagePlan) -> bool {
    let by_identifier = matches!(message.key, Key::Standard(_) | Key::Extended(_));
    by_identifier && message.bytes > CLASSIC_BYTES && !FD_LENGTHS.contains(&message.bytes)
}

fn comes_in_fast_packets(message: &MessagePlan) -> bool {
    let fast = matches!(message.key, Key::Pgn(group) if FAST_GROUPS.contains(&group));
    fast && message.bytes > CLASSIC_BYTES
}
