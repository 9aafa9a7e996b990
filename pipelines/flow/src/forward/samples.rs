//! The samples of a record that are sent: those of the signals asked for, reduced.
//!
//! - P-1 What is sent of a record is a function of the journal: whoever begins again at
//!   [`Selection::needed_from`] and leaves out what has been sent sends the same.
//! - P-2 Kept in memory are two samples of each signal asked for and sender; what a table has that
//!   was not heard of for [`SILENCE_RECORDS`] is let go.

use std::collections::BTreeMap;
use std::sync::Arc;

use signals::{Batch, Offset, Quality, Table, Timestamp};

use crate::aggregate::columns;
use crate::reduce::{Kept, Reducer, Rule, Sample};

/// Rules by the paths of signals.
pub type Rules = BTreeMap<String, Rule>;

/// After so many records without a row of a table its signals are forgotten, so that they hold the
/// journal no longer; their next samples are sent.
const SILENCE_RECORDS: u64 = 100_000;
/// How many offsets lie between two looks for silent tables.
const SWEEP_RECORDS: u64 = 1_024;

/// A sample to be sent.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Chosen {
    /// Place of the signal in [`Table::signals`].
    pub(super) place: usize,
    /// The sender, if the table has them.
    pub(super) sa: Option<u8>,
    /// The sample.
    pub(super) sample: Sample,
}

/// Chooses samples, record by record.
#[derive(Debug)]
pub(super) struct Selection {
    rules: Rules,
    lanes: BTreeMap<String, Lane>,
    swept: u64,
}

/// The signals of one table.
#[derive(Debug)]
struct Lane {
    table: Arc<Table>,
    /// Places of the signals that are sent.
    wanted: Vec<(usize, Rule)>,
    /// By sender and path.
    states: BTreeMap<(Option<u8>, String), State>,
    last_offset: Offset,
}

/// One signal of one sender.
#[derive(Debug)]
struct State {
    reducer: Reducer,
    /// The record in which the stretch of its newest sample began.
    since: Offset,
}

impl Selection {
    pub(super) fn new(rules: Rules) -> Self {
        Self { rules, lanes: BTreeMap::new(), swept: 0 }
    }

    /// What is sent of the next record, in order of time for each signal.
    pub(super) fn apply(&mut self, offset: Offset, batch: &Batch) -> Vec<Chosen> {
        self.sweep(offset);
        let table = &batch.table;
        if table.name().starts_with('_') || self.rules.is_empty() {
            return Vec::new();
        }
        let rules = &self.rules;
        let lane = self.lanes.entry(table.name().to_owned()).or_insert_with(|| Lane {
            table: Arc::clone(table),
            wanted: wanted(table, rules),
            states: BTreeMap::new(),
            last_offset: offset,
        });
        if !Arc::ptr_eq(&lane.table, table) && lane.table != *table {
            lane.wanted = wanted(table, rules);
        }
        lane.table = Arc::clone(table);
        lane.last_offset = offset;
        lane.take(offset, batch)
    }

    /// The oldest record that what is sent from now on depends on; `None` when on none.
    pub(super) fn needed_from(&self) -> Option<Offset> {
        let states = self.lanes.values().flat_map(|lane| lane.states.values());
        states.map(|state| state.since).min()
    }

    /// Samples left out because they were not newer than the one before them.
    pub(super) fn late(&self) -> u64 {
        let states = self.lanes.values().flat_map(|lane| lane.states.values());
        states.map(|state| state.reducer.late()).sum()
    }

    /// Depends on offsets alone, so it happens at the same record whenever it is done again.
    fn sweep(&mut self, offset: Offset) {
        let block = offset.0 / SWEEP_RECORDS;
        if block != self.swept {
            self.swept = block;
            let now = Offset(block * SWEEP_RECORDS);
            self.lanes.retain(|_, lane| now.since(lane.last_offset) < SILENCE_RECORDS);
        }
    }
}

impl Lane {
    fn take(&mut self, offset: Offset, batch: &Batch) -> Vec<Chosen> {
        let mut chosen = Vec::new();
        let numbers = columns::numeric(batch);
        let senders = batch.source_addresses();
        for (place, rule) in &self.wanted {
            let Some((_, column)) = numbers.iter().find(|(of, _)| of == place) else { continue };
            let path = batch.table.signals().get(*place).map_or("", |signal| signal.path);
            let mut flaws =
                batch.flaws.iter().filter(|f| usize::from(f.signal) == *place).peekable();
            for (row, micros) in batch.timestamps().iter().enumerate() {
                let flaw = flaws.next_if(|flaw| flaw.row as usize == row).map(|flaw| flaw.quality);
                let value = column.value(row);
                if value.is_none() && flaw.is_none() {
                    // Absent by design: nothing is said of it.
                    continue;
                }
                let sa = senders.and_then(|list| list.get(row)).copied();
                let state = self.states.entry((sa, path.to_owned()));
                let state = state.or_insert_with(|| State::new(*rule, offset));
                let ts = Timestamp::from_micros(*micros);
                let quality = flaw.unwrap_or(Quality::GOOD);
                let Kept { before, this } = state.push(offset, Sample { ts, value, quality });
                let of = |sample| Chosen { place: *place, sa, sample };
                chosen.extend(before.into_iter().chain(this).map(of));
            }
        }
        chosen
    }
}

impl State {
    fn new(rule: Rule, since: Offset) -> Self {
        Self { reducer: Reducer::new(rule), since }
    }

    fn push(&mut self, offset: Offset, sample: Sample) -> Kept {
        let stretch = self.reducer.stretch_start();
        let kept = self.reducer.push(sample);
        if self.reducer.stretch_start() != stretch {
            self.since = offset;
        }
        kept
    }
}

fn wanted(table: &Table, rules: &Rules) -> Vec<(usize, Rule)> {
    let signals = table.signals().iter().enumerate();
    signals.filter_map(|(place, signal)| Some((place, *rules.get(signal.path)?))).collect()
}
