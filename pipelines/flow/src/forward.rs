//! Forward: aggregates, events and samples in the journal → envelopes in an outbox.
//!
//! In: records of the journal. Out: per stream an outbox log whose offsets are the messages'
//! `seq`. The bytes of a message are made here, once; whatever is sent again later is the same.
//!
//! - F-1 `seq` is gapless per stream and survives restarts: it is the outbox's offset.
//! - F-2 Every record of the stream becomes its messages exactly once, wherever forwarding was
//!   stopped, also between two messages of one record. What the journal has given up before it was
//!   read is counted and told.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use signals::{Batch, Envelope, Event, Offset, Severity, Stop};

use crate::aggregate::Trail;
use crate::event_log::EventLog;
use crate::log::{Cursor, Entry, Log, LogError};
use crate::uplink::Link;

mod payload;
mod samples;

pub use payload::PAYLOAD_BYTES_MAX;
pub use samples::Rules;
use samples::Selection;

/// Records read at a time.
const CHUNK: usize = 256;
/// How long to wait for new records before looking at the stop signal again.
const PATIENCE: Duration = Duration::from_millis(200);
/// How long to wait after a failure.
const PAUSE: Duration = Duration::from_secs(1);

/// Where reading begins again to know what samples are compared with.
const SINCE: &str = "forward-samples-since";

/// How often that place is moved.
const SINCE_INTERVAL: Duration = Duration::from_secs(5);

/// What of the journal is forwarded, each in an outbox of its own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stream {
    /// Windows of `_aggregates_*`: one message per window, table and source address; more when
    /// it would be too long.
    Aggregates,
    /// Rows of `_events`: one message each.
    Events,
    /// Samples of the signals that have a rule in [`Forward::rules`], reduced by it: one message
    /// per record and source address.
    Samples,
}

impl Stream {
    /// The stream's name in topics and payloads.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aggregates => "aggregates",
            Self::Events => "events",
            Self::Samples => "samples",
        }
    }
}

/// Why forwarding stands still.
#[derive(Debug, thiserror::Error)]
pub enum ForwardError {
    /// The journal or the outbox.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Somebody else writes to the outbox.
    #[error(
        "stream {stream}: the outbox gave {given} where {expected} was next; only one forwarder may write to it, stop the other"
    )]
    Shared {
        /// The stream.
        stream: &'static str,
        /// The offset that was next.
        expected: Offset,
        /// The offset that was given.
        given: Offset,
    },
}

/// What is known of a forwarder's work since its start.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ForwardVitals {
    /// The next record of the journal to be read.
    pub position: Offset,
    /// Messages made.
    pub messages: u64,
    /// Records the journal gave up before they were read.
    pub missed: u64,
    /// Samples left out because they were not newer than the one before them.
    pub late: u64,
    /// Whether the outbox is full, and the journal is not read because of it.
    pub is_held: bool,
    /// Why the last attempt failed; `None` while all is well.
    pub last_error: Option<String>,
}

/// One stream's way from the journal to its outbox. One thread calls [`Forward::run`].
#[derive(Debug)]
pub struct Forward {
    /// The gateway's id, part of every message.
    pub gateway: String,
    /// What is forwarded.
    pub stream: Stream,
    /// Where from.
    pub journal: Log<Batch>,
    /// Where to. Nobody else may add to it.
    pub outbox: Log<Envelope>,
    /// Which samples are sent, for [`Stream::Samples`].
    pub rules: Rules,
    /// The links of all uplinks: a message made while one is down carries `"backlog": true`.
    pub links: Vec<Arc<Link>>,
    /// Bytes of the outbox from which on the journal is not read; `None` when the outbox gives up
    /// its oldest messages instead.
    pub hold_bytes: Option<u64>,
    /// Where records that are missed are told.
    pub events: EventLog,
    /// Its vitals, to be read while it runs.
    pub vitals: Arc<Mutex<ForwardVitals>>,
}

