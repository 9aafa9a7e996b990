//! Watch: what is expected of a message besides its identifier: that it comes again in time, that
//! its counter moves, that its checksum is right.
//!
//! In: payloads as they are decoded. Out: why a row must have no values, and which senders have
//! fallen silent.
//! WA-1 A message that is silent for longer than it may be gives one row without values, reason
//!      `stale`; the next frame makes it good again.
//! WA-2 Nothing is expected of a message of which neither configuration nor database says so,
//!      unless cycles are to be learned.

pub(crate) mod meters;

use std::time::Duration;

use signals::{Reason, Timestamp};

use crate::bits::{Field, Payload};

/// Cycles that a message may be silent.
pub const CYCLES_MAX: u32 = 5;
/// No message is called silent earlier: whoever ticks does so a few times a second.
pub const SILENCE_MIN: Duration = Duration::from_secs(1);
/// Distances after which a cycle counts as learned: the longest of them.
const LEARNED_AFTER: u32 = 32;
/// Senders of one parameter group that are watched; J1939 has 254 addresses.
const SENDERS_MAX: usize = 256;

/// How a checksum over the other bytes of a payload is made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ChecksumKind {
    /// All bytes combined by exclusive or.
    Xor8,
    /// The sum of all bytes modulo 256.
    Sum8,
    /// CRC-8 SAE J1850: polynomial 0x1D, begun with 0xFF, inverted.
    Crc8J1850,
}

impl ChecksumKind {
    /// All of them, with their names in a configuration.
    pub const ALL: [(&'static str, Self); 3] =
        [("xor8", Self::Xor8), ("sum8", Self::Sum8), ("crc8_sae_j1850", Self::Crc8J1850)];

    /// The checksum of the bytes of a payload, one of them left out.
    #[must_use]
    pub fn of(self, payload: &[u8], without: usize) -> u8 {
        let bytes = payload.iter().enumerate().filter(|(at, _)| *at != without).map(|(_, b)| *b);
        match self {
            Self::Xor8 => bytes.fold(0, |sum, byte| sum ^ byte),
            Self::Sum8 => bytes.fold(0, u8::wrapping_add),
            Self::Crc8J1850 => {
                !bytes.fold(0xFF, |crc, byte| {
                    (0..8).fold(crc ^ byte, |crc: u8, _| {
                        if crc & 0x80 == 0 { crc << 1 } else { crc << 1 ^ 0x1D }
                    })
                })
            }
        }
    }
}

/// What is expected of one message.
#[derive(Clone, Debug, Default)]
pub struct Expectation {
    /// How often it comes.
    pub cycle: Option<Duration>,
    /// Whether to find out how often, where `cycle` says nothing.
    pub learns: bool,
    /// A number that is another one in every frame.
    pub counter: Option<Field>,
    /// A byte that is the checksum of the others.
    pub checksum: Option<(Field, ChecksumKind)>,
}

impl Expectation {
    /// Whether nothing is expected.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.cycle.is_none() && !self.learns && self.counter.is_none() && self.checksum.is_none()
    }
}

/// What became of the frames of a watched message.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct WatchCounts {
    /// Frames whose checksum is wrong.
    pub checksum: u64,
    /// Frames whose counter stood still.
    pub counter_still: u64,
    /// Frames that are missing by their counter.
    pub counter_missed: u64,
    /// Times a sender fell silent.
    pub stale: u64,
}

/// One sender of a watched message, as it is now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heard {
    /// Source address; 0 where there is none.
    pub source: u8,
    /// Time since its last frame.
    pub age: Duration,
    /// Distance that is expected of its frames, if any is.
    pub cycle: Option<Duration>,
    /// Whether it has been silent for longer than it may be.
    pub stale: bool,
}

/// Watches one message of one bus.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    expected: Expectation,
    senders: Vec<Sender>,
    counts: WatchCounts,
}

#[derive(Clone, Debug)]
struct Sender {
    source: u8,
    /// On the monotonic clock.
    heard: Duration,
    last: Timestamp,
    counter: Option<u64>,
    distances: u32,
    longest: Duration,
    stale: bool,
}

