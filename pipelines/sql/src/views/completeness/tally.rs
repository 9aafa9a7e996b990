//! Tally: the rows of one table, counted by signal and hour, and the holes between them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{TimestampMicrosecondType, UInt8Type};
use arrow_array::{Array as _, ArrayRef, RecordBatch};
use signals::QualityClass;

use super::HOUR_US;
use super::slots::Islands;
use crate::views::ledger::{Change, Grade, Ledger, grade};
use crate::views::paths::{Senders, sent_by};

/// A signal of the table that is asked for.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) path: String,
    /// Where its columns are among those read: one for each type it has had.
    pub(super) places: Vec<usize>,
    /// Which senders are asked for, in a table that has them.
    pub(super) senders: Option<Senders>,
}

/// Samples of one signal in one hour.
#[derive(Clone, Debug, Default)]
pub(super) struct Count {
    pub(super) good: i64,
    pub(super) uncertain: i64,
    pub(super) bad: i64,
    /// Why those are not good that are not.
    pub(super) reasons: BTreeMap<Arc<str>, i64>,
}

/// Counts of one signal by sender, 0 without, and by hour.
pub(super) type Counts = BTreeMap<(u8, i64), Count>;

/// What has been counted of a table.
#[derive(Debug)]
pub(super) struct Tally<'a> {
    asked: &'a [Asked],
    ledger: &'a Ledger,
    pub(super) counts: Vec<Counts>,
    /// Where its rows are on a grid.
    pub(super) islands: Option<Islands>,
}

impl<'a> Tally<'a> {
    pub(super) fn new(asked: &'a [Asked], ledger: &'a Ledger, period: Option<i64>) -> Self {
        let counts = vec![Counts::new(); asked.len()];
        Self { asked, ledger, counts, islands: period.map(Islands::new) }
    }

    /// Memory it takes, roughly.
    pub(super) fn bytes(&self) -> usize {
        let hours: usize = self.counts.iter().map(BTreeMap::len).sum();
        let islands = self.islands.as_ref().map_or(0, Islands::bytes);
        islands + hours * 2 * size_of::<((u8, i64), Count)>()
    }

    /// Takes rows whose columns are `ts`, `q`, perhaps `sa`, then those of signals.
    pub(super) fn add(&mut self, rows: &RecordBatch) {
        let times = rows.columns().first();
        let times = times.and_then(|c| c.as_primitive_opt::<TimestampMicrosecondType>());
        let qs = rows.columns().get(1).and_then(|c| c.as_primitive_opt::<UInt8Type>());
        let (Some(times), Some(qs)) = (times, qs) else { return };
        let (times, qs) = (times.values(), qs.values());
        if let Some(islands) = &mut self.islands {
            islands.add(times);
        }
        let runs = hours_of(times);
        for (asked, counts) in self.asked.iter().zip(&mut self.counts) {
            let columns: Vec<&ArrayRef> =
                asked.places.iter().filter_map(|place| rows.columns().get(*place)).collect();
            let cells = Cells { columns: &columns, times, qs };
            match &asked.senders {
                Some(senders) => {
                    let changes = |sender| self.ledger.of(&sent_by(&asked.path, sender));
                    cells.by_sender((rows, senders), changes, counts);
                }
                None => cells.of_one(&runs, self.ledger.of(&asked.path), counts),
            }
        }
    }
}

/// The cells of one signal in a batch.
struct Cells<'a> {
    columns: &'a [&'a ArrayRef],
    times: &'a [i64],
    qs: &'a [u8],
}

impl Cells<'_> {
    fn of_one(&self, runs: &[(i64, Range<usize>)], changes: &[Change], into: &mut Counts) {
        let good = QualityClass::Good.code();
        for (hour, run) in runs {
            let qs = self.qs.get(run.clone()).unwrap_or_default();
            let is_full = |column: &&ArrayRef| column.null_count() == 0;
            let count = into.entry((0, *hour)).or_default();
            // Most hours of most signals.
            if self.columns.iter().any(is_full) && qs.iter().all(|q| *q == good) {
                count.good += i64::try_from(run.len()).unwrap_or(i64::MAX);
                continue;
            }
            for (row, q) in run.clone().zip(qs) {
                let Some(micros) = self.times.get(row) else { continue };
                count.add(grade(self.has_value(row), *q, changes, *micros));
            }
        }
    }

    fn by_sender<'a>(
        &self,
        (rows, senders): (&RecordBatch, &Senders),
        changes_of: impl Fn(u8) -> &'a [Change],
        into: &mut Counts,
    ) {
        let addresses = rows.columns().get(2).and_then(|c| c.as_primitive_opt::<UInt8Type>());
        let Some(addresses) = addresses else { return };
        let mut known = BTreeMap::new();
        for (row, sender) in addresses.values().iter().enumerate() {
            let (Some(micros), Some(q)) = (self.times.get(row), self.qs.get(row)) else { continue };
            if !senders.has(*sender) {
                continue;
            }
            let changes = *known.entry(*sender).or_insert_with(|| changes_of(*sender));
            if let Some(grade) = grade(self.has_value(row), *q, changes, *micros) {
                into.entry((*sender, hour_of(*micros))).or_default().add(Some(grade));
            }
        }
    }

    fn has_value(&self, row: usize) -> bool {
        self.columns.iter().any(|column| column.is_valid(row))
    }
}

impl Count {
    fn add(&mut self, grade: Option<Grade>) {
        let Some(grade) = grade else { return };
        match grade.class {
            QualityClass::Good => {
                self.good += 1;
                return;
            }
            QualityClass::Uncertain => self.uncertain += 1,
            QualityClass::Bad => self.bad += 1,
        }
        *self.reasons.entry(grade.reason).or_default() += 1;
    }

    /// All of them.
    pub(super) fn stored(&self) -> i64 {
        self.good + self.uncertain + self.bad
    }
}

/// The hour of a time.
pub(super) fn hour_of(micros: i64) -> i64 {
    micros.div_euclid(HOUR_US).saturating_mul(HOUR_US)
}

/// Runs of rows of one hour.
fn hours_of(times: &[i64]) -> Vec<(i64, Range<usize>)> {
    let mut runs: Vec<(i64, Range<usize>)> = Vec::new();
    for (row, micros) in times.iter().enumerate() {
        let hour = hour_of(*micros);
        match runs.last_mut() {
            Some((last, run)) if *last == hour => run.end = row + 1,
            _ => runs.push((hour, row..row + 1)),
        }
    }
    runs
}
