//! Rows that have been read from the journal and are not in the lake yet.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Instant;

use arrow_array::RecordBatch;
use signals::{Batch, ClockState, Gap, Offset, Table, Timestamp};

use super::packed::Held;
use super::thinning::Thinning;
use super::{HistorianCounts, by_date, first_ts};
use crate::lake::Sealed;
use crate::log::Entry;

/// A table and a date, as a key of [`Sealed`].
pub(super) type Day = (String, String);

/// Rows of one table and date that are in the journal and not yet in the lake.
pub(super) struct OpenRows {
    pub(super) table: Arc<Table>,
    pub(super) from: Offset,
    pub(super) last: Offset,
    pub(super) clock: ClockState,
    pub(super) held: Vec<Held>,
    pub(super) rows: usize,
    /// What `held` takes of the memory.
    pub(super) bytes: usize,
}

/// What has been read from the journal and not sealed, and what is sealed.
#[derive(Default)]
pub(super) struct State {
    /// By table and date; one entry per definition of the table.
    pub(super) open: BTreeMap<Day, Vec<OpenRows>>,
    pub(super) rows: usize,
    /// What they take of the memory.
    pub(super) bytes: usize,
    pub(super) sealed: Sealed,
    /// When a file was last written for a table and date in this life.
    pub(super) sealed_at: HashMap<Day, Instant>,
    pub(super) counts: HistorianCounts,
    /// Offset behind the last record read.
    pub(super) reached: Offset,
    /// Source time of the newest row read.
    pub(super) newest: Option<Timestamp>,
    /// Bytes of the lake's files; `None` until they have been counted.
    pub(super) held: Option<u64>,
    /// Over the budget with nothing to give up: said once.
    pub(super) is_stuck: bool,
    /// Gaps of files that went while the journal had no room for them.
    pub(super) untold: Vec<Gap>,
    pub(super) thinning: Thinning,
}

/// So many small batches are made into one, and packed: each costs hundreds of bytes a column by itself.
const SMALL_BATCHES_MAX: usize = 64;
/// A batch of this many rows is not joined with others.
const SMALL_ROWS: usize = 1_024;

impl OpenRows {
    fn push(&mut self, rows: RecordBatch) {
        self.rows += rows.num_rows();
        let held = Held::Rows(rows);
        self.bytes += held.bytes();
        self.held.push(held);
        self.join_small();
    }

    /// Joins the small batches at the end.
    fn join_small(&mut self) {
        let is_small =
            |held: &&Held| matches!(held, Held::Rows(batch) if batch.num_rows() < SMALL_ROWS);
        let small = self.held.iter().rev().take_while(is_small).count();
        if small < SMALL_BATCHES_MAX {
            return;
        }
        let tail = self.held.split_off(self.held.len() - small);
        let apart: usize = tail.iter().map(Held::bytes).sum();
        let tail: Vec<RecordBatch> = tail.into_iter().map(Held::unpacked).collect();
        match arrow_select::concat::concat_batches(self.table.schema(), &tail) {
            Ok(joined) => {
                let joined = Held::of(joined);
                self.bytes = self.bytes.saturating_sub(apart) + joined.bytes();
                self.held.push(joined);
            }
            Err(_) => self.held.extend(tail.into_iter().map(Held::Rows)),
        }
    }
}

impl State {
    /// Adds the rows of a journal entry that are not in the lake yet.
    pub(super) fn add(&mut self, entry: &Entry<Batch>) {
        let batch = &*entry.record;
        self.newest = self.newest.max(batch.last_ts());
        for rows in by_date(&batch.rows, batch.timestamps()) {
            let Some(first) = first_ts(&rows) else { continue };
            let key = (batch.table.name().to_owned(), first.date());
            if self.sealed.get(&key).is_some_and(|sealed| entry.offset <= *sealed) {
                continue;
            }
            self.rows += rows.num_rows();
            let parts = self.open.entry(key).or_default();
            if !parts.last().is_some_and(|part| is_same(&part.table, &batch.table)) {
                parts.push(OpenRows {
                    table: Arc::clone(&batch.table),
                    from: entry.offset,
                    last: entry.offset,
                    clock: batch.clock,
                    rows: 0,
                    bytes: 0,
                    held: Vec::new(),
                });
            }
            let Some(part) = parts.last_mut() else { continue };
            part.last = entry.offset;
            if batch.clock == ClockState::Unsynced {
                part.clock = ClockState::Unsynced;
            }
            let before = part.bytes;
            part.push(rows);
            self.bytes = (self.bytes + part.bytes).saturating_sub(before);
        }
    }

    /// Takes the oldest rows of a table and date away, which are in a file now; true when there
    /// are more.
    pub(super) fn take_oldest(&mut self, day: &Day) -> bool {
        let Some(parts) = self.open.get_mut(day) else { return false };
        let part = parts.remove(0);
        self.rows = self.rows.saturating_sub(part.rows);
        self.bytes = self.bytes.saturating_sub(part.bytes);
        if parts.is_empty() {
            self.open.remove(day);
            return false;
        }
        true
    }
}

fn is_same(a: &Arc<Table>, b: &Arc<Table>) -> bool {
    Arc::ptr_eq(a, b) || a == b
}
