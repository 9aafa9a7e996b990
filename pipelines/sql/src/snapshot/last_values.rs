//! The newest sample of every signal, kept between queries: each reads on where the one before
//! has ended.
//!
//! The journal is read from its newest record back, so that a signal costs one row of it. What is
//! not there is sought in the newest files of its table, once.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow_array::cast::AsArray as _;
use arrow_array::{Array as _, ArrayRef};
use arrow_schema::DataType;
use pipelines_flow::history::numbers;
use pipelines_flow::lake;
use pipelines_flow::log::LogView;
use signals::{Batch, Offset, Quality, QualityClass};

use super::{Folders, io_error};
use crate::error::SqlError;
use crate::tail::{HISTORIAN, Seen, TailCodec};
use crate::views::{Ledger, QUALITY};

mod in_files;

/// Signals kept; those of further tables are left out.
const SIGNALS_MAX: usize = 200_000;
/// Records looked at before those that are not in the lake yet: they are at hand, and it spares
/// files.
const RECORDS_BEFORE: u32 = 20_000;

/// How often the journal is read again from the same place because offsets were missing.
const REREADS_MAX: u32 = 3;

/// A sample.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Newest {
    /// Its time, µs.
    pub(crate) micros: i64,
    /// Its number, truth as 0 and 1.
    pub(crate) value: Option<f64>,
    /// Its text, or its bytes in hexadecimal digits.
    pub(crate) text: Option<Arc<str>>,
    /// Its class.
    pub(crate) class: QualityClass,
    /// Why it is not better.
    pub(crate) reason: Arc<str>,
}

/// The newest samples of a table.
#[derive(Debug, Default)]
pub(crate) struct Known {
    by_sender: bool,
    /// Column and path of its signals, as it was last.
    signals: Vec<(String, String)>,
    columns: HashSet<String>,
    /// By sender, 0 without, and column.
    newest: BTreeMap<u8, HashMap<String, Newest>>,
    /// Whether files have been looked at for what the journal does not have.
    is_sought: bool,
}

/// The newest samples of all tables.
#[derive(Debug, Default)]
pub(crate) struct LastValues {
    /// Records before this one have been looked at.
    reached: Offset,
    /// Readings in a row that found offsets missing.
    gaps: u32,
    tables: BTreeMap<String, Known>,
}

/// A sample with the path of its signal.
pub(crate) type Row = (String, Newest);

/// One reading of the journal, newest record first.
struct Pass<'a> {
    values: &'a mut LastValues,
    /// What this pass has found, by table and sender.
    found: HashMap<String, HashMap<u8, HashSet<String>>>,
    /// Tables whose older records cannot matter.
    done: Arc<Mutex<HashSet<String>>>,
    /// Tables that may have samples.
    expected: HashSet<String>,
    ledger: Ledger,
}

impl Folders {
    /// The newest sample of each signal that its table has now, by table, sender and column.
    pub(crate) fn last_values(&self) -> Result<Vec<Row>, SqlError> {
        let mut values = self.last_values.lock().unwrap_or_else(PoisonError::into_inner);
        let tables = lake::tables(&*self.disk, &self.lake).map_err(io_error(&self.lake))?;
        let ledger = self.read_journal(&mut values, &tables)?;
        self.seek_in_files(&mut values, &tables, ledger)?;
        Ok(values.rows())
    }

    /// Takes what has come to the journal since the last time.
    fn read_journal(&self, values: &mut LastValues, tables: &[String]) -> Result<Ledger, SqlError> {
        let done = Arc::new(Mutex::new(HashSet::new()));
        let codec = {
            let done = Arc::clone(&done);
            let is_wanted = move |table: &str| {
                table == QUALITY || (!table.starts_with('_') && !lock(&done).contains(table))
            };
            TailCodec::new(Arc::clone(&self.definitions), is_wanted)
        };
        let journal = LogView::new(&self.journal, Arc::clone(&self.disk), Arc::new(codec) as _);
        let failed = || io_error(&self.journal);
        let unsealed = journal.committed(HISTORIAN).map_err(failed())?.unwrap_or(Offset::START);
        let from = values.reached;
        let is_first = from == Offset::START;
        let expected = if is_first { self.expected(tables)? } else { HashSet::new() };
        let ledger = Ledger::default();
        let mut pass = Pass { values, found: HashMap::new(), done, expected, ledger };
        let (mut end, mut after, mut has_gap, mut before) = (None, None, false, 0);
        let visit = |entry: pipelines_flow::Entry<Seen>| {
            if entry.offset < from {
                has_gap |= after.is_some_and(|after| after > from);
                return false;
            }
            end = end.max(Some(entry.offset.next()));
            has_gap |= after.is_some_and(|after| entry.offset.next() != after);
            after = Some(entry.offset);
            pass.take(&entry.record);
            before += u32::from(entry.offset < unsealed);
            !(is_first && (pass.is_done() || before > RECORDS_BEFORE))
        };
        journal.visit_back(visit).map_err(failed())?;
        let Pass { ledger, .. } = pass;
        // A commit that was being written is looked for again; a gap that stays is real.
        values.gaps = if has_gap { values.gaps + 1 } else { 0 };
        if let Some(end) = end.filter(|_| values.gaps == 0 || values.gaps > REREADS_MAX) {
            values.reached = end;
        }
        Ok(ledger)
    }