impl Forward {
    /// Forwards until `stop` is raised or a log is closed. Failures are retried.
    ///
    /// Its cursor in the journal is called `forward-aggregates`, `forward-events` or
    /// `forward-samples`; a second one, `forward-samples-since`, stands where reading must begin
    /// again to know what the samples to come are compared with.
    pub fn run(&self, stop: &Stop) {
        while !stop.is_raised() {
            match self.follow(stop) {
                Ok(()) => {}
                Err(ForwardError::Log(LogError::Closed { .. })) => return,
                Err(err) => {
                    tracing::warn!(stream = self.stream.name(), %err, "forwarding stands still; trying again");
                    self.update(|vitals| vitals.last_error = Some(err.to_string()));
                    let _stopped = stop.wait(PAUSE);
                }
            }
        }
    }

    /// The names of its cursors in the journal.
    #[must_use]
    pub fn cursors(stream: Stream) -> Vec<String> {
        let since = (stream == Stream::Samples).then(|| SINCE.to_owned());
        [format!("forward-{}", stream.name())].into_iter().chain(since).collect()
    }

    fn follow(&self, stop: &Stop) -> Result<(), ForwardError> {
        let mut run = Run::begin(self)?;
        self.update(|vitals| vitals.last_error = None);
        while !stop.is_raised() {
            let is_held = self.hold_bytes.is_some_and(|max| self.outbox.bytes() >= max);
            self.update(|vitals| vitals.is_held = is_held);
            if is_held {
                let _stopped = stop.wait(PATIENCE);
                continue;
            }
            let (records, messages) = run.step()?;
            self.update(|vitals| {
                vitals.position = run.position;
                vitals.messages += messages;
                vitals.late = run.selection.as_ref().map_or(0, Selection::late);
            });
            if records == 0 {
                let _durable = self.journal.wait_past(run.position, PATIENCE);
            }
        }
        // What is committed and not written yet only costs reading again.
        if let Err(err) = run.flush() {
            tracing::warn!(stream = self.stream.name(), %err, "forwarding's cursor is older than it could be");
        }
        Ok(())
    }

    /// Counts records that the journal gave up before they were read, and tells of them. That they
    /// were of this stream is not known: they are gone.
    fn tell_missed(&self, from: Offset, to: Offset) {
        let (stream, records) = (self.stream.name(), to.since(from));
        self.update(|vitals| vitals.missed += records);
        let last = to.0.saturating_sub(1);
        let event = Event {
            ts: self.journal.now(),
            kind: "records_not_forwarded".to_owned(),
            severity: Severity::Alarm,
            source: format!("forward-{stream}"),
            message: format!(
                "{records} records of the journal, {from} to {last}, were given up before they \
                 became messages of {stream}; raise `journal.bytes_max`, or mend the link"
            ),
            details: serde_json::json!({
                "stream": stream, "first": from.0, "last": last, "records": records,
            }),
        };
        tracing::error!(stream, "{}", event.message);
        if !self.events.offer(&[event]) {
            tracing::warn!(stream, "the journal has no room for an event");
        }
    }

