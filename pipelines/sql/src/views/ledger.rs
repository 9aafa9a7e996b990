//! What `_quality` says of signals at a time.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array as _, RecordBatch};
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use pipelines_flow::lake::LakeFile;
use signals::QualityClass;

use crate::spans::span_of;

/// Name of the table.
pub(crate) const QUALITY: &str = "_quality";
/// Files before the asked span that are looked through for what held at its beginning. Each
/// start of a gateway tells all signals again.
const FILES_BEFORE_MAX: usize = 64;
/// Memory of a change, roughly.
pub(crate) const CHANGE_BYTES: usize = 48;

/// Changes of quality by signal.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    changes: HashMap<Arc<str>, Vec<Change>>,
    count: usize,
    is_sorted: bool,
    reasons: HashMap<String, Arc<str>>,
}

/// From when on what holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Change {
    since: i64,
    /// The class.
    pub(crate) class: QualityClass,
    /// Why; empty when good.
    pub(crate) reason: Arc<str>,
}

impl Ledger {
    /// Reads the changes of signals that `is_wanted` says, from the files that can matter for
    /// times from `from` on.
    ///
    /// # Errors
    /// What the operating system says, also that a file is not there any more: given up or joined
    /// with others since it was listed.
    pub(crate) fn read_files(
        &mut self,
        files: &[LakeFile],
        from: i64,
        is_wanted: &dyn Fn(&str) -> bool,
    ) -> io::Result<()> {
        let before = files.iter().filter(|file| span_of(file).1 < from).count();
        for file in files.iter().skip(before.saturating_sub(FILES_BEFORE_MAX)) {
            let open = File::open(&file.path)?;
            let reader = ParquetRecordBatchReaderBuilder::try_new(open).map_err(invalid)?;
            for rows in reader.build().map_err(invalid)? {
                self.add(&rows.map_err(invalid)?, is_wanted);
            }
        }
        Ok(())
    }

    /// Takes rows of `_quality`.
    pub(crate) fn add(&mut self, rows: &RecordBatch, is_wanted: &dyn Fn(&str) -> bool) {
        let text = |name: &str| rows.column_by_name(name).and_then(|c| c.as_string_opt::<i32>());
        let since = rows.column_by_name("since");
        let since = since.and_then(|c| c.as_primitive_opt::<TimestampMicrosecondType>());
        let (Some(since), Some(signals)) = (since, text("signal")) else { return };
        let (Some(classes), Some(reasons)) = (text("class"), text("reason")) else { return };
        for row in 0..rows.num_rows() {
            let signal = signals.value(row);
            if since.is_null(row) || signals.is_null(row) || !is_wanted(signal) {
                continue;
            }
            let class = match classes.value(row) {
                "good" => QualityClass::Good,
                "uncertain" => QualityClass::Uncertain,
                _ => QualityClass::Bad,
            };
            let reason = self.reason(reasons.value(row));
            let change = Change { since: since.value(row), class, reason };
            self.count += 1;
            self.is_sorted = false;
            match self.changes.get_mut(signal) {
                Some(changes) => changes.push(change),
                None => {
                    self.changes.insert(Arc::from(signal), vec![change]);
                }
            }
        }
    }

    /// Puts the changes in order; to be called before [`Ledger::of`].
    pub(crate) fn sort(&mut self) {
        if !self.is_sorted {
            // Those of one moment stay as they came.
            self.changes.values_mut().for_each(|changes| changes.sort_by_key(|c| c.since));
            self.is_sorted = true;
        }
    }

    /// The changes of a signal, oldest first.
    pub(crate) fn of(&self, path: &str) -> &[Change] {
        self.changes.get(path).map_or(&[], Vec::as_slice)
    }

    /// Changes held.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    fn reason(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.reasons.get(text) {
            return Arc::clone(known);
        }
        let reason: Arc<str> = Arc::from(text);
        self.reasons.insert(text.to_owned(), Arc::clone(&reason));
        reason
    }
}

/// What a sample is worth.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Grade {
    /// Its class.
    pub(crate) class: QualityClass,
    /// Why it is not better; empty when nobody knows.
    pub(crate) reason: Arc<str>,
}

/// What a cell is worth, from whether it holds a value, the worst class of its row, and the
/// changes of its signal; `None` for a cell that is empty by design.
pub(crate) fn grade(has_value: bool, q: u8, changes: &[Change], micros: i64) -> Option<Grade> {
    let unknown = || Arc::from("");
    let held = || {
        let next = changes.partition_point(|change| change.since <= micros);
        next.checked_sub(1).and_then(|place| changes.get(place))
    };
    let is_all_good = q == QualityClass::Good.code();
    let has_bad = q >= QualityClass::Bad.code();
    match (has_value, is_all_good, has_bad) {
        (true, true, _) => Some(Grade { class: QualityClass::Good, reason: unknown() }),
        (true, false, _) => match held() {
            Some(change) if change.class == QualityClass::Good => {
                Some(Grade { class: QualityClass::Good, reason: unknown() })
            }
            // A value is at worst uncertain; so is one of which nobody knows.
            Some(change) => {
                let reason = Arc::clone(&change.reason);
                Some(Grade { class: QualityClass::Uncertain, reason })
            }
            None => Some(Grade { class: QualityClass::Uncertain, reason: unknown() }),
        },
        (false, _, true) => match held() {
            Some(change) if change.class == QualityClass::Bad => {
                Some(Grade { class: QualityClass::Bad, reason: Arc::clone(&change.reason) })
            }
            Some(_) => None,
            None => Some(Grade { class: QualityClass::Bad, reason: unknown() }),
        },
        (false, _, false) => None,
    }
}

fn invalid(err: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, err)
}
