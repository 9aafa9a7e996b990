//! Decode: frames to rows, one row per frame in the table of its message.
//!
//! In: frames in the order of the bus. Out: batches, rows strictly later one after the other.
//! C-1 Absent is null: another multiplexer branch (no flaw), a frame too short
//!     ([`Reason::Truncated`]), a value J1939 does not call one (its reason). Never 0, never the
//!     last value.
//! C-2 A frame costs no allocation but the growth of columns. (A message in several frames costs
//!     one for its payload.)

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use signals::{
    Batch, BatchBuilder, ClockState, Quality, Reason, Table, TableError, Timestamp, Value,
    ValueType,
};

use crate::assembly::{Assembly, TransferCounts};
use crate::bits::Payload;
use crate::dtc::{self, FaultLane};
use crate::frame::{Frame, FrameKind};
use crate::j1939;
use crate::plan::{DecodePlan, MessagePlan, Raw, Reading, SignalPlan};
use crate::raw::RawLane;
use crate::tables::{Naming, tables_of};
use crate::watch::{Heard, Watch, WatchCounts};

/// Rows of a batch at most; a fuller builder is to be finished.
pub const BATCH_ROWS_MAX: usize = 8192;

/// What became of a frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// A row in the table of the message at this place in the plan.
    Row {
        /// Place of the message.
        message: usize,
        /// Whether a signal was missing because the frame is too short.
        truncated: bool,
        /// Rows of that table waiting to be finished.
        rows: usize,
    },
    /// A piece of a longer message that is not whole yet, or that nobody wants.
    Piece,
    /// The message is known, but no signal of it is wanted.
    Ignored,
    /// No database knows the identifier.
    Unknown,
}

/// Decodes the frames of one bus.
pub struct Decoder {
    plan: Arc<DecodePlan>,
    tables: Vec<Option<Arc<Table>>>,
    lanes: Vec<Option<Lane>>,
    assembly: Assembly,
    /// Trouble codes, of buses that speak J1939.
    faults: Option<FaultLane>,
    /// Every frame, if that is wanted.
    raw: Option<RawLane>,
    /// Full batches of raw frames.
    raw_full: Vec<Batch>,
    /// When this was ticked last.
    monotonic: Duration,
    payload: Payload,
    chosen: Vec<Option<u64>>,
    wide: Vec<u8>,
}

/// Where a row comes from and when.
#[derive(Clone, Copy)]
pub(crate) struct Origin {
    /// Source address of the sender.
    pub(crate) source: u8,
    /// When it was received.
    pub(crate) ts: Timestamp,
    /// Whether the clock could be trusted then.
    pub(crate) clock: ClockState,
}

struct Lane {
    builder: BatchBuilder,
    last: Option<Timestamp>,
    watch: Option<Watch>,
}

impl Lane {
    fn new(table: &Arc<Table>, message: &MessagePlan) -> Self {
        let expected = &message.expected;
        let watch = (!expected.is_empty()).then(|| Watch::new(expected.clone()));
        Self { builder: BatchBuilder::new(Arc::clone(table)), last: None, watch }
    }

    /// Begins a row, later than the one before it.
    fn begin(&mut self, origin: Origin) {
        let after = |last: Timestamp| Timestamp::from_micros(last.micros().saturating_add(1));
        let ts = self.last.map_or(origin.ts, |last| origin.ts.max(after(last)));
        self.last = Some(ts);
        self.builder.begin(ts, origin.source, origin.clock);
    }
}

impl Decoder {
    /// A decoder whose tables are named after a bus.
    ///
    /// # Errors
    /// [`TableError`] when a table cannot be made, which names made here do not cause.
    pub fn new(plan: Arc<DecodePlan>, naming: &Naming) -> Result<Self, TableError> {
        let tables = tables_of(&plan, naming)?;
        let lanes = tables.iter().map(|_| None).collect();
        let faults = plan.by_pgn().then(|| FaultLane::new(naming)).transpose()?;
        Ok(Self {
            assembly: Assembly::new(&plan),
            plan,
            tables,
            lanes,
            faults,
            raw: None,
            raw_full: Vec::new(),
            monotonic: Duration::ZERO,
            payload: Payload::new(),
            chosen: Vec::new(),
            wide: Vec::new(),
        })
    }

    /// Keeps every frame too, as it is, in the table `_can_raw_<bus>`.
    ///
    /// # Errors
    /// As [`Decoder::new`].
    pub fn keep_raw(&mut self, bus: &str) -> Result<(), TableError> {
        self.raw = Some(RawLane::new(bus)?);
        Ok(())
    }

