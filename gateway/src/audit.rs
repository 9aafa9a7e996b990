//! The audit: what was sent to devices, by whom, and what became of it; who came in, and who
//! changed who may.
//!
//! JSON lines in `DATA/audit`, each with the hash of the line before it and its own; files of
//! 4 MiB, at most 16 of them: then the oldest goes, and the chain goes on in the newest.
//!
//! A-1 A record that a method has returned for survives a power cut.
//! A-2 A begin without an end is closed at the next start as `outcome_unknown`, and told.
//! A-3 A changed, removed or inserted record breaks the chain at its place. Records cut off at the
//! end do not: `_events` holds number and hash of each, and goes to the cloud.

mod chain;
mod verify;

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use adapters_modbus::write::{Closing, Intent, Ledger};
use pipelines_flow::event_log::EventLog;
use serde_json::{Value as Json, json};
use signals::{Clock, Disk, DiskFile, Event, Severity};

pub(crate) use chain::hash_of;
use chain::{Found, Link};
pub use verify::{Verdict, verify};

/// Bytes of a file before the next is begun.
const FILE_BYTES: u64 = 4 << 20;
/// Files kept.
const FILES_MAX: usize = 16;
/// Files that are looked through for the newest records.
const LOOKED_AT: usize = 2;

/// The audit of one gateway.
pub struct Audit {
    folder: PathBuf,
    disk: Arc<dyn Disk>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    is_open: bool,
    file: Option<Box<dyn DiskFile>>,
    bytes: u64,
    /// Number and hash of the last record.
    last: Link,
    events: Option<EventLog>,
}

impl Audit {
    /// The audit in `data/audit`, not open yet: nothing can be recorded.
    #[must_use]
    pub fn new(data: &Path, disk: Arc<dyn Disk>, clock: Arc<dyn Clock>) -> Self {
        Self { folder: data.join("audit"), disk, clock, state: Mutex::default() }
    }

    /// Finds the end of the chain and closes what was left open.
    ///
    /// # Errors
    /// When files cannot be read or written.
    pub fn open(&self, events: Option<EventLog>) -> io::Result<()> {
        let found = chain::find_end(&self.folder, &*self.disk)?;
        let Found { last, open, problem } = found;
        {
            let mut state = self.state();
            (state.last, state.events, state.is_open) = (last, events, true);
        }
        if let Some(problem) = problem {
            tracing::error!(
                "audit: {problem}; run `fieldgate audit verify`, and keep a copy of the folder"
            );
        }
        for (begin, intent) in open {
            self.close_left_open(begin, &intent)?;
        }
        Ok(())
    }

    /// A write of an earlier run whose outcome nobody saw.
    fn close_left_open(&self, begin: u64, intent: &Json) -> io::Result<()> {
        let tag = intent.get("tag").and_then(Json::as_str).unwrap_or_default();
        let message = format!(
            "{tag}: the gateway ended before the write was read back; look at the device before \
             writing again"
        );
        tracing::warn!("{message}");
        let closing = json!({
            "begin": begin,
            "at": self.clock.now(),
            "result": "outcome_unknown",
            "detail": message,
            "tag": tag,
        });
        self.append("end", &closing, Some(write(Severity::Advisory, tag, &message)))?;
        Ok(())
    }