impl Watch {
    /// Nothing heard yet.
    pub(crate) fn new(expected: Expectation) -> Self {
        Self { expected, senders: Vec::new(), counts: WatchCounts::default() }
    }

    /// Goes on with the senders and counts of another plan. Where another counter is expected, none
    /// has been seen yet.
    pub(crate) fn inherit(&mut self, before: Self) {
        self.counts = before.counts;
        self.senders = before.senders;
        if self.expected.counter != before.expected.counter {
            self.senders.iter_mut().for_each(|sender| sender.counter = None);
        }
    }

    pub(crate) fn counts(&self) -> WatchCounts {
        self.counts
    }

    /// Takes a frame in, received at `ts` and `monotonic`; why its values must not be used.
    pub(crate) fn hear(
        &mut self,
        (source, ts): (u8, Timestamp),
        monotonic: Duration,
        payload: &Payload,
    ) -> Option<Reason> {
        if let Some((field, kind)) = &self.expected.checksum
            && field.needs() <= payload.len()
            && u64::from(kind.of(payload.bytes(), field.needs() - 1)) != field.unsigned(payload)
        {
            // Whose it is cannot be told: it counts as not heard.
            self.counts.checksum += 1;
            return Some(Reason::Crc);
        }
        let counter = self.expected.counter.filter(|field| field.needs() <= payload.len());
        let reading = counter.map(|field| (field.unsigned(payload), field.width()));
        let place = self.senders.iter().position(|sender| sender.source == source);
        let Some(sender) = place.and_then(|place| self.senders.get_mut(place)) else {
            if self.senders.len() < SENDERS_MAX {
                self.senders.push(Sender {
                    source,
                    heard: monotonic,
                    last: ts,
                    counter: reading.map(|(value, _)| value),
                    distances: 0,
                    longest: Duration::ZERO,
                    stale: false,
                });
            }
            return None;
        };
        if sender.distances < LEARNED_AFTER {
            sender.longest = sender.longest.max(ts.since(sender.last));
            sender.distances += 1;
        }
        sender.last = ts;
        let before = sender.counter;
        sender.counter = reading.map(|(value, _)| value);
        if let (Some(before), Some((now, width))) = (before, reading) {
            if before == now {
                self.counts.counter_still += 1;
                return Some(Reason::Stale);
            }
            let range = if width >= 64 { u64::MAX } else { (1 << width) - 1 };
            self.counts.counter_missed += (now.wrapping_sub(before) & range) - 1;
        }
        sender.heard = monotonic;
        sender.stale = false;
        None
    }

    /// The senders that have just been silent for too long.
    pub(crate) fn silent(&mut self, monotonic: Duration) -> impl Iterator<Item = u8> {
        let (cycle, learns) = (self.expected.cycle, self.expected.learns);
        let counts = &mut self.counts;
        self.senders.iter_mut().filter_map(move |sender| {
            let limit = limit_of(sender.cycle(cycle, learns)?);
            if sender.stale || monotonic.saturating_sub(sender.heard) <= limit {
                return None;
            }
            sender.stale = true;
            counts.stale += 1;
            Some(sender.source)
        })
    }

    /// Its senders, as they are now.
    pub(crate) fn heard(&self, monotonic: Duration) -> impl Iterator<Item = Heard> {
        self.senders.iter().map(move |sender| Heard {
            source: sender.source,
            age: monotonic.saturating_sub(sender.heard),
            cycle: sender.cycle(self.expected.cycle, self.expected.learns),
            stale: sender.stale,
        })
    }
}

impl Sender {
    fn cycle(&self, known: Option<Duration>, learns: bool) -> Option<Duration> {
        let learned = (learns && self.distances >= LEARNED_AFTER).then_some(self.longest);
        known.or(learned).filter(|cycle| !cycle.is_zero())
    }
}

/// How long a message of that cycle may be silent.
fn limit_of(cycle: Duration) -> Duration {
    cycle.saturating_mul(CYCLES_MAX).max(SILENCE_MIN)
}

#[cfg(test)]
mod tests;
