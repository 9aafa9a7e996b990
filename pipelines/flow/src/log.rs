//! The log: the only place where something becomes durable. Journal and outboxes are logs.
//!
//! In: records, offered by anybody, numbered without gaps. Out: the durable ones, in order, to
//! any number of cursors. One thread owns the files and commits in groups.
//!
//! - J-1 An offset below [`Log::durable`] survives a power cut.
//! - J-2 Records are read back in the order of their offsets, each at most once per reading.
//! - J-3 A cursor moves only to where its consumer has committed it.
//! - J-4 A log always opens: a torn tail is cut, damage is walked over, both are told.
//! - J-5 The queue, the tail in memory and the files on disk are bounded; what is given up
//!   because a bound was reached is counted.

use std::any::Any;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use signals::{Clock, Disk, Offset, Timestamp};

mod chain;
mod cursor;
mod frame;
mod options;
mod reader;
mod segment;
mod state;
mod tail;
mod unpack;
mod writer;

pub use cursor::Cursor;
pub use options::{JOURNAL_PART, LogCounts, LogError, LogOptions, OUTBOX_PART, Recovery};
pub use reader::LogView;
use state::Shared;

/// How a kind of record becomes bytes and comes back.
pub trait Codec<R>: Send + Sync {
    /// Appends the record's bytes to `out`.
    ///
    /// # Errors
    /// What is wrong with the record or with the files the codec keeps.
    fn encode(&self, record: &R, out: &mut Vec<u8>) -> io::Result<()>;

    /// Roughly how many bytes a record takes, without encoding it.
    fn size(&self, record: &R) -> usize;

    /// How many bytes a record takes in memory: for a small batch of many columns far more than
    /// its content.
    fn memory(&self, record: &R) -> usize;

    /// The record of some bytes.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    fn decode(&self, bytes: &[u8]) -> io::Result<R>;

    /// How the records of a commit are written together; `None` when each stands by itself.
    fn groups(&self) -> Option<&dyn GroupCodec<R>> {
        None
    }
}

/// How the records of a commit become bytes together, and come back.
pub trait GroupCodec<R>: Send + Sync {
    /// An encoder for the commits of one segment.
    fn encoder(&self) -> Box<dyn GroupEncoder<R>>;

    /// What [`GroupEncoder::reference`] has made.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    fn reference(&self, bytes: &[u8]) -> io::Result<Reference>;

    /// The records of a commit in order, each by itself where one cannot be had.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    fn decode_all(&self, bytes: &[u8], reference: &Reference) -> io::Result<Vec<io::Result<R>>>;
}

/// What a group needs to be read, beside its own bytes. Each codec has its own.
pub type Reference = Arc<dyn Any + Send + Sync>;

/// Makes the bytes of one commit after the other.
pub trait GroupEncoder<R> {
    /// What is known once these records have been seen; later groups are written against it.
    ///
    /// # Errors
    /// As [`Codec::encode`].
    fn reference(&mut self, records: &[Arc<R>]) -> io::Result<Vec<u8>>;

    /// Appends the bytes of a commit's records.
    ///
    /// # Errors
    /// As [`Codec::encode`].
    fn encode(&mut self, records: &[Arc<R>], out: &mut Vec<u8>) -> io::Result<()>;
}

/// A record and its place.
#[derive(Debug)]
pub struct Entry<R> {
    /// The record's offset.
    pub offset: Offset,
    /// The record.
    pub record: Arc<R>,
}

impl<R> Clone for Entry<R> {
    fn clone(&self) -> Self {
        Self { offset: self.offset, record: Arc::clone(&self.record) }
    }
}

/// A record that found no room, given back.
#[derive(Debug)]
pub struct Refused<R>(pub R);

/// A durable sequence of records. Cheap to clone; the files are closed with the last clone.
pub struct Log<R: Send + Sync + 'static> {
    shared: Arc<Shared<R>>,
    owner: Arc<Owner<R>>,
}

impl<R: Send + Sync + 'static> Clone for Log<R> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), owner: Arc::clone(&self.owner) }
    }
}

impl<R: Send + Sync + 'static> std::fmt::Debug for Log<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log").field("folder", &self.shared.options.folder).finish_non_exhaustive()
    }
}

/// Everything about a log but its thread: what is there, recovered.
fn prepare<R: Send + Sync>(
    options: LogOptions,
    files: (Arc<dyn Disk>, Arc<dyn Clock>),
    codec: Arc<dyn Codec<R>>,
) -> Result<(Arc<Shared<R>>, Recovery), LogError> {
    let folder = options.folder.clone();
    let failed = |doing| {
        let folder = folder.clone();
        move |source| LogError::Io { folder, doing, source }
    };
    let disk = &*files.0;
    let mut segments = segment::list(disk, &folder).map_err(failed("listing segments"))?;
    let mut recovery = writer::recover(disk, &mut segments).map_err(failed("recovery"))?;
    // What a consumer has committed was durable: if it is not there, the disk has lost it, and
    // its offsets are not given out again.
    let passed = cursor::greatest(disk, &folder);
    if recovery.next < passed {
        recovery.lost = passed.since(recovery.next);
        recovery.damaged += 1;
    }
    let next = recovery.next.max(passed).max(options.next_min);
    if segments.is_empty() {
        recovery.oldest = next;
    }
    recovery.next = next;
    Ok((Arc::new(Shared::new(options, files, codec, (next, segments))), recovery))
}