    /// Tables that may have samples.
    fn expected(&self, tables: &[String]) -> Result<HashSet<String>, SqlError> {
        self.definitions.look_again().map_err(io_error(&self.lake))?;
        let defined = self.definitions.tables().into_iter();
        let defined = defined.filter(|table| !table.signals().is_empty());
        let in_lake = tables.iter().filter(|table| !table.starts_with('_')).cloned();
        Ok(defined.map(|table| table.name().to_owned()).chain(in_lake).collect())
    }
}

impl Pass<'_> {
    fn take(&mut self, record: &Seen) {
        let Seen::Rows(batch) = record else { return };
        let name = batch.table.name();
        if name == QUALITY {
            self.ledger.add(&batch.rows, &|_| true);
        } else if !batch.table.signals().is_empty() && !lock(&self.done).contains(name) {
            self.take_rows(batch);
        }
    }

    fn take_rows(&mut self, batch: &Batch) {
        let name = batch.table.name().to_owned();
        let is_new = !self.found.contains_key(&name);
        let found = self.found.entry(name.clone()).or_default();
        let known = self.values.tables.entry(name.clone()).or_default();
        if is_new {
            known.turn_to(batch);
        }
        let senders = batch.source_addresses();
        let flaws: HashMap<(u32, u16), Quality> =
            batch.flaws.iter().map(|flaw| ((flaw.row, flaw.signal), flaw.quality)).collect();
        let rows: Vec<(u32, i64)> = (0..).zip(batch.timestamps().iter().copied()).collect();
        for (row, micros) in rows.into_iter().rev() {
            let sender = senders.and_then(|s| s.get(row as usize)).copied().unwrap_or(0);
            let found = found.entry(sender).or_default();
            if found.len() == known.signals.len() {
                if senders.is_none() {
                    break;
                }
                continue;
            }
            for (place, signal) in (0_u16..).zip(batch.table.signals().iter()) {
                let column = batch.column(usize::from(place));
                let flaw = flaws.get(&(row, place));
                let is_sample = flaw.is_some() || !column.is_null(row as usize);
                if !is_sample
                    || found.contains(signal.column)
                    || !known.columns.contains(signal.column)
                {
                    continue;
                }
                found.insert(signal.column.to_owned());
                let quality = flaw.copied().unwrap_or(Quality::GOOD);
                let newest = Newest::of(column, row as usize, micros, quality);
                known.newest.entry(sender).or_default().insert(signal.column.to_owned(), newest);
            }
        }
        let has_all = found.get(&0).is_some_and(|found| found.len() == known.signals.len());
        if !known.by_sender && has_all {
            self.expected.remove(&name);
            lock(&self.done).insert(name);
        } else {
            self.expected.insert(name);
        }
    }

    /// Whether nothing older can matter.
    fn is_done(&self) -> bool {
        self.expected.is_empty()
    }
}

impl Known {
    /// Goes on with the table as this batch has it; signals that are gone are forgotten.
    fn turn_to(&mut self, batch: &Batch) {
        self.by_sender = batch.table.by_source_address();
        let signals = batch.table.signals().iter();
        self.signals = signals.map(|s| (s.column.to_owned(), s.path.to_owned())).collect();
        self.columns = self.signals.iter().map(|(column, _)| column.clone()).collect();
        for newest in self.newest.values_mut() {
            newest.retain(|column, _| self.columns.contains(column));
        }
    }
}

impl LastValues {
    fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for known in self.tables.values() {
            for (sender, newest) in &known.newest {
                for (column, path) in &known.signals {
                    let Some(newest) = newest.get(column) else { continue };
                    let path = if known.by_sender {
                        crate::views::sent_by(path, *sender)
                    } else {
                        path.clone()
                    };
                    rows.push((path, newest.clone()));
                }
            }
        }
        rows
    }
}

impl Newest {
    fn of(column: &ArrayRef, row: usize, micros: i64, quality: Quality) -> Self {
        let (value, text) = content(column, row);
        let reason = quality.reason.to_string().into();
        Self { micros, value, text, class: quality.class, reason }
    }
}

/// A cell as number and text.
#[expect(clippy::wildcard_enum_match_arm, reason = "every other type is a number")]
fn content(column: &ArrayRef, row: usize) -> (Option<f64>, Option<Arc<str>>) {
    if column.is_null(row) {
        return (None, None);
    }
    match column.data_type() {
        DataType::Utf8 => (None, Some(column.as_string::<i32>().value(row).into())),
        DataType::Binary => {
            (None, Some(crate::views::digits(column.as_binary::<i32>().value(row)).into()))
        }
        _ => (numbers(&column.slice(row, 1)).and_then(|v| v.first().copied().flatten()), None),
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
