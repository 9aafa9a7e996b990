//! Synthetic frames: an endless log made from databases, for tests of load and for trying a
//! configuration without a bus.
//!
//! Every message comes at its cycle, 100 ms where none is declared; messages longer than a frame
//! are left out. Signals run through their declared ranges, multiplexers through all branches.
//! SY-1 The same databases give the same frames.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use signals::Timestamp;

use crate::dbc::Number;
use crate::frame::{Frame, PAYLOAD_BYTES_MAX};
use crate::log_decode::FrameSource;
use crate::logs::FD_LENGTHS;
use crate::plan::{DecodePlan, Key, MessagePlan, Raw, SignalPlan};

/// How often a message comes of which nobody says so.
const CYCLE: Duration = Duration::from_millis(100);
/// Values of a multiplexer that are run through.
const BRANCHES_MAX: usize = 256;
/// Steps in which a signal goes through its range.
const STEPS: u64 = 100;
/// Priority and source address of J1939 frames: those of most.
const PRIORITY: u32 = 6 << 26;

/// Frames of all messages of a plan, in the order of time, from 0 on.
pub struct Synthetic {
    plan: Arc<DecodePlan>,
    /// What comes next: when, and which message.
    due: BinaryHeap<Reverse<(u64, usize)>>,
    /// How many there were of each message.
    counts: Vec<u64>,
    channels: [String; 1],
}

impl Synthetic {
    /// From the beginning.
    #[must_use]
    pub fn new(plan: &Arc<DecodePlan>) -> Self {
        let fits = |message: &(usize, &MessagePlan)| length_of(message.1).is_some();
        let due = plan.messages().iter().enumerate().filter(fits).map(|(at, message)| {
            // Messages of one cycle do not all come at once.
            let cycle = cycle_us(message);
            Reverse((u64::try_from(at).unwrap_or(0).wrapping_mul(7_919) % cycle, at))
        });
        Self {
            due: due.collect(),
            counts: vec![0; plan.messages().len()],
            plan: Arc::clone(plan),
            channels: ["synthetic".to_owned()],
        }
    }
}

impl FrameSource for Synthetic {
    fn next(&mut self, frame: &mut Frame) -> io::Result<bool> {
        let Some(Reverse((at_us, place))) = self.due.pop() else { return Ok(false) };
        let Some(message) = self.plan.messages().get(place) else { return Ok(false) };
        self.due.push(Reverse((at_us.saturating_add(cycle_us(message)), place)));
        let count = self.counts.get(place).copied().unwrap_or(0);
        if let Some(next) = self.counts.get_mut(place) {
            *next = count.wrapping_add(1);
        }
        *frame = Frame::default();
        frame.ts = Timestamp::from_micros(i64::try_from(at_us).unwrap_or(i64::MAX));
        (frame.id, frame.extended) = match message.key {
            Key::Standard(id) => (id, false),
            Key::Extended(id) => (id, true),
            Key::Pgn(group) => (PRIORITY | group << 8, true),
        };
        frame.len = length_of(message).unwrap_or(0);
        frame.fd = frame.len > 8;
        fill(message, count, &mut frame.payload);
        Ok(true)
    }

    fn channels(&self) -> &[String] {
        &self.channels
    }
}

/// Length of its frames; `None` for a message that does not fit into one.
fn length_of(message: &MessagePlan) -> Option<u8> {
    FD_LENGTHS.into_iter().find(|length| u32::from(*length) >= message.bytes)
}

fn cycle_us(message: &MessagePlan) -> u64 {
    let cycle = message.expected.cycle.unwrap_or(CYCLE);
    u64::try_from(cycle.as_micros()).unwrap_or(u64::MAX).max(1)
}

/// Writes the `count`-th values of all signals that are present.
fn fill(message: &MessagePlan, count: u64, payload: &mut [u8; PAYLOAD_BYTES_MAX]) {
    let mut chosen: Vec<Option<u64>> = Vec::with_capacity(message.selectors.len());
    let mut round = count;
    for (place, selector) in message.selectors.iter().enumerate() {
        let values = message.branches(place, BRANCHES_MAX);
        let many = u64::try_from(values.len()).unwrap_or(1).max(1);
        let value = usize::try_from(round % many).ok().and_then(|at| values.get(at)).copied();
        round /= many;
        let open = selector.is_open(&chosen);
        if let Some(value) = value.filter(|_| open) {
            selector.put(value, payload);
        }
        chosen.push(value.filter(|_| open));
    }
    for signal in &message.signals {
        if signal.is_present(&chosen) && !message.selects(signal) {
            signal.def.field.put(raw_of(signal, count), payload);
        }
    }
}

/// The raw value at a count: up through the range of the signal and again from its beginning.
fn raw_of(signal: &SignalPlan, count: u64) -> u64 {
    let width = signal.def.field.width().min(64);
    let most = if width == 64 { u64::MAX } else { (1 << width) - 1 };
    let (low, high) = signal.def.limits;
    #[expect(clippy::cast_precision_loss, reason = "a step of a range, not a count")]
    let share = (count % STEPS) as f64 / STEPS as f64;
    let physical = low + (high - low) * share;
    match signal.def.number {
        #[expect(clippy::cast_possible_truncation, reason = "the signal is a binary32")]
        Number::Float32 => u64::from((physical as f32).to_bits()),
        Number::Float64 => physical.to_bits(),
        Number::Bytes | Number::Text => u64::from(b'A') + count % 26,
        Number::Unsigned | Number::Signed if high > low && signal.def.factor != 0.0 => {
            let scaled = ((physical - signal.def.offset) / signal.def.factor).round();
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "the cast saturates; what does not fit is cut to the field"
            )]
            let raw = if scaled < 0.0 { (scaled as i64).cast_unsigned() } else { scaled as u64 };
            let raw = raw & most;
            let valid = signal.state(Raw::Unsigned(raw)).reason().is_none();
            if valid { raw } else { 0 }
        }
        Number::Unsigned | Number::Signed => count & most,
    }
}

#[cfg(test)]
mod tests;
