//! What a batch passes on its way into the journal.
//!
//! In: batches from adapters. Out: the same batches in the journal, a row of `_quality` for
//! every change of a signal's quality, and a row of `_gaps` for every interval that a full
//! journal could not take. Nothing is dropped here without such a row. Adapters' own events and
//! gaps come this way too.
//!
//! - C-1 A change of quality stands in the journal before the first row it holds for.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::Array as _;
use signals::{Batch, Gap, Intake, Notice, Quality, Table, Timestamp};

use crate::event_log::EventLog;
use crate::gap_log::{GapLog, OVERLOAD};
use crate::log::{Log, Refused};
use crate::system::{Cell, SystemRows};

/// The way into the journal.
pub struct JournalIntake {
    journal: Log<Batch>,
    events: EventLog,
    state: Mutex<State>,
    refused: AtomicU64,
}

struct State {
    quality: QualityLedger,
    gaps: GapLog,
    /// Tables whose batches are being refused, with the first time that was lost.
    open_gaps: HashMap<String, (Timestamp, u64)>,
}

impl JournalIntake {
    /// An intake for the journal of these gaps, whose `_events` are written by `events`.
    #[must_use]
    pub fn new(gaps: GapLog, events: EventLog) -> Self {
        let journal = gaps.journal().clone();
        let state = State { quality: QualityLedger::new(), gaps, open_gaps: HashMap::new() };
        Self { journal, events, state: Mutex::new(state), refused: AtomicU64::new(0) }
    }

    /// Batches refused since the start.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

impl Intake for JournalIntake {
    fn offer(&self, batch: Batch) -> Result<(), Box<Batch>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(first) = batch.first_ts() else { return Ok(()) };
        let changes = state.quality.changes(&batch);
        let name = batch.table.name().to_owned();
        let rows = batch.rows.num_rows() as u64;
        // What is known of a row's quality stands before the row: whoever sees one sees the other.
        let is_told = changes.is_none_or(|changes| self.journal.offer(changes).is_ok());
        let offered = if is_told { self.journal.offer(batch) } else { Err(Refused(batch)) };
        if !is_told {
            state.quality.forget(&name);
        }
        match offered {
            Err(Refused(batch)) => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                let gap = state.open_gaps.entry(name).or_insert((first, 0));
                gap.1 += rows;
                return Err(Box::new(batch));
            }
            Ok(_) => {
                if let Some((start, lost)) = state.open_gaps.remove(&name) {
                    state.report_gap(&name, (start, first, lost));
                }
            }
        }
        Ok(())
    }

    fn tell(&self, notice: Notice) -> Result<(), Box<Notice>> {
        match notice {
            Notice::Event(event) => {
                if self.events.offer(std::slice::from_ref(&event)) {
                    return Ok(());
                }
                Err(Box::new(Notice::Event(event)))
            }
            Notice::Gap(gap) => {
                let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
                if state.gaps.offer(std::slice::from_ref(&gap)) {
                    return Ok(());
                }
                Err(Box::new(Notice::Gap(gap)))
            }
        }
    }
}

impl State {
    fn report_gap(&mut self, table: &str, (start, end, lost): (Timestamp, Timestamp, u64)) {
        let gap = Gap {
            table: table.to_owned(),
            start: Some(start),
            end: Some(end),
            cause: OVERLOAD,
            detail: format!("{lost} rows were refused because the journal's queue was full"),
        };
        tracing::error!(table, lost, %start, %end, "rows lost: the journal's queue was full");
        if !self.gaps.offer(&[gap]) {
            // Still full: the gap goes on and is reported when there is room.
            self.open_gaps.insert(table.to_owned(), (start, lost));
        }
    }
}

/// The last quality of every signal, to notice changes.
struct QualityLedger {
    rows: SystemRows,
    /// By table and sender.
    last: HashMap<(String, u8), Known>,
}

/// What is known of one table and sender.
struct Known {
    /// The table as it was last.
    table: Arc<Table>,
    qualities: Vec<Option<Quality>>,
}

impl QualityLedger {
    fn new() -> Self {
        Self { rows: SystemRows::quality(), last: HashMap::new() }
    }

    /// Tells all of a table again with its next batch: what was to be told found no room.
    fn forget(&mut self, table: &str) {
        self.last.retain(|(name, _), _| name != table);
    }

    /// Rows of `_quality` for what this batch changes. The first sample of a signal after the
    /// start is a change.
    fn changes(&mut self, batch: &Batch) -> Option<Batch> {
        if batch.table.signals().is_empty() {
            return None;
        }
        let mut changed = Vec::new();
        let senders = batch.source_addresses();
        let mut flaws = batch.flaws.iter().peekable();
        for (row, micros) in batch.timestamps().iter().enumerate() {
            let sender = senders.and_then(|s| s.get(row)).copied().unwrap_or(0);
            let mut of_row: Vec<(u16, Quality)> = Vec::new();
            while let Some(flaw) = flaws.next_if(|flaw| flaw.row as usize == row) {
                of_row.push((flaw.signal, flaw.quality));
            }
            let key = (batch.table.name().to_owned(), sender);
            let known = self.last.entry(key).or_insert_with(|| Known {
                table: Arc::clone(&batch.table),
                qualities: Vec::new(),
            });
            known.turn_to(&batch.table);
            let last = &mut known.qualities;
            last.resize(batch.table.signals().len(), None);
            if of_row.is_empty() && last.iter().all(|q| *q == Some(Quality::GOOD)) {
                continue;
            }
            for (place, last) in last.iter_mut().enumerate() {
                let flaw = of_row.iter().find(|(signal, _)| usize::from(*signal) == place);
                let now = match flaw {
                    Some((_, quality)) => *quality,
                    // Absent by design: nothing is said about its quality.
                    None if batch.column(place).is_null(row) => continue,
                    None => Quality::GOOD,
                };
                if *last != Some(now) {
                    *last = Some(now);
                    changed.push(row_of(&batch.table, (place, sender), *micros, now));
                }
            }
        }
        self.rows.batch(&changed)
    }
}

impl Known {
    /// Goes on with a changed table: signals of the same path keep their quality.
    fn turn_to(&mut self, table: &Arc<Table>) {
        if Arc::ptr_eq(&self.table, table) {
            return;
        }
        let before = std::mem::replace(&mut self.table, Arc::clone(table));
        let paths = before.signals().iter().map(|signal| signal.path);
        let last: HashMap<&str, Option<Quality>> =
            paths.zip(self.qualities.iter().copied()).collect();
        let quality = |path| last.get(path).copied().flatten();
        self.qualities = table.signals().iter().map(|signal| quality(signal.path)).collect();
    }
}

fn row_of(
    table: &Arc<Table>,
    (place, sender): (usize, u8),
    micros: i64,
    quality: Quality,
) -> (Timestamp, Vec<Cell>) {
    let at = Timestamp::from_micros(micros);
    let path = table.signals().get(place).map_or("", |signal| signal.path);
    let path = if table.by_source_address() { format!("{path}@{sender}") } else { path.to_owned() };
    let cells = vec![
        Cell::from(at),
        Cell::from(path),
        Cell::from(quality.class.as_str()),
        Cell::from(quality.reason.to_string()),
    ];
    (at, cells)
}

#[cfg(test)]
mod tests;
