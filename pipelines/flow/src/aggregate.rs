//! Aggregates: journal → windows of each signal → journal.
//!
//! In: batches of signals. Out: one batch per closed window, table and source address, in the
//! system table `_aggregates_<window>`. [`Aggregator`] is pure: it sees records in the order of
//! the journal and nothing else; [`Aggregate`] is the loop around it.
//!
//! - A-1 What is emitted is a function of the journal: cutting the same rows into other batches,
//!   or stopping and starting anywhere, gives the same windows with the same numbers, each once.
//! - A-2 A window closes when its table's newest timestamp has passed its end by `lateness`. Rows
//!   that come for a closed window are counted, not told.
//! - A-3 [`Aggregator::needed_from`] never lies behind a record that a window not yet emitted
//!   still needs.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use signals::{Batch, ClockState, Mistake, Offset, QualityClass, Table, Timestamp};

use crate::window::{self, Summary, Tally};

mod columns;
#[cfg(test)]
pub(crate) mod fixtures;
pub(crate) mod rows;
mod runner;
mod trail;

pub use runner::{Aggregate, AggregateVitals, table_name};
pub(crate) use trail::Trail;

/// Which windows there are and when they close.
#[derive(Clone, Debug, PartialEq)]
pub struct AggregateSettings {
    /// Window lengths: whole milliseconds, each once.
    pub windows: Vec<Duration>,
    /// How far a table's newest timestamp must be past the end of a window before it closes.
    pub lateness: Duration,
    /// After so many journal records without a row of a table, its windows close without waiting
    /// for one: a bus that was unplugged shall not hold the journal for ever.
    pub silence_records: u64,
}

impl Default for AggregateSettings {
    fn default() -> Self {
        Self {
            windows: vec![Duration::from_secs(10), Duration::from_mins(1)],
            // Rows of one table come from one adapter in order: this covers a small clock step.
            lateness: Duration::from_secs(2),
            // Ten minutes of a busy gateway, some hours of a quiet one.
            silence_records: 100_000,
        }
    }
}

impl AggregateSettings {
    /// What is wrong with the settings; empty when nothing is.
    #[must_use]
    pub fn check(&self) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        for (place, window) in self.windows.iter().enumerate() {
            let key = format!("aggregate[{place}].window");
            if window.is_zero() || !window.as_micros().is_multiple_of(1_000) {
                let problem = format!("{window:?} is not a whole number of milliseconds");
                mistakes.push(Mistake::new(key, problem, "write for example `10 s`"));
            } else if self.windows.iter().take(place).any(|other| other == window) {
                mistakes.push(Mistake::new(key, "appears twice", "remove one of the two"));
            }
        }
        mistakes
    }
}

/// A window that is complete.
#[derive(Clone, Debug)]
pub struct Closed {
    /// Length of the window.
    pub length: Duration,
    /// Start, inclusive.
    pub start: Timestamp,
    /// End, exclusive.
    pub end: Timestamp,
    /// The table it is about.
    pub table: Arc<Table>,
    /// The source address it is about, if the table has them.
    pub sa: Option<u8>,
    /// Place in [`Table::signals`] and summary of each numeric signal.
    pub signals: Vec<(usize, Summary)>,
    /// Unsynced if any of its rows was stamped by a clock nobody vouched for.
    pub clock: ClockState,
}

/// Sorts rows into windows and says which are complete. Pure.
#[derive(Debug)]
pub struct Aggregator {
    settings: AggregateSettings,
    sources: BTreeMap<String, Source>,
    /// Windows that start before these were closed before this aggregator began.
    floors: BTreeMap<(String, Duration), Timestamp>,
    swept: u64,
    late_rows: u64,
}

/// How many offsets lie between two looks for silent tables.
const SWEEP_RECORDS: u64 = 1_024;

impl Aggregator {
    /// An aggregator that has seen nothing.
    #[must_use]
    pub fn new(settings: AggregateSettings) -> Self {
        Self { settings, sources: BTreeMap::new(), floors: BTreeMap::new(), swept: 0, late_rows: 0 }
    }

    /// Says that windows of `table` that start before `start` have been dealt with already.
    pub fn begin_at(&mut self, table: &str, length: Duration, start: Timestamp) {
        let floor = self.floors.entry((table.to_owned(), length)).or_insert(start);
        *floor = start.min(*floor);
    }

