//! The loop around the aggregator: reads the journal, appends what has closed to it.
//!
//! The committed cursor lies in front of everything an open window needs and in front of the last
//! window emitted of each length. At a start the loop therefore finds, between its cursor and the
//! end of the journal, every window it could compute again, and leaves those out.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use signals::{Batch, Offset, Stop, Timestamp};

use super::rows::{self, Writer};
use super::{AggregateSettings, Aggregator, LateRows, Trail, WindowShape};
use crate::log::{Cursor, Entry, Log, LogError};

/// Records read at a time.
const CHUNK: usize = 256;
/// How long to wait for new records before looking at the stop signal again.
const PATIENCE: Duration = Duration::from_millis(200);
/// How long to wait after a failure.
const PAUSE: Duration = Duration::from_secs(1);

/// What is known of the aggregator's work since its start.
#[derive(Clone, Debug, Default)]
pub struct AggregateVitals {
    /// The next record to be read.
    pub position: Offset,
    /// Windows emitted.
    pub windows: u64,
    /// Windows found in the journal at the start and not emitted again.
    pub found: u64,
    /// Rows that came after a window they belong to had closed, by table and windows.
    pub late_rows: LateRows,
    /// Why the last attempt failed; `None` while all is well.
    pub last_error: Option<String>,
}

/// The aggregator as a consumer of the journal. One thread calls [`Aggregate::run`].
#[derive(Debug)]
pub struct Aggregate {
    /// Where from and where to.
    pub journal: Log<Batch>,
    /// Which windows there are.
    pub settings: AggregateSettings,
    /// Its vitals, to be read while it runs.
    pub vitals: Arc<Mutex<AggregateVitals>>,
}

impl Aggregate {
    /// Aggregates until `stop` is raised or the journal is closed. Failures are retried.
    ///
    /// Its cursor in the journal is called `aggregate`.
    pub fn run(&self, stop: &Stop) {
        while !stop.is_raised() {
            match self.follow(stop) {
                Ok(()) => {}
                Err(LogError::Closed { .. }) => return,
                Err(err) => {
                    tracing::warn!(%err, "aggregates stand still; trying again");
                    self.update(|vitals| vitals.last_error = Some(err.to_string()));
                    let _stopped = stop.wait(PAUSE);
                }
            }
        }
    }

    fn follow(&self, stop: &Stop) -> Result<(), LogError> {
        let mut run = Run::begin(&self.journal, &self.settings)?;
        self.update(|vitals| vitals.last_error = None);
        while !stop.is_raised() {
            let stepped = run.step()?;
            self.update(|vitals| {
                vitals.position = run.position;
                if vitals.late_rows != *run.aggregator.late_rows() {
                    vitals.late_rows.clone_from(run.aggregator.late_rows());
                }
                vitals.windows += stepped.emitted;
                vitals.found += stepped.found;
            });
            if stepped.records == 0 {
                let _durable = self.journal.wait_past(run.position, PATIENCE);
            }
        }
        // What is committed and not written yet only costs reading again.
        if let Err(err) = run.cursor.flush() {
            tracing::warn!(%err, "cursor `aggregate` could not be written; it is older than it could be");
        }
        Ok(())
    }

    fn update(&self, change: impl FnOnce(&mut AggregateVitals)) {
        change(&mut self.vitals.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// What one step did.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stepped {
    pub(super) records: usize,
    pub(super) emitted: u64,
    pub(super) found: u64,
}

/// A window in the journal: table of aggregates, table, source address, start.
type Key = (String, String, Option<u8>, Timestamp);

/// The state between two starts.
pub(super) struct Run<'a> {
    journal: &'a Log<Batch>,
    cursor: Cursor,
    aggregator: Aggregator,
    writers: BTreeMap<WindowShape, Writer>,
    /// Where the last window of each shape stands.
    last_emitted: BTreeMap<WindowShape, Offset>,
    /// Windows in the journal that are going to be computed again.
    found: HashSet<Key>,
    position: Offset,
    trail: Trail,
    written: Offset,
}

impl<'a> Run<'a> {
    /// Learns from the journal what has been emitted already.
    pub(super) fn begin(
        journal: &'a Log<Batch>,
        settings: &AggregateSettings,
    ) -> Result<Self, LogError> {
        // Windows that an earlier run in this process appended count as well.
        let end = journal.sync()?;
        let cursor = journal.cursor("aggregate");
        let mut run = Self {
            journal,
            position: cursor.at(),
            cursor,
            aggregator: Aggregator::new(settings.clone()),
            writers: settings.windows.iter().map(|of| (of.shape, Writer::new(of))).collect(),
            last_emitted: BTreeMap::new(),
            found: HashSet::new(),
            trail: Trail::default(),
            written: Offset::START,
        };
        let mut at = run.position;
        while at < end {
            let entries = journal.read(at, CHUNK)?;
            let Some(last) = entries.last() else { break };
            at = last.offset.next();
            for entry in &entries {
                run.learn(entry);
            }
        }
        Ok(run)
    }

    fn learn(&mut self, entry: &Entry<Batch>) {
        let Some(told) = rows::read(&entry.record) else { return };
        let mut writers = self.writers.iter_mut();
        let Some((&shape, writer)) = writers.find(|(_, w)| w.name() == entry.record.table.name())
        else {
            return;
        };
        writer.seen(told.last_ts);
        self.last_emitted.insert(shape, entry.offset);
        self.aggregator.begin_at(&told.table, shape, told.start);
        self.found.insert((writer.name().to_owned(), told.table, told.sa, told.start));
    }

    /// Reads some records and appends the windows they complete.
    pub(super) fn step(&mut self) -> Result<Stepped, LogError> {
        let entries = self.journal.read(self.position, CHUNK)?;
        let mut stepped = Stepped { records: entries.len(), ..Stepped::default() };
        for entry in entries {
            for closed in self.aggregator.apply(entry.offset, &entry.record) {
                let Some(writer) = self.writers.get_mut(&closed.shape) else { continue };
                let table = closed.table.name().to_owned();
                let key = (writer.name().to_owned(), table, closed.sa, closed.start);
                if self.found.remove(&key) {
                    stepped.found += 1;
                    continue;
                }
                let offset = self.journal.append(writer.write(&closed))?;
                self.last_emitted.insert(closed.shape, offset);
                self.written = offset.next();
                stepped.emitted += 1;
            }
            self.position = entry.offset.next();
        }
        let needed = self.aggregator.needed_from().unwrap_or(self.position);
        let safe = self.last_emitted.values().copied().fold(needed, Offset::min);
        let safe = self.aggregator.restart_from(safe);
        self.trail.note(self.written, safe);
        if let Some(position) = self.trail.settle(self.journal.durable()) {
            self.cursor.commit(position);
        }
        Ok(stepped)
    }
}

/// The name of the table of aggregates over such windows: `_aggregates_10s`.
#[must_use]
pub fn table_name(shape: WindowShape) -> String {
    format!("{}{}", rows::PREFIX, shape.label())
}
