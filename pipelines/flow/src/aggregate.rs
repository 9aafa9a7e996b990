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
//!   still needs, and [`Aggregator::restart_from`] never among records that were older than what
//!   had come before them: whoever begins there closes the same windows at the same records.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use signals::{Batch, ClockState, Offset, QualityClass, Table, Timestamp};

use crate::window::Summary;

pub(crate) mod columns;
mod disorder;
#[cfg(test)]
pub(crate) mod fixtures;
pub(crate) mod rows;
mod runner;
mod settings;
mod span;
mod trail;

use disorder::{Disorder, Kept};
pub use runner::{Aggregate, AggregateVitals, table_name};
pub use settings::{AggregateSettings, LATENESS, STEPS_MAX, WindowSettings, WindowShape};
use span::Span;
pub(crate) use trail::Trail;

/// A window that is complete.
#[derive(Clone, Debug)]
pub struct Closed {
    /// Length of the window, and of the step to the next.
    pub shape: WindowShape,
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

/// Rows that came too late, by table and windows: bounded by the tables there are.
pub type LateRows = BTreeMap<(String, WindowShape), u64>;

/// Sorts rows into windows and says which are complete. Pure.
#[derive(Debug)]
pub struct Aggregator {
    settings: AggregateSettings,
    sources: BTreeMap<String, Source>,
    /// Windows that start before these were closed before this aggregator began.
    floors: BTreeMap<(String, WindowShape), Timestamp>,
    swept: u64,
    late_rows: LateRows,
    disorder: Disorder,
}

/// How many offsets lie between two looks for silent tables.
const SWEEP_RECORDS: u64 = 1_024;

impl Aggregator {
    /// An aggregator that has seen nothing.
    #[must_use]
    pub fn new(settings: AggregateSettings) -> Self {
        Self {
            settings,
            sources: BTreeMap::new(),
            floors: BTreeMap::new(),
            swept: 0,
            late_rows: LateRows::new(),
            disorder: Disorder::default(),
        }
    }

    /// Says that windows of `table` that start before `start` have been dealt with already.
    pub fn begin_at(&mut self, table: &str, shape: WindowShape, start: Timestamp) {
        let floor = self.floors.entry((table.to_owned(), shape)).or_insert(start);
        *floor = start.min(*floor);
    }

    /// Takes the next record of the journal; the windows that it completes, in order.
    pub fn apply(&mut self, offset: Offset, batch: &Batch) -> Vec<Closed> {
        let mut closed = Vec::new();
        self.sweep(offset, &mut closed);
        let table = &batch.table;
        let is_ours = !table.name().starts_with('_')
            && table.signals().iter().any(|signal| signal.kind.is_numeric());
        let times = batch.timestamps();
        let ends = times.iter().min().zip(times.iter().max()).filter(|_| is_ours);
        let Some((&oldest, &newest)) = ends else { return closed };
        let source = self.sources.entry(table.name().to_owned()).or_insert_with(|| {
            let floors = &self.floors;
            let floor = |shape| floors.get(&(table.name().to_owned(), shape)).copied();
            Source::new(table, &self.settings.windows, floor)
        });
        source.turn_to(table);
        source.last_offset = offset;
        let is_ordered = oldest >= source.newest.micros();
        source.keep(offset, Timestamp::from_micros(newest), is_ordered);
        source.take(batch, &mut closed);
        source.count_late(&mut self.late_rows);
        source.forget(&mut self.disorder);
        closed
    }

    /// The oldest record that a window not yet emitted may need; `None` when none is needed.
    #[must_use]
    pub fn needed_from(&self) -> Option<Offset> {
        self.sources.values().filter_map(|s| s.kept.front()).map(|kept| kept.first).min()
    }

    /// Where to begin again so that what follows is the same as without a stop: at `position`, or
    /// before it where `position` lies among records that came out of order. `position` is not
    /// behind [`Aggregator::needed_from`], and never lower than the last time.
    #[must_use]
    pub fn restart_from(&mut self, position: Offset) -> Offset {
        self.disorder.avoid(position)
    }

    /// Rows that came after a window they belong to had closed, counted once for each shape.
    #[must_use]
    pub fn late_rows(&self) -> &LateRows {
        &self.late_rows
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
        let (floors, disorder) = (&mut self.floors, &mut self.disorder);
        self.sources.retain(|name, source| {
            let is_silent = now.since(source.last_offset) >= silence;
            if is_silent {
                source.close_all(closed);
                source.kept.iter().for_each(|kept| disorder.remember(*kept));
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
    /// Records with rows that a window not yet closed may need.
    kept: VecDeque<Kept>,
    spans: Vec<Span>,
}

impl Source {
    fn new(
        table: &Arc<Table>,
        windows: &[WindowSettings],
        floor: impl Fn(WindowShape) -> Option<Timestamp>,
    ) -> Self {
        Self {
            table: Arc::clone(table),
            newest: Timestamp::from_micros(i64::MIN),
            last_offset: Offset::START,
            kept: VecDeque::new(),
            spans: windows.iter().map(|of| Span::new(of, floor(of.shape))).collect(),
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
        self.spans.iter_mut().for_each(|span| span.turn_to(&places));
    }

    /// Notes a record. One with rows older than what has come before can only be understood after
    /// it: the two are kept as one.
    fn keep(&mut self, offset: Offset, newest: Timestamp, is_ordered: bool) {
        if self.spans.is_empty() {
            // Where no window is asked for, none will ever need it, nor let go of it.
            return;
        }
        match self.kept.back_mut().filter(|_| !is_ordered) {
            Some(kept) => {
                kept.last = offset;
                kept.newest = kept.newest.max(newest);
            }
            None => self.kept.push_back(Kept { first: offset, last: offset, newest }),
        }
    }

    /// Sorts the rows of a batch into windows.
    fn take(&mut self, batch: &Batch, closed: &mut Vec<Closed>) {
        let columns = columns::numeric(batch);
        let addresses = batch.source_addresses();
        let mut flaws = batch.flaws.iter().peekable();
        let mut classes: Vec<Option<QualityClass>> = vec![None; batch.table.signals().len()];
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
                span.close_by(self.newest, &self.table, closed);
                let Some(pane) = span.pane_for((ts, sa), classes.len(), batch.clock) else {
                    continue;
                };
                for (place, column) in &columns {
                    let Some(tally) = pane.tallies.get_mut(*place) else { continue };
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
    }

    fn count_late(&mut self, counts: &mut LateRows) {
        for span in &mut self.spans {
            let rows = span.take_late_rows();
            if rows > 0 {
                let key = (self.table.name().to_owned(), span.settings().shape);
                *counts.entry(key).or_default() += rows;
            }
        }
    }

    fn close_all(&mut self, closed: &mut Vec<Closed>) {
        for span in &mut self.spans {
            span.close_all(&self.table, closed);
        }
    }

    /// Lets go of records that no open window needs.
    fn forget(&mut self, disorder: &mut Disorder) {
        let Some(oldest) = self.spans.iter().map(Span::needs).min().flatten() else { return };
        while let Some(kept) = self.kept.front().filter(|kept| kept.newest < oldest) {
            disorder.remember(*kept);
            self.kept.pop_front();
        }
    }
}

#[cfg(test)]
mod tests;
