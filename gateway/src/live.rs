//! Live values: the last sample of every signal, the last events and episodes.
//!
//! In: the journal, read as one more consumer, so what is shown is durable. Out: the page.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use arrow_array::cast::AsArray as _;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array as _, ArrayRef, RecordBatch};
use arrow_schema::DataType;
use pipelines_flow::Log;
use pipelines_flow::history::numbers;
use serde::Serialize;
use signals::{Batch, Episode, Offset, QualityClass, Reason, Stop, Timestamp};

use crate::catalog::Catalog;

/// Events kept for the page; older ones are in the lake.
const EVENTS_MAX: usize = 1_000;
/// Episodes kept for the page.
const EPISODES_MAX: usize = 500;

/// The last sample of a signal.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Its time.
    pub ts: Timestamp,
    /// Its value; NaN when there is none or it is not a number.
    pub value: f64,
    /// Its text, for text signals.
    pub text: Option<Arc<str>>,
    /// Its class.
    pub class: QualityClass,
    /// Why it is not better.
    pub reason: Reason,
    /// Number of the change that brought it; grows with every change of any signal.
    pub change: u64,
}

impl Sample {
    /// What is left of it when its signal is not sampled any more.
    fn disabled(&self) -> Self {
        Self {
            value: f64::NAN,
            text: None,
            class: QualityClass::Bad,
            reason: Reason::Disabled,
            ..*self
        }
    }
}

/// A row of `_events` as the page gets it.
#[derive(Clone, Debug, Serialize)]
pub struct EventRow {
    /// When, µs UTC.
    pub ts_us: i64,
    /// Kind of event.
    pub kind: String,
    /// `note`, `advisory` or `alarm`.
    pub severity: String,
    /// What it is about.
    pub source: String,
    /// A sentence.
    pub message: String,
    /// Details for programs.
    pub details: serde_json::Value,
    /// Running number.
    #[serde(skip)]
    pub number: u64,
}

#[derive(Default)]
struct State {
    samples: Vec<Option<Sample>>,
    told: Told,
}

/// The last events and episodes.
#[derive(Default)]
struct Told {
    events: VecDeque<EventRow>,
    /// Number of the newest event.
    seen: u64,
    episodes: BTreeMap<(Timestamp, String), Episode>,
}

impl Told {
    fn take(&mut self, rows: &RecordBatch) {
        for event in (0..rows.num_rows()).filter_map(|row| event_of(rows, row)) {
            if let Ok(episode) = serde_json::from_value::<Episode>(event.details.clone()) {
                self.episodes.insert((episode.onset, episode.detector.clone()), episode);
                if self.episodes.len() > EPISODES_MAX {
                    self.episodes.pop_first();
                }
            }
            self.seen += 1;
            self.events.push_back(EventRow { number: self.seen, ..event });
            if self.events.len() > EVENTS_MAX {
                self.events.pop_front();
            }
        }
    }
}

/// Events and episodes of earlier runs, gathered while this one goes on.
#[derive(Default)]
pub struct Past(Told);

impl Past {
    /// Takes rows of `_events`, oldest first.
    pub fn take(&mut self, rows: &RecordBatch) {
        self.0.take(rows);
    }
}

/// The last values of everything. Shared by the journal's reader and the page.
pub struct Live {
    catalog: Arc<Catalog>,
    state: RwLock<State>,
    changes: AtomicU64,
}

impl Live {
    /// Nothing heard yet.
    #[must_use]
    pub fn new(catalog: Arc<Catalog>) -> Self {
        // Lower numbers are kept for events of earlier runs, which may be found later.
        let told = Told { seen: EVENTS_MAX as u64, ..Told::default() };
        let state = RwLock::new(State { told, ..State::default() });
        Self { catalog, state, changes: AtomicU64::new(0) }
    }

    /// Reads the journal from `from` on until stopped.
    pub fn run(&self, journal: &Log<Batch>, from: Offset, stop: &Stop) {
        let mut at = from;
        while !stop.is_raised() {
            match journal.read(at, 1_024) {
                Ok(entries) => {
                    for entry in &entries {
                        self.take(&entry.record);
                        at = entry.offset.next();
                    }
                    if entries.is_empty() {
                        let _durable = journal.wait_past(at, Duration::from_millis(200));
                    }
                }
                Err(err) => {
                    tracing::error!(%err, "live values: the journal cannot be read; trying again");
                    if stop.wait(Duration::from_secs(1)) {
                        return;
                    }
                }
            }
        }
    }

    /// Number of the newest change.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// The last sample of each of these signals that has one, changed after `since`; with `since` 0
    /// also that a signal is no longer sampled.
    #[must_use]
    pub fn samples(&self, ids: &[u32], since: u64) -> Vec<(u32, Sample)> {
        let gone = self.catalog.gone(ids);
        let state = self.read();
        let sample = |id: &u32| {
            let sample = state.samples.get(*id as usize)?.as_ref()?;
            // What is no longer sampled has no value now, however good the last one was.
            if gone.contains(id) {
                return (since == 0).then(|| (*id, sample.disabled()));
            }
            (sample.change > since).then(|| (*id, sample.clone()))
        };
        ids.iter().filter_map(sample).collect()
    }