    /// Records something about who may, and tells it as an event when there is something to tell;
    /// returns its number once it is durable.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn record(
        &self,
        kind: &str,
        body: &Json,
        told: Option<(Severity, &str)>,
    ) -> io::Result<u64> {
        let told = told.map(|(severity, message)| Told {
            of: "access",
            severity,
            source: "access",
            message,
        });
        self.append(kind, body, told)
    }

    /// The newest records, newest first, at most `limit`. A record that is damaged is left out:
    /// [`verify`] finds it.
    ///
    /// # Errors
    /// When files cannot be read.
    pub fn latest(&self, limit: usize) -> io::Result<Vec<Json>> {
        let mut records = Vec::new();
        for file in chain::files(&self.folder, &*self.disk)?.iter().rev().take(LOOKED_AT) {
            let (lines, _) = chain::lines(file, &*self.disk)?;
            let read = lines.iter().rev().filter_map(|line| chain::read(line));
            records.extend(read.take(limit - records.len()).map(|record| {
                let (number, hash) = (record.link.number, record.link.hash);
                json!({ "n": number, "kind": record.kind, "body": record.body, "hash": hash })
            }));
            if records.len() >= limit {
                break;
            }
        }
        Ok(records)
    }

    /// Records something; returns its number once it is durable.
    fn append(&self, kind: &str, body: &Json, told: Option<Told<'_>>) -> io::Result<u64> {
        let mut state = self.state();
        if !state.is_open {
            return Err(io::Error::other("the audit is not open"));
        }
        let (line, next) = chain::seal(&state.last, kind, body)?;
        let mut file = match state.file.take() {
            Some(file) if state.bytes < FILE_BYTES => file,
            Some(_) | None => {
                state.bytes = 0;
                self.begin_file(next.number)?
            }
        };
        // A file that failed is not written again: it is put back only when all went well.
        file.write_all(line.as_bytes())?;
        file.sync()?;
        state.file = Some(file);
        state.bytes += line.len() as u64;
        let (number, hash) = (next.number, next.hash.clone());
        state.last = next;
        let events = state.events.clone();
        drop(state);
        if let (Some(events), Some(told)) = (events, told) {
            let Told { of, severity, source, message } = told;
            let event = Event {
                ts: self.clock.now(),
                kind: of.to_owned(),
                severity,
                source: source.to_owned(),
                message: message.to_owned(),
                details: json!({ "audit_record": number, "audit_hash": hash, "record": body }),
            };
            if let Err(err) = events.append(&[event]) {
                tracing::warn!("audit: record {number} is not among the events: {err}");
            }
        }
        Ok(number)
    }

    /// A new file, and the oldest gone when there are too many.
    fn begin_file(&self, number: u64) -> io::Result<Box<dyn DiskFile>> {
        let files = chain::files(&self.folder, &*self.disk)?;
        let excess = (files.len() + 1).saturating_sub(FILES_MAX);
        for old in files.iter().take(excess) {
            tracing::info!("audit: {} is removed, 64 MiB are kept", old.display());
            self.disk.remove(old)?;
        }
        self.disk.append(&chain::free_name(&self.folder, number, &files))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ledger for Audit {
    fn begin(&self, intent: &Intent) -> io::Result<u64> {
        self.append("begin", &serde_json::to_value(intent)?, None)
    }

    fn end(&self, begin: u64, closing: &Closing) -> io::Result<()> {
        let mut body = serde_json::to_value(closing)?;
        if let Some(fields) = body.as_object_mut() {
            fields.insert("begin".to_owned(), json!(begin));
        }
        let told = write(severity_of(closing), &closing.tag, &closing.detail);
        self.append("end", &body, Some(told)).map(drop)
    }

    fn refuse(&self, intent: &Intent, closing: &Closing) -> io::Result<u64> {
        let body = json!({ "intent": intent, "closing": closing });
        let told = write(Severity::Note, &intent.tag, &closing.detail);
        self.append("refused", &body, Some(told))
    }
}

/// What is told of a record as an event.
struct Told<'a> {
    /// Kind of the event.
    of: &'a str,
    severity: Severity,
    source: &'a str,
    message: &'a str,
}

fn write<'a>(severity: Severity, source: &'a str, message: &'a str) -> Told<'a> {
    Told { of: "write", severity, source, message }
}

/// What an operator should look at, in time.
fn severity_of(closing: &Closing) -> Severity {
    match closing.result.as_str() {
        "confirmed_by_readback" | "acknowledged" => Severity::Note,
        _ => Severity::Advisory,
    }
}

#[cfg(test)]
mod tests;