    /// Takes the next record of the journal; the windows that it completes, in order.
    pub fn apply(&mut self, offset: Offset, batch: &Batch) -> Vec<Closed> {
        let mut closed = Vec::new();
        self.sweep(offset, &mut closed);
        let table = &batch.table;
        let is_ours = !table.name().starts_with('_')
            && table.signals().iter().any(|signal| signal.kind.is_numeric());
        let Some(&newest) = batch.timestamps().iter().max().filter(|_| is_ours) else {
            return closed;
        };
        let source = self.sources.entry(table.name().to_owned()).or_insert_with(|| {
            let floors = &self.floors;
            let floor = |length| floors.get(&(table.name().to_owned(), length)).copied();
            Source::new(table, &self.settings.windows, floor)
        });
        source.turn_to(table);
        source.last_offset = offset;
        source.kept.push_back((offset, Timestamp::from_micros(newest)));
        self.late_rows += source.take(batch, self.settings.lateness, &mut closed);
        source.forget();
        closed
    }

    /// The oldest record that a window not yet emitted may need; `None` when none is needed.
    #[must_use]
    pub fn needed_from(&self) -> Option<Offset> {
        self.sources.values().filter_map(|s| s.kept.front()).map(|(offset, _)| *offset).min()
    }

    /// Rows that came after their window had closed, counted once per window length.
    #[must_use]
    pub fn late_rows(&self) -> u64 {
        self.late_rows
    }

    /// Closes the windows of tables that have fallen silent. Depends on offsets alone, so it
    /// happens at the same record whenever it is done again.
    fn sweep(&mut self, offset: Offset, closed: &mut Vec<Closed>) {
        let block = offset.0 / SWEEP_RECORDS;
        if block == self.swept {
            return;
        }
        self.swept = block;
        let now = Offset(block * SWEEP_RECORDS);
        let silence = self.settings.silence_records;
        let floors = &mut self.floors;
        self.sources.retain(|name, source| {
            let is_silent = now.since(source.last_offset) >= silence;
            if is_silent {
                source.close_all(closed);
                floors.retain(|(table, _), _| table != name);
            }
            !is_silent
        });
    }
}

/// The windows of one table.
#[derive(Debug)]
struct Source {
    table: Arc<Table>,
    newest: Timestamp,
    last_offset: Offset,
    /// Records with rows that a window not yet closed may need, with the time of their last row.
    kept: VecDeque<(Offset, Timestamp)>,
    spans: Vec<Span>,
}

/// The windows of one table and one length.
#[derive(Debug)]
struct Span {
    length: Duration,
    /// Windows that start before this are closed.
    closed: Option<Timestamp>,
    open: BTreeMap<(Timestamp, Option<u8>), Open>,
    /// Per source address: the end of the last closed window and what held there.
    carried: BTreeMap<Option<u8>, (Timestamp, Vec<Option<f64>>)>,
}

#[derive(Debug)]
struct Open {
    tallies: Vec<Tally>,
    clock: ClockState,
}

impl Source {
    fn new(
        table: &Arc<Table>,
        windows: &[Duration],
        floor: impl Fn(Duration) -> Option<Timestamp>,
    ) -> Self {
        let span = |&length: &Duration| Span {
            length,
            closed: floor(length),
            open: BTreeMap::new(),
            carried: BTreeMap::new(),
        };
        Self {
            table: Arc::clone(table),
            newest: Timestamp::from_micros(i64::MIN),
            last_offset: Offset::START,
            kept: VecDeque::new(),
            spans: windows.iter().map(span).collect(),
        }
    }

    /// Goes on with a changed table: signals of the same path keep what was collected.
    fn turn_to(&mut self, table: &Arc<Table>) {
        if Arc::ptr_eq(&self.table, table) {
            return;
        }
        let before = std::mem::replace(&mut self.table, Arc::clone(table));
        if before == *table {
            return;
        }
        let old_place = |path: &str| before.signals().iter().position(|s| s.path == path);
        let places: Vec<Option<usize>> =
            table.signals().iter().map(|signal| old_place(signal.path)).collect();
        for span in &mut self.spans {
            for open in span.open.values_mut() {
                open.tallies = moved(&places, &open.tallies);
            }
            for (_, held) in span.carried.values_mut() {
                *held = moved(&places, held);
            }
        }
    }

