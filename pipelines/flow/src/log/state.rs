//! What the appender thread, readers and cursors of a log share: the queue in front of the files,
//! the newest records in memory, the segments.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use signals::{Clock, Disk, Offset};

use super::cursor::Place;
use super::segment::Segment;
use super::tail::Tail;
use super::{Codec, Entry, LogCounts, LogError, LogOptions};

/// Everything the appender thread, readers and cursors share.
pub(super) struct Shared<R> {
    pub(super) options: LogOptions,
    pub(super) disk: Arc<dyn Disk>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) codec: Arc<dyn Codec<R>>,
    pub(super) state: Mutex<State<R>>,
    /// Rung when there is work for the appender.
    pub(super) work: Condvar,
    /// Rung when `durable` has moved or the log has closed.
    pub(super) moved: Condvar,
}

pub(super) struct State<R> {
    pub(super) next: Offset,
    pub(super) durable: Offset,
    pub(super) queue: VecDeque<Entry<R>>,
    pub(super) queue_bytes: usize,
    /// Since when the oldest queued record has waited.
    pub(super) queue_since: Option<Instant>,
    pub(super) tail: Tail<R>,
    pub(super) segments: Vec<Segment>,
    /// Where a frame ends in its segment: the next reading starts there. Bounded, newest last.
    pub(super) places: VecDeque<(Offset, PathBuf, u64)>,
    pub(super) cursors: BTreeMap<String, Arc<Place>>,
    pub(super) sync_wanted: bool,
    pub(super) closing: bool,
    pub(super) closed: bool,
    pub(super) last_error: Option<String>,
    pub(super) counts: LogCounts,
}

impl<R> Shared<R> {
    /// Of a log whose next record gets the offset `next`, with the segments found.
    pub(super) fn new(
        options: LogOptions,
        (disk, clock): (Arc<dyn Disk>, Arc<dyn Clock>),
        codec: Arc<dyn Codec<R>>,
        (next, segments): (Offset, Vec<Segment>),
    ) -> Self {
        Self {
            state: Mutex::new(State::new(
                next,
                segments,
                Tail::new(options.tail_bytes, options.tail_age),
            )),
            options,
            disk,
            clock,
            codec,
            work: Condvar::new(),
            moved: Condvar::new(),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State<R>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn enqueue(&self, state: &mut State<R>, record: R) -> Offset {
        let offset = state.next;
        state.next = offset.next();
        state.queue_bytes += self.codec.size(&record);
        state.queue_since.get_or_insert_with(Instant::now);
        state.queue.push_back(Entry { offset, record: Arc::new(record) });
        self.work.notify_all();
        offset
    }

    pub(super) fn closed_error(&self) -> LogError {
        LogError::Closed { folder: self.options.folder.clone() }
    }

    pub(super) fn io_error(&self, doing: &'static str, source: io::Error) -> LogError {
        LogError::Io { folder: self.options.folder.clone(), doing, source }
    }
}

/// Places remembered for readers on disk: a few cursors that catch up at a time.
const PLACES_MAX: usize = 16;

impl<R> State<R> {
    pub(super) fn new(next: Offset, segments: Vec<Segment>, tail: Tail<R>) -> Self {
        Self {
            next,
            durable: next,
            queue: VecDeque::new(),
            queue_bytes: 0,
            queue_since: None,
            tail,
            segments,
            places: VecDeque::new(),
            cursors: BTreeMap::new(),
            sync_wanted: false,
            closing: false,
            closed: false,
            last_error: None,
            counts: LogCounts::default(),
        }
    }

    pub(super) fn oldest(&self) -> Offset {
        self.segments.first().map_or(self.durable, |segment| segment.first)
    }

    pub(super) fn remember(&mut self, end: Offset, path: PathBuf, place: u64) {
        self.places.retain(|(offset, _, _)| *offset != end);
        self.places.push_back((end, path, place));
        if self.places.len() > PLACES_MAX {
            self.places.pop_front();
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate for people"
    )]
    pub(super) fn bytes_between(&self, from: Offset, to: Offset) -> u64 {
        let ends = self.segments.iter().skip(1).map(|s| s.first).chain([self.durable]);
        let parts = self.segments.iter().zip(ends).map(|(segment, end)| {
            let inside = to.min(end).since(from.max(segment.first));
            let records = end.since(segment.first).max(1);
            (segment.bytes as f64 * inside as f64 / records as f64) as u64
        });
        parts.sum()
    }
}