    fn update(&self, change: impl FnOnce(&mut ForwardVitals)) {
        change(&mut self.vitals.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// The state between two starts.
struct Run<'a> {
    way: &'a Forward,
    cursor: Cursor,
    position: Offset,
    /// Messages of the record at `position` that are in the outbox already.
    done: usize,
    trail: Trail,
    /// Of samples alone: what they are compared with, and where that begins.
    selection: Option<Selection>,
    since: Option<Cursor>,
    since_trail: Trail,
    /// Where `since` may stand, once it is on disk how far this has come.
    settled: Option<Offset>,
    flushed: Instant,
}

impl<'a> Run<'a> {
    /// Finds where forwarding was stopped: behind the last message in the outbox.
    fn begin(way: &'a Forward) -> Result<Self, ForwardError> {
        // Messages that an earlier run in this process appended count as well.
        let end = way.outbox.sync()?;
        let cursor = way.journal.cursor(&format!("forward-{}", way.stream.name()));
        let (position, done) = match last_source(&way.outbox, end)? {
            Some((source, count)) if source >= cursor.at() => (source, count),
            Some(_) | None => (cursor.at(), 0),
        };
        let mut run = Self {
            way,
            cursor,
            position,
            done,
            trail: Trail::default(),
            selection: None,
            since: None,
            since_trail: Trail::default(),
            settled: None,
            flushed: Instant::now(),
        };
        if way.stream == Stream::Samples {
            run.remember()?;
        }
        Ok(run)
    }

    /// Reads again what the samples to come are compared with.
    fn remember(&mut self) -> Result<(), ForwardError> {
        let since = self.way.journal.cursor(SINCE);
        let mut selection = Selection::new(self.way.rules.clone());
        let mut at = since.at();
        while at < self.position {
            let entries = self.way.journal.read(at, CHUNK)?;
            let Some(last) = entries.last() else { break };
            at = last.offset.next();
            for entry in entries.iter().filter(|entry| entry.offset < self.position) {
                let _sent = selection.apply(entry.offset, &entry.record);
            }
        }
        (self.selection, self.since) = (Some(selection), Some(since));
        Ok(())
    }

    /// Makes both places durable, in the order in which they may be found.
    fn flush(&mut self) -> std::io::Result<()> {
        self.cursor.flush()?;
        let Some(since) = &self.since else { return Ok(()) };
        if let Some(settled) = self.settled.take() {
            since.commit(settled);
        }
        since.flush()
    }

    /// The messages of a record.
    fn drafts(&mut self, entry: &Entry<Batch>) -> Vec<payload::Draft> {
        let gateway = &self.way.gateway;
        match &mut self.selection {
            None => payload::drafts(gateway, self.way.stream, &entry.record),
            Some(selection) => {
                let chosen = selection.apply(entry.offset, &entry.record);
                payload::of_samples(gateway, &entry.record.table, &chosen)
            }
        }
    }

    /// Reads some records and appends their messages; how many of each.
    fn step(&mut self) -> Result<(usize, u64), ForwardError> {
        let entries = self.way.journal.read(self.position, CHUNK)?;
        let mut messages = 0;
        let mut written = self.way.outbox.next();
        let waits = self.way.links.iter().any(|link| !link.is_up());
        if let Some(first) = entries.first().filter(|first| first.offset > self.position) {
            self.way.tell_missed(self.position, first.offset);
        }
        for entry in &entries {
            let done = if entry.offset == self.position { self.done } else { 0 };
            let drafts = self.drafts(entry);
            for draft in drafts.iter().skip(done) {
                let expected = self.way.outbox.next();
                let payload = draft.render(expected, waits);
                let given = self.way.outbox.append(Envelope { source: entry.offset, payload })?;
                if given != expected {
                    let stream = self.way.stream.name();
                    return Err(ForwardError::Shared { stream, expected, given });
                }
                written = given.next();
                messages += 1;
            }
            self.position = entry.offset.next();
            self.done = 0;
        }
        self.trail.note(written, self.position);
        if let Some(position) = self.trail.settle(self.way.outbox.durable()) {
            self.cursor.commit(position);
        }
        if let (Some(selection), Some(since)) = (&self.selection, &self.since) {
            let needed = selection.needed_from().unwrap_or(self.position);
            self.since_trail.note(written, needed.min(self.position));
            self.settled = self.since_trail.settle(self.way.outbox.durable()).or(self.settled);
            if self.flushed.elapsed() >= SINCE_INTERVAL {
                self.flushed = Instant::now();
                // Never further than the place of what has been read: behind it is what counts.
                if let (Ok(()), Some(settled)) = (self.cursor.flush(), self.settled.take()) {
                    since.commit(settled);
                }
            }
        }
        Ok((entries.len(), messages))
    }
}

/// The record that the last message before `end` was made from, and how many of its messages are
/// there.
fn last_source(outbox: &Log<Envelope>, end: Offset) -> Result<Option<(Offset, usize)>, LogError> {
    let mut reach = 16;
    loop {
        let from = Offset(end.0.saturating_sub(reach)).max(outbox.oldest());
        let mut sources = Vec::new();
        let mut at = from;
        while at < end {
            let entries = outbox.read(at, CHUNK)?;
            let Some(last) = entries.last() else { break };
            at = last.offset.next();
            sources.extend(entries.iter().map(|entry| entry.record.source));
        }
        let Some(&last) = sources.last() else { return Ok(None) };
        let count = sources.iter().rev().take_while(|source| **source == last).count();
        if count < sources.len() || from <= outbox.oldest() {
            return Ok(Some((last, count)));
        }
        reach *= 4;
    }
}

#[cfg(test)]
mod tests;
