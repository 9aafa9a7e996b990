//! What a start leaves in the records: which signals there are, how long the gateway was off,
//! what the journal's recovery found.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use pipelines_flow::disk::RealDisk;
use pipelines_flow::log::Recovery;
use pipelines_flow::system::{Cell, SystemRows};
use pipelines_flow::{Log, lake};
use signals::{Batch, Clock, Offset, SignalRef, Stop, Table, Timestamp, disk};

use crate::live::Past;
use crate::view::View;

/// Files of `_events` that are read at the start for the page.
const EVENT_FILES_MAX: usize = 50;

/// Says what opening a log found, as loudly as it deserves.
pub fn tell_recovery(recovery: &Recovery) {
    let Recovery { next, oldest, segments, torn_bytes, damaged, .. } = recovery;
    if *damaged > 0 {
        tracing::error!(%next, torn_bytes, damaged, "log recovered; damaged commits are lost");
    } else if *torn_bytes > 0 {
        tracing::warn!(%next, torn_bytes, "log recovered; an unfinished commit was cut off");
    } else {
        tracing::info!(%next, %oldest, segments, "log opened");
    }
}

/// Writes rows of `_signals` for signals of these tables that are new or have changed since the
/// last start. A signal of a table with source addresses is one row, whoever will send it.
///
/// # Errors
/// When the record of known signals cannot be written.
pub fn register<'a>(
    tables: impl IntoIterator<Item = &'a Arc<Table>>,
    data: &Path,
    journal: &Log<Batch>,
    clock: &dyn Clock,
) -> anyhow::Result<()> {
    let path = data.join("signals.json");
    let known: BTreeMap<String, (String, i64)> = std::fs::read(&path)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default();
    let now = clock.now();
    let mut rows = Vec::new();
    let mut current = BTreeMap::new();
    let signals = |table: &'a Arc<Table>| table.signals().iter().map(move |s| (table, s));
    for (table, signal) in tables.into_iter().flat_map(signals) {
        let print = serde_json::to_string(&(table.name(), signal, period_us(table)))?;
        let since = match known.get(signal.path) {
            Some((same, since)) if *same == print => *since,
            before => {
                if let Some((_, since)) = before {
                    rows.push((now, closed(signal.path, *since, now)));
                }
                rows.push((now, opened(table, signal, now)));
                now.micros()
            }
        };
        current.insert(signal.path.to_owned(), (print, since));
    }
    for (gone, (_, since)) in known.iter().filter(|(path, _)| !current.contains_key(*path)) {
        rows.push((now, closed(gone, *since, now)));
    }
    if let Some(batch) = SystemRows::signals().batch(&rows) {
        journal.append(batch)?;
        journal.sync()?;
        disk::replace(&RealDisk, &path, &serde_json::to_vec(&current)?)
            .with_context(|| format!("{}: cannot be written", path.display()))?;
    }
    Ok(())
}

/// Time between two rows of a table on a fixed grid.
fn period_us(table: &Table) -> Option<i64> {
    table.period().and_then(|period| i64::try_from(period.as_micros()).ok())
}

fn opened(table: &Table, signal: SignalRef<'_>, now: Timestamp) -> Vec<Cell> {
    let kind = serde_json::to_value(signal.kind).unwrap_or_default();
    vec![
        Cell::from(signal.path),
        Cell::from(table.name()),
        Cell::from(signal.column),
        Cell::from(kind.as_str().unwrap_or_default()),
        Cell::Text(signal.unit.map(str::to_owned)),
        Cell::Text(signal.description.map(str::to_owned)),
        Cell::from(signal.source),
        Cell::from(now),
        Cell::Time(None),
        Cell::Number(period_us(table)),
    ]
}

fn closed(path: &str, since: i64, now: Timestamp) -> Vec<Cell> {
    let mut cells = vec![Cell::from(path)];
    cells.extend(std::iter::repeat_n(Cell::Text(None), 6));
    cells.push(Cell::from(Timestamp::from_micros(since)));
    cells.push(Cell::from(now));
    cells.push(Cell::Number(None));
    cells
}

/// Shows the page the events of earlier runs, up to the journal's offset `end`. A journal that
/// nobody has sealed for a week takes ten seconds to look through: nothing waits for this.
pub fn remember_events(view: &View, end: Offset, stop: &Stop) {
    let mut past = Past::default();
    read_past(view, end, (stop, &mut past));
    view.live.precede(past);
}

fn read_past(view: &View, end: Offset, (stop, past): (&Stop, &mut Past)) {
    let files = match lake::files(&RealDisk, view.historian.lake(), "_events") {
        Ok(files) => files,
        Err(err) => {
            tracing::warn!(%err, "events of earlier runs cannot be listed");
            return;
        }
    };
    let newest = files.len().saturating_sub(EVENT_FILES_MAX);
    for file in files.iter().skip(newest) {
        let mut read = || -> anyhow::Result<()> {
            for rows in
                ParquetRecordBatchReaderBuilder::try_new(File::open(&file.path)?)?.build()?
            {
                past.take(&rows?);
            }
            Ok(())
        };
        if let Err(err) = read() {
            tracing::warn!(path = %file.path.display(), %err, "events of an earlier run left out");
        }
    }
    // What the last run left in the journal without sealing it.
    let sealed = view.historian.sealed();
    let after =
        sealed.iter().filter(|((table, _), _)| table == "_events").map(|(_, seq)| seq.next());
    // Before the historian's cursor everything is in the lake: events are rare, and a journal that
    // waits for an uplink may hold a week in which there was none.
    let sealed_to = view.journal.cursor("historian").at();
    let mut at = after.max().unwrap_or_default().max(sealed_to).max(view.journal.oldest());
    while at < end && !stop.is_raised() {
        let entries = match view.journal.read(at, 1_024) {
            Ok(entries) => entries,
            Err(err) => {
                tracing::warn!(at = at.0, %err, "events of the last run behind that left out");
                return;
            }
        };
        let Some(last) = entries.last() else { return };
        at = last.offset.next();
        for entry in entries.iter().filter(|entry| entry.record.table.name() == "_events") {
            past.take(&entry.record.rows);
        }
    }
}