/// Joins the appender when the last handle goes.
struct Owner<R> {
    shared: Arc<Shared<R>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl<R: Send + Sync + 'static> Log<R> {
    /// Opens a log, or makes one, and starts its appender thread.
    ///
    /// # Errors
    /// [`LogError::Io`] when the folder cannot be read or a torn tail cannot be cut. Damage is
    /// never an error.
    pub fn open(
        options: LogOptions,
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        codec: Arc<dyn Codec<R>>,
    ) -> Result<(Self, Recovery), LogError> {
        let (shared, recovery) = prepare(options, (disk, clock), codec)?;
        let thread = std::thread::Builder::new()
            .name("log".to_owned())
            .spawn({
                let shared = Arc::clone(&shared);
                move || writer::run(&shared)
            })
            .map_err(|err| shared.io_error("starting the appender thread", err))?;
        let owner = Owner { shared: Arc::clone(&shared), thread: Mutex::new(Some(thread)) };
        Ok((Self { shared, owner: Arc::new(owner) }, recovery))
    }

    /// The offset the next record will get.
    #[must_use]
    pub fn next(&self) -> Offset {
        self.shared.state().next
    }

    /// Everything before this offset survives a power cut.
    #[must_use]
    pub fn durable(&self) -> Offset {
        self.shared.state().durable
    }

    /// The first offset still kept.
    #[must_use]
    pub fn oldest(&self) -> Offset {
        self.shared.state().oldest()
    }

    /// Queues a record for the next commit. Never waits.
    ///
    /// # Errors
    /// The record itself when the queue is full or the log is closed; counted.
    pub fn offer(&self, record: R) -> Result<Offset, Refused<R>> {
        let mut state = self.shared.state();
        if state.closing || state.queue.len() >= self.shared.options.queue_records_max {
            state.counts.refused += 1;
            return Err(Refused(record));
        }
        Ok(self.shared.enqueue(&mut state, record))
    }

    /// Queues a record, waiting for room. It is durable once [`Log::durable`] has passed it.
    ///
    /// # Errors
    /// [`LogError::Closed`].
    pub fn append(&self, record: R) -> Result<Offset, LogError> {
        let mut state = self.shared.state();
        while !state.closing && state.queue.len() >= self.shared.options.queue_records_max {
            state = self.shared.moved.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.closing {
            return Err(self.shared.closed_error());
        }
        Ok(self.shared.enqueue(&mut state, record))
    }

    /// Waits until everything offered so far is durable.
    ///
    /// # Errors
    /// [`LogError::Closed`] when the log closes before that.
    pub fn sync(&self) -> Result<Offset, LogError> {
        let mut state = self.shared.state();
        let wanted = state.next;
        while state.durable < wanted {
            if state.closed {
                return Err(self.shared.closed_error());
            }
            state.sync_wanted = true;
            self.shared.work.notify_all();
            state = self.shared.moved.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        Ok(state.durable)
    }

    /// Waits until something at or behind `offset` is durable, at most `span`.
    ///
    /// Returns [`Log::durable`].
    #[must_use]
    pub fn wait_past(&self, offset: Offset, span: Duration) -> Offset {
        let until = Instant::now() + span;
        let mut state = self.shared.state();
        while state.durable <= offset && !state.closed {
            let rest = until.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                break;
            }
            let waited = self.shared.moved.wait_timeout(state, rest);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.durable
    }

    /// Durable records from `from` on, in order, at most `limit` (at least one if there is one).
    ///
    /// Offsets jump where records were evicted or cannot be read; that is counted.
    ///
    /// # Errors
    /// [`LogError::Io`].
    pub fn read(&self, from: Offset, limit: usize) -> Result<Vec<Entry<R>>, LogError> {
        reader::read(&self.shared, from, limit)
    }

    /// The cursor of this name: where its consumer has got to. New ones stand at the oldest
    /// record. Segments are kept until all cursors have passed them.
    #[must_use]
    pub fn cursor(&self, name: &str) -> Cursor {
        let mut state = self.shared.state();
        let oldest = state.oldest();
        let place = state.cursors.entry(name.to_owned()).or_insert_with(|| {
            cursor::Place::load(&self.shared.disk, &self.shared.options.folder, name, oldest)
        });
        Cursor::new(Arc::clone(place))
    }

    /// Bytes on disk of the records from `from` to `to`, approximately.
    #[must_use]
    pub fn bytes_between(&self, from: Offset, to: Offset) -> u64 {
        self.shared.state().bytes_between(from, to)
    }

    /// Bytes of all segments.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.shared.state().segments.iter().map(|segment| segment.bytes).sum()
    }

    /// Bytes that all segments together may have.
    #[must_use]
    pub fn bytes_max(&self) -> u64 {
        self.shared.options.bytes_max
    }

    /// Number of segments.
    #[must_use]
    pub fn segments(&self) -> usize {
        self.shared.state().segments.len()
    }

    /// The time by the log's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// Counters since the log was opened.
    #[must_use]
    pub fn counts(&self) -> LogCounts {
        self.shared.state().counts
    }

    /// Why the last commit failed; `None` while all is well.
    #[must_use]
    pub fn last_error(&self) -> Option<String> {
        self.shared.state().last_error.clone()
    }

    /// Commits what is queued, flushes cursors, stops the appender. Later offers are refused.
    pub fn close(&self) {
        self.owner.close();
    }
}

impl<R> Owner<R> {
    fn close(&self) {
        {
            let mut state = self.shared.state();
            state.closing = true;
            self.shared.work.notify_all();
        }
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!(
                folder = %self.shared.options.folder.display(),
                "the appender thread of the log has panicked; records still queued are lost"
            );
        }
        let mut state = self.shared.state();
        state.closed = true;
        self.shared.moved.notify_all();
    }
}

impl<R> Drop for Owner<R> {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod crashes;
#[cfg(test)]
mod damage;
#[cfg(test)]
mod groups;
#[cfg(test)]
pub(crate) mod stepped;
#[cfg(test)]
mod tests;