    /// The plan it decodes with.
    #[must_use]
    pub fn plan(&self) -> &Arc<DecodePlan> {
        &self.plan
    }

    /// The tables of all messages with signals, and those of the bus itself.
    pub fn tables(&self) -> impl Iterator<Item = &Arc<Table>> {
        let own =
            self.faults.iter().map(FaultLane::table).chain(self.raw.iter().map(RawLane::table));
        self.tables.iter().flatten().chain(own)
    }

    /// Decodes a frame into a row at `ts`. A time that is not later than the row before it in the
    /// same table becomes 1 µs later than that.
    pub fn push(&mut self, frame: &Frame, ts: Timestamp, clock: ClockState) -> Outcome {
        if let Some(raw) = &mut self.raw
            && raw.push(frame, ts, clock) >= BATCH_ROWS_MAX
        {
            self.raw_full.extend(raw.finish());
        }
        let origin = Origin { source: j1939::source_address(frame.id), ts, clock };
        if self.assembly.take(&self.plan, frame) {
            return self.push_whole(origin);
        }
        if let Some(faults) = &mut self.faults
            && frame.extended
            && frame.kind == FrameKind::Data
            && j1939::pgn(frame.id) == dtc::DM1
        {
            faults.push(frame.bytes(), origin);
        }
        match self.plan.find(frame) {
            Some(at) => self.row(at, frame.bytes(), origin),
            None => Outcome::Unknown,
        }
    }

    /// Rows of the messages that have become whole.
    fn push_whole(&mut self, origin: Origin) -> Outcome {
        let mut outcome = Outcome::Piece;
        let plan = Arc::clone(&self.plan);
        while let Some(whole) = self.assembly.next_whole(&plan) {
            let origin = Origin { source: whole.source, ..origin };
            if let Some(faults) = &mut self.faults
                && whole.pgn == Some(dtc::DM1)
            {
                faults.push(&whole.payload, origin);
            }
            if let Some(at) = whole.message {
                outcome = self.row(at, &whole.payload, origin);
            }
        }
        outcome
    }

    fn row(&mut self, at: usize, bytes: &[u8], origin: Origin) -> Outcome {
        let (Some(message), Some(Some(table)), Some(lane)) =
            (self.plan.messages().get(at), self.tables.get(at), self.lanes.get_mut(at))
        else {
            return Outcome::Ignored;
        };
        let lane = lane.get_or_insert_with(|| Lane::new(table, message));
        self.payload.load(bytes);
        lane.begin(origin);
        if let Some(watch) = &mut lane.watch
            && let Some(why) = watch.hear((origin.source, origin.ts), self.monotonic, &self.payload)
        {
            lane.builder.flaw_all(why);
            return Outcome::Row { message: at, truncated: false, rows: lane.builder.rows() };
        }
        let row = Row {
            payload: &self.payload,
            chosen: &mut self.chosen,
            wide: &mut self.wide,
            builder: &mut lane.builder,
        };
        let truncated = row.write(message);
        Outcome::Row { message: at, truncated, rows: lane.builder.rows() }
    }

    /// Says what time it is on the wall and on the monotonic clock: messages that have been silent
    /// for too long get a row without values. To be called a few times a second; frames that come
    /// between two calls count as heard at the first of them.
    pub fn tick(&mut self, now: Timestamp, monotonic: Duration, clock: ClockState) {
        self.monotonic = monotonic;
        for lane in self.lanes.iter_mut().flatten() {
            let Some(mut watch) = lane.watch.take() else { continue };
            for source in watch.silent(monotonic) {
                lane.begin(Origin { source, ts: now, clock });
                lane.builder.flaw_all(Reason::Stale);
            }
            lane.watch = Some(watch);
        }
    }

    /// The watched messages that have been heard: name, counts, and each sender as it is now.
    pub fn watched(&self) -> impl Iterator<Item = (&str, WatchCounts, Vec<Heard>)> {
        let lanes = self.plan.messages().iter().zip(&self.lanes);
        lanes.filter_map(|(message, lane)| {
            let watch = lane.as_ref()?.watch.as_ref()?;
            Some((message.name.as_str(), watch.counts(), watch.heard(self.monotonic).collect()))
        })
    }

    /// What became of messages in several frames.
    #[must_use]
    pub fn transfers(&self) -> TransferCounts {
        self.assembly.counts()
    }

    /// The rows of one message so far as a batch.
    pub fn finish(&mut self, message: usize) -> Option<Batch> {
        self.lanes.get_mut(message)?.as_mut()?.builder.finish()
    }