    /// Sorts the rows of a batch into windows; returns how many came too late.
    fn take(&mut self, batch: &Batch, lateness: Duration, closed: &mut Vec<Closed>) -> u64 {
        let columns = columns::numeric(batch);
        let addresses = batch.source_addresses();
        let mut flaws = batch.flaws.iter().peekable();
        let mut classes: Vec<Option<QualityClass>> = vec![None; batch.table.signals().len()];
        let mut late = 0;
        for (row, &micros) in batch.timestamps().iter().enumerate() {
            let ts = Timestamp::from_micros(micros);
            let sa = addresses.and_then(|list| list.get(row)).copied();
            classes.fill(None);
            while let Some(flaw) = flaws.next_if(|flaw| flaw.row as usize <= row) {
                if let Some(class) = classes.get_mut(usize::from(flaw.signal)) {
                    *class = Some(flaw.quality.class);
                }
            }
            self.newest = self.newest.max(ts);
            for span in &mut self.spans {
                span.close_until(self.newest.minus(lateness), &self.table, closed);
                let Some(open) = span.window_for((ts, sa), classes.len(), batch.clock) else {
                    late += 1;
                    continue;
                };
                for (place, column) in &columns {
                    let Some(tally) = open.tallies.get_mut(*place) else { continue };
                    let class = classes.get(*place).copied().flatten();
                    match (column.value(row), class) {
                        (Some(value), class) => tally.add(ts, value, class.is_none()),
                        (None, Some(_)) => tally.lose(ts),
                        // Absent by design: the value before holds on.
                        (None, None) => {}
                    }
                }
            }
        }
        late
    }

    fn close_all(&mut self, closed: &mut Vec<Closed>) {
        for span in &mut self.spans {
            while let Some(((start, sa), open)) = span.open.pop_first() {
                closed.push(span.close((start, sa), &open, &self.table));
            }
        }
    }

    /// Lets go of records that no open window needs: a window needs its own rows and those of
    /// the window before it.
    fn forget(&mut self) {
        let floor = |span: &Span| span.closed.map(|start| start.minus(span.length));
        let Some(oldest) = self.spans.iter().map(floor).min().flatten() else { return };
        while self.kept.front().is_some_and(|(_, newest)| *newest < oldest) {
            self.kept.pop_front();
        }
    }
}

fn moved<T: Clone + Default>(places: &[Option<usize>], old: &[T]) -> Vec<T> {
    places.iter().map(|place| place.and_then(|p| old.get(p)).cloned().unwrap_or_default()).collect()
}

impl Span {
    fn close_until(&mut self, watermark: Timestamp, table: &Arc<Table>, out: &mut Vec<Closed>) {
        let boundary = watermark.floor(self.length);
        if self.closed.is_some_and(|closed| boundary <= closed) {
            return;
        }
        self.closed = Some(boundary);
        while let Some(entry) = self.open.first_entry().filter(|e| e.key().0 < boundary) {
            let (key, open) = entry.remove_entry();
            out.push(self.close(key, &open, table));
        }
    }

    /// The open window of a row; `None` when it has closed.
    fn window_for(
        &mut self,
        (ts, sa): (Timestamp, Option<u8>),
        signals: usize,
        clock: ClockState,
    ) -> Option<&mut Open> {
        let (start, _) = window::around(ts, self.length);
        if self.closed.is_some_and(|closed| start < closed) {
            return None;
        }
        let open = self.open.entry((start, sa)).or_insert_with(|| Open {
            tallies: vec![Tally::default(); signals],
            clock: ClockState::Synced,
        });
        if clock == ClockState::Unsynced {
            open.clock = ClockState::Unsynced;
        }
        Some(open)
    }

    fn close(
        &mut self,
        (start, sa): (Timestamp, Option<u8>),
        open: &Open,
        table: &Arc<Table>,
    ) -> Closed {
        let end = start.plus(self.length);
        let carried = self.carried.remove(&sa).filter(|(until, _)| *until == start);
        let held = carried.map(|(_, held)| held).unwrap_or_default();
        let summary = |(place, tally): (usize, &Tally)| {
            let carried = held.get(place).copied().flatten();
            (place, tally.close((start, end), carried))
        };
        let is_numeric = |(place, _): &(usize, &Tally)| {
            table.signals().get(*place).is_some_and(|signal| signal.kind.is_numeric())
        };
        let signals = open.tallies.iter().enumerate().filter(is_numeric).map(summary).collect();
        self.carried.insert(sa, (end, open.tallies.iter().map(Tally::held).collect()));
        Closed {
            length: self.length,
            start,
            end,
            table: Arc::clone(table),
            sa,
            signals,
            clock: open.clock,
        }
    }
}

#[cfg(test)]
mod tests;