    /// Signals of a device by class: good, uncertain, bad (or never heard).
    #[must_use]
    pub fn classes_of(&self, device: &str) -> [u64; 3] {
        let state = self.read();
        let mut classes = [0; 3];
        for (id, entry) in self.catalog.entries().iter().enumerate() {
            if entry.table.device() != device || !entry.is_current {
                continue;
            }
            let class = state.samples.get(id).and_then(Option::as_ref).map(|s| s.class);
            let [good, uncertain, bad] = &mut classes;
            match class {
                Some(QualityClass::Good) => *good += 1,
                Some(QualityClass::Uncertain) => *uncertain += 1,
                Some(QualityClass::Bad) | None => *bad += 1,
            }
        }
        classes
    }

    /// The newest events, newest first.
    #[must_use]
    pub fn events(&self, limit: usize) -> Vec<EventRow> {
        self.read().told.events.iter().rev().take(limit).cloned().collect()
    }

    /// Events with a number above `after`, oldest first.
    #[must_use]
    pub fn events_after(&self, after: u64) -> Vec<EventRow> {
        self.read().told.events.iter().filter(|event| event.number > after).cloned().collect()
    }

    /// The newest episodes, newest first.
    #[must_use]
    pub fn episodes(&self, limit: usize) -> Vec<Episode> {
        self.read().told.episodes.values().rev().take(limit).cloned().collect()
    }

    /// Puts what earlier runs have told before what this one has; of an episode that both know,
    /// this one knows more.
    pub fn precede(&self, Past(past): Past) {
        let mut state = self.write();
        let told = &mut state.told;
        for (key, episode) in past.episodes {
            told.episodes.entry(key).or_insert(episode);
        }
        while told.episodes.len() > EPISODES_MAX {
            told.episodes.pop_first();
        }
        let room = EVENTS_MAX.saturating_sub(told.events.len());
        let left_out = past.events.len().saturating_sub(room);
        let kept = past.events.into_iter().zip(1..).skip(left_out);
        for (event, number) in kept.collect::<Vec<_>>().into_iter().rev() {
            told.events.push_front(EventRow { number, ..event });
        }
    }

    fn take(&self, batch: &Batch) {
        if batch.table.name() == "_events" {
            self.write().told.take(&batch.rows);
        } else if !batch.table.signals().is_empty() {
            self.take_samples(batch);
        }
    }

    fn take_samples(&self, batch: &Batch) {
        let rows = batch.rows.num_rows();
        let senders = batch.source_addresses();
        // Only the last row of each sender is the last sample.
        let mut last_rows: BTreeMap<u8, usize> = BTreeMap::new();
        for row in 0..rows {
            let sender = senders.and_then(|senders| senders.get(row)).copied().unwrap_or(0);
            last_rows.insert(sender, row);
        }
        let change = self.changes.load(Ordering::Acquire) + 1;
        for (sender, last) in last_rows {
            let sender_of = senders.map(|_| sender);
            let Some(numbers) = self.catalog.numbers(&batch.table, sender_of) else { continue };
            // Their last samples are of another unit or type.
            numbers.turned.iter().for_each(|id| self.put(*id as usize, None));
            let of_sender = |row: usize| senders.is_none_or(|s| s.get(row) == Some(&sender));
            for (place, id) in numbers.of.iter().enumerate() {
                // A multiplexed signal is absent from most rows: look back to its last one.
                let column = batch.column(place);
                let flaw_at =
                    |row: usize| {
                        batch.flaws.iter().rev().find(|flaw| {
                            flaw.row as usize == row && usize::from(flaw.signal) == place
                        })
                    };
                let told = (0..=last)
                    .rev()
                    .filter(|row| of_sender(*row))
                    .find(|row| !column.is_null(*row) || flaw_at(*row).is_some());
                let Some(row) = told else { continue };
                let quality = flaw_at(row).map(|flaw| flaw.quality).unwrap_or_default();
                let (value, text) = value_of(column, row);
                let ts = batch.timestamps().get(row).copied().unwrap_or_default();
                let sample = Sample {
                    ts: Timestamp::from_micros(ts),
                    value,
                    text,
                    class: quality.class,
                    reason: quality.reason,
                    change,
                };
                self.put(*id as usize, Some(sample));
            }
        }
        self.changes.store(change, Ordering::Release);
    }

    fn put(&self, id: usize, sample: Option<Sample>) {
        let mut state = self.write();
        if state.samples.len() <= id {
            state.samples.resize(id + 1, None);
        }
        if let Some(slot) = state.samples.get_mut(id) {
            *slot = sample;
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn value_of(column: &ArrayRef, row: usize) -> (f64, Option<Arc<str>>) {
    if column.is_null(row) {
        return (f64::NAN, None);
    }
    if *column.data_type() == DataType::Utf8 {
        return (f64::NAN, Some(Arc::from(column.as_string::<i32>().value(row))));
    }
    let value = numbers(&column.slice(row, 1)).and_then(|values| values.first().copied().flatten());
    (value.unwrap_or(f64::NAN), None)
}

fn event_of(rows: &RecordBatch, row: usize) -> Option<EventRow> {
    let text = |name: &str| {
        let column = rows.column_by_name(name)?;
        let text = column.as_string_opt::<i32>()?;
        (!text.is_null(row)).then(|| text.value(row).to_owned())
    };
    let times = rows.column_by_name("ts")?.as_primitive_opt::<TimestampMicrosecondType>()?;
    Some(EventRow {
        ts_us: times.value(row),
        kind: text("kind")?,
        severity: text("severity")?,
        source: text("source")?,
        message: text("message")?,
        details: serde_json::from_str(&text("details")?).unwrap_or_default(),
        number: 0,
    })
}

#[cfg(test)]
mod tests;