    /// The rows of all messages so far, one batch per table, in the order of the plan.
    pub fn finish_all(&mut self) -> impl Iterator<Item = Batch> {
        let rows = self.lanes.iter_mut().flatten().filter_map(|lane| lane.builder.finish());
        let raw = self.raw_full.drain(..).chain(self.raw.iter_mut().filter_map(RawLane::finish));
        rows.chain(self.faults.iter_mut().filter_map(FaultLane::finish)).chain(raw)
    }

    /// Goes on where another decoder of this bus has ended, whose rows have been finished: times of
    /// tables, senders, transfers that are under way, raw frames.
    pub(crate) fn inherit(&mut self, before: Self) {
        let named = |(table, lane): (&Option<Arc<Table>>, Option<Lane>)| {
            Some((table.as_ref()?.name().to_owned(), lane?))
        };
        let mut lanes: HashMap<String, Lane> =
            before.tables.iter().zip(before.lanes).filter_map(named).collect();
        let own = self.tables.iter().zip(self.plan.messages()).zip(&mut self.lanes);
        for ((table, message), lane) in own {
            let Some(table) = table else { continue };
            let Some(old) = lanes.remove(table.name()) else { continue };
            let mut new = Lane::new(table, message);
            new.last = old.last;
            if let (Some(watch), Some(old)) = (&mut new.watch, old.watch) {
                watch.inherit(old);
            }
            *lane = Some(new);
        }
        self.assembly.inherit(before.assembly);
        if self.faults.is_some() && before.faults.is_some() {
            self.faults = before.faults;
        }
        if self.raw.is_some() && before.raw.is_some() {
            self.raw = before.raw;
        }
        self.monotonic = before.monotonic;
    }

    /// Forgets the times of the rows so far: what follows may be earlier. Finish all rows first.
    pub fn forget_times(&mut self) {
        for lane in self.lanes.iter_mut().flatten() {
            lane.last = None;
        }
        if let Some(faults) = &mut self.faults {
            faults.forget_times();
        }
        if let Some(raw) = &mut self.raw {
            raw.forget_times();
        }
    }
}

/// One row being written.
struct Row<'a> {
    payload: &'a Payload,
    chosen: &'a mut Vec<Option<u64>>,
    wide: &'a mut Vec<u8>,
    builder: &'a mut BatchBuilder,
}

impl Row<'_> {
    /// Writes all signals of a message; true when the payload was too short for one of them.
    fn write(self, message: &MessagePlan) -> bool {
        message.choose(self.payload, self.chosen);
        let mut truncated = false;
        for (place, signal) in message.signals.iter().enumerate() {
            match signal.read(self.payload, self.chosen) {
                Reading::Absent => {}
                Reading::Truncated => {
                    truncated = true;
                    self.builder.flaw(place, Quality::bad(Reason::Truncated));
                }
                Reading::Raw(Raw::Wide) => {
                    self.wide.clear();
                    signal.def.field.bytes(self.payload, self.wide);
                    set_wide(self.builder, place, signal, self.wide);
                }
                Reading::Raw(raw) => match signal.state(raw).reason() {
                    Some(reason) => self.builder.flaw(place, Quality::bad(reason)),
                    None => self.builder.set(place, value_of(signal, raw)),
                },
            }
        }
        truncated
    }
}

fn value_of(signal: &SignalPlan, raw: Raw) -> Value<'static> {
    match raw {
        Raw::Unsigned(raw) if signal.is_identity() => Value::U64(raw),
        Raw::Signed(raw) if signal.is_identity() => Value::I64(raw),
        Raw::Unsigned(_) | Raw::Signed(_) | Raw::Float32(_) | Raw::Float64(_) | Raw::Wide => {
            Value::F64(signal.physical(raw))
        }
    }
}

fn set_wide(builder: &mut BatchBuilder, place: usize, signal: &SignalPlan, bytes: &[u8]) {
    if signal.kind != ValueType::Text {
        builder.set(place, Value::Bytes(bytes));
        return;
    }
    // J1939-71 ends text with `*` or pads it; unused characters are 0x00 or 0xFF.
    let end = bytes.iter().position(|b| matches!(b, b'*' | 0x00 | 0xFF)).unwrap_or(bytes.len());
    match std::str::from_utf8(bytes.get(..end).unwrap_or_default()) {
        Ok(text) => builder.set(place, Value::Text(text)),
        Err(_) => builder.flaw(place, Quality::bad(Reason::InvalidText)),
    }
}

#[cfg(test)]
mod tests;
