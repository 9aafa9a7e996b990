//! The appender: the one thread that writes a log's files.

use std::io::{self, Write as _};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use signals::{Disk, DiskFile, Offset};

use super::chain::{self, Chain};
use super::frame::{self, Frame};
use super::segment::{self, Segment};
use super::{Codec, Entry, Recovery, Shared};

/// Committed cursors reach the disk this often: a balance of wear against records seen twice.
const CURSOR_INTERVAL: Duration = Duration::from_secs(5);
/// Pause after a failed commit: a full disk does not become less full by hammering it.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// Share of the interval after which a commit begins, so that it ends within it.
const COMMIT_BEGINS: f64 = 0.9;
/// Records of one commit; a queue half full is committed before its interval is over.
const COMMIT_RECORDS_MAX: usize = 8_192;
/// Bytes, roughly, behind which a commit takes no more records: what it becomes stays readable
/// (`frame::PAYLOAD_BYTES_MAX`), and what encoding it takes of memory is bounded.
const COMMIT_BYTES_MAX: usize = 16 << 20;

/// Cuts a torn tail off the newest segment and says what there is.
pub(super) fn recover(disk: &dyn Disk, segments: &mut Vec<Segment>) -> io::Result<Recovery> {
    let mut recovery = Recovery::default();
    // Newest first: a segment without one whole commit holds nothing; the one before it decides.
    let mut empty = Vec::new();
    let mut last = None;
    while let Some(newest) = segments.last() {
        let scanned = segment::scan(disk, newest)?;
        recovery.damaged += scanned.damaged;
        recovery.torn_bytes += scanned.torn_bytes;
        last = scanned.last.map(|frame| (frame, scanned.bytes));
        if last.is_some() {
            break;
        }
        // Its name still says which offsets were given away before it.
        recovery.next = recovery.next.max(newest.first);
        empty.extend(segments.pop());
    }
    match last {
        Some((last, whole_bytes)) => {
            recovery.next = recovery.next.max(last.end());
            recovery.last_commit = Some(last.wall);
            make_durable(disk, segments, &last, whole_bytes)?;
        }
        // All before it is freed: this name alone knows what is next.
        None if !empty.is_empty() => {
            let mut witness = empty.remove(0);
            disk.append(&witness.path)?.truncate(0)?;
            witness.bytes = 0;
            segments.push(witness);
        }
        None => {}
    }
    for segment in empty {
        disk.remove(&segment.path)?;
    }
    recovery.segments = segments.len();
    recovery.oldest = segments.first().map_or(recovery.next, |segment| segment.first);
    Ok(recovery)
}

/// J-1 for the newest commit: a process that was killed may have left it read but not synced, or
/// even with a sync that failed, after which no later sync writes those pages. So it is written
/// again, into a segment of its own; all before it was synced before it was written.
fn make_durable(
    disk: &dyn Disk,
    segments: &mut Vec<Segment>,
    last: &Frame,
    whole_bytes: u64,
) -> io::Result<()> {
    let Some(newest) = segments.last_mut() else { return Ok(()) };
    let path = segment::path_of(newest.folder(), last.first);
    let at = whole_bytes.saturating_sub(last.bytes());
    let bytes = match chain::standing_alone(disk, &newest.path, at, last)? {
        Some(alone) => alone.to_bytes(),
        None => last.to_bytes(),
    };
    match signals::disk::replace(disk, &path, &bytes) {
        Ok(()) if path == newest.path => newest.bytes = bytes.len() as u64,
        Ok(()) => {
            let bytes = bytes.len() as u64;
            segments.push(Segment { first: last.first, path, bytes });
        }
        Err(err) if err.kind() == io::ErrorKind::StorageFull => {
            // What is there must do. It does, unless the killed process had failed to sync it.
            tracing::warn!(path = %newest.path.display(), %err, "log: the last commit cannot be written again");
            let mut file = disk.append(&newest.path)?;
            if newest.bytes > whole_bytes {
                file.truncate(whole_bytes)?;
                newest.bytes = whole_bytes;
            }
            file.sync()?;
        }
        Err(err) => return Err(err),
    }
    Ok(())
}

/// The open segment.
struct Tip<R> {
    file: Box<dyn DiskFile>,
    bytes: u64,
    chain: Option<Chain<R>>,
}

/// The state of the appender between commits.
pub(super) struct Appender<R> {
    tip: Option<Tip<R>>,
}

impl<R> Default for Appender<R> {
    fn default() -> Self {
        Self { tip: None }
    }
}

/// Commits groups until the log closes.
pub(super) fn run<R: Send + Sync>(shared: &Shared<R>) {
    let mut appender = Appender::default();
    let mut cursors_flushed = Instant::now();
    loop {
        wait_for_group(shared);
        let closing = shared.state().closing;
        let done = appender.turn(shared);
        if closing || cursors_flushed.elapsed() >= CURSOR_INTERVAL {
            cursors_flushed = Instant::now();
            tidy(shared);
        }
        match done {
            Turn::Failed if closing => {
                let lost = shared.state().queue.len();
                tracing::error!(folder = %shared.options.folder.display(), lost, "log: closed with records that could not be written; they are lost");
                return;
            }
            Turn::Failed => pause(shared),
            Turn::Done if closing && shared.state().queue.is_empty() => return,
            Turn::Done => {}
        }
    }
}

/// How a turn of the appender went.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Turn {
    /// What was taken from the queue is durable.
    Done,
    /// It is back in the queue.
    Failed,
}

impl<R: Send + Sync> Appender<R> {
    /// Commits one group of what is queued.
    pub(super) fn turn(&mut self, shared: &Shared<R>) -> Turn {
        let group = take_group(shared);
        if group.is_empty() {
            return Turn::Done;
        }
        let Err(err) = commit(shared, &mut self.tip, &group) else { return Turn::Done };
        // The file may hold half a commit, or a whole one that is not durable: never write to it
        // again, and leave nothing in it that was not acknowledged.
        if let Some(Tip { mut file, bytes, .. }) = self.tip.take()
            && let Err(err) = file.truncate(bytes)
        {
            tracing::debug!(%err, "log: what a failed commit has left cannot be cut off");
        }
        report_failure(shared, &err);
        put_back(shared, group);
        Turn::Failed
    }
}

/// Saves cursors and frees segments.
pub(super) fn tidy<R>(shared: &Shared<R>) {
    flush_cursors(shared);
    free_segments(shared);
}

/// Waits a little after a failure; not when the log is closing.
fn pause<R>(shared: &Shared<R>) {
    let until = Instant::now() + RETRY_PAUSE;
    let mut state = shared.state();
    loop {
        let rest = until.saturating_duration_since(Instant::now());
        if rest.is_zero() || state.closing {
            return;
        }
        let waited = shared.work.wait_timeout(state, rest);
        state = waited.unwrap_or_else(PoisonError::into_inner).0;
    }
}

/// Waits until a group is due: its first record has waited its interval, many records wait, or
/// somebody wants a sync. Comes back now and then so that cursors get flushed.
fn wait_for_group<R>(shared: &Shared<R>) {
    let idle_until = Instant::now() + CURSOR_INTERVAL;
    let mut state = shared.state();
    loop {
        let many = state.queue.len() >= COMMIT_RECORDS_MAX
            || state.queue_bytes >= shared.options.sync_bytes;
        // Counted from the arrival of the oldest record, and begun before the interval is over:
        // the commit itself takes its time too.
        let until = state.queue_since.map_or(idle_until, |since| {
            since + shared.options.sync_interval.mul_f64(COMMIT_BEGINS)
        });
        let rest = until.saturating_duration_since(Instant::now());
        if rest.is_zero() || many || state.closing || state.sync_wanted {
            break;
        }
        let waited = shared.work.wait_timeout(state, rest);
        state = waited.unwrap_or_else(PoisonError::into_inner).0;
    }
    state.sync_wanted = false;
}

/// Takes what is to be one commit from the queue: offsets that follow each other.
fn take_group<R>(shared: &Shared<R>) -> Vec<Entry<R>> {
    let mut state = shared.state();
    let first = state.queue.front().map(|entry| entry.offset);
    let follow = |(place, entry): &(usize, &Entry<R>)| {
        first.is_some_and(|first| entry.offset.since(first) == *place as u64)
    };
    let mut bytes = 0usize;
    let fits = |(_, entry): &(usize, &Entry<R>)| {
        let has_room = bytes < COMMIT_BYTES_MAX;
        bytes = bytes.saturating_add(shared.codec.size(&entry.record));
        has_room
    };
    let queued = state.queue.iter().take(COMMIT_RECORDS_MAX).enumerate();
    let count = queued.take_while(follow).take_while(fits).count();
    let group = state.queue.drain(..count).collect();
    let left = state.queue.iter().map(|entry| shared.codec.size(&entry.record)).sum();
    state.queue_bytes = left;
    state.queue_since = if state.queue.is_empty() { None } else { Some(Instant::now()) };
    group
}

fn commit<R: Send + Sync>(
    shared: &Shared<R>,
    tip: &mut Option<Tip<R>>,
    group: &[Entry<R>],
) -> io::Result<()> {
    let Some((first, last)) = group.first().zip(group.last()) else { return Ok(()) };
    let bytes = write(shared, tip, first.offset, group)?;
    let end = last.offset.next();
    let mut state = shared.state();
    let kept = group.iter().map(|entry| (entry.clone(), shared.codec.memory(&entry.record)));
    state.tail.push(kept, Instant::now());
    if let Some(segment) = state.segments.last_mut() {
        segment.bytes += bytes;
    }
    state.counts.commits += 1;
    state.counts.bytes_written += bytes;
    if state.last_error.take().is_some() {
        tracing::info!(folder = %shared.options.folder.display(), "log: commits work again");
    }
    assert!(state.durable <= first.offset, "J-2: offsets are committed in order");
    state.durable = end;
    shared.moved.notify_all();
    Ok(())
}

/// Writes and syncs a frame, beginning a new segment where one is due; returns its bytes.
fn write<R>(
    shared: &Shared<R>,
    tip: &mut Option<Tip<R>>,
    first: Offset,
    group: &[Entry<R>],
) -> io::Result<u64> {
    let full = tip.as_ref().is_some_and(|tip| tip.bytes >= shared.options.segment_bytes);
    if full || tip.is_none() {
        *tip = None;
        let path = segment::path_of(&shared.options.folder, first);
        let mut file = shared.disk.append(&path)?;
        // Left over from a commit that failed: nothing in it was ever durable. It is not removed,
        // for its name may be all that says which offset is next.
        if file.bytes()? > 0 {
            file.truncate(0)?;
        }
        let mut state = shared.state();
        state.segments.retain(|segment| segment.first != first);
        state.segments.push(Segment { first, path, bytes: 0 });
        drop(state);
        let chain = shared.codec.groups().map(|groups| Chain::new(groups.encoder()));
        *tip = Some(Tip { file, bytes: 0, chain });
        free_segments(shared);
    }
    let Some(tip) = tip else { return Ok(0) };
    let count = u32::try_from(group.len()).expect("a group has at most 8,192 records");
    let wall = shared.clock.now();
    let bytes = match &mut tip.chain {
        Some(chain) => {
            let payload = chain.payload(group, tip.bytes)?;
            frame::group(first, count, wall, payload)?.to_bytes()
        }
        None => frame::pack(first, count, wall, &frame::one_by_one(&*shared.codec, group)?)?,
    };
    tip.file.write_all(&bytes)?;
    tip.file.sync()?;
    tip.bytes += bytes.len() as u64;
    Ok(bytes.len() as u64)
}

/// A record that cannot be encoded would block the log for ever; everything else waits for a
/// better disk.
fn put_back<R>(shared: &Shared<R>, group: Vec<Entry<R>>) {
    let mut kept = Vec::with_capacity(group.len());
    let mut lost = 0;
    for entry in group {
        match encode_alone(&*shared.codec, &entry) {
            Err(err) if err.kind() == io::ErrorKind::InvalidInput => {
                lost += 1;
                tracing::error!(offset = %entry.offset, %err, "log: a record cannot be written and is given up");
            }
            Ok(()) | Err(_) => kept.push(entry),
        }
    }
    let mut state = shared.state();
    state.counts.unreadable += lost;
    state.queue_since.get_or_insert_with(Instant::now);
    for entry in kept.into_iter().rev() {
        state.queue.push_front(entry);
    }
}

/// Encodes a record as a commit of its own would be.
fn encode_alone<R>(codec: &dyn Codec<R>, entry: &Entry<R>) -> io::Result<()> {
    let mut bytes = Vec::new();
    match codec.groups() {
        Some(groups) => groups.encoder().encode(&[Arc::clone(&entry.record)], &mut bytes)?,
        None => codec.encode(&entry.record, &mut bytes)?,
    }
    frame::fits(bytes.len())
}

fn report_failure<R>(shared: &Shared<R>, err: &io::Error) {
    let mut state = shared.state();
    state.counts.failed_commits += 1;
    let text = err.to_string();
    if state.last_error.as_ref() != Some(&text) {
        tracing::error!(
            folder = %shared.options.folder.display(),
            %err,
            "log: commit failed; records wait in memory and are tried again every second. \
             Check that the disk is there, writable and has room"
        );
    }
    state.last_error = Some(text);
}

fn flush_cursors<R>(shared: &Shared<R>) {
    let places: Vec<_> = shared.state().cursors.values().cloned().collect();
    for place in places {
        if let Err(err) = place.flush() {
            tracing::warn!(%err, "log: cursor not saved; its consumer may see records again");
        }
    }
}

/// Removes segments that every cursor has passed, and the oldest while the log is too large.
fn free_segments<R>(shared: &Shared<R>) {
    let mut state = shared.state();
    let passed = state.cursors.values().map(|place| place.at()).min();
    let mut bytes: u64 = state.segments.iter().map(|segment| segment.bytes).sum();
    while let [oldest, next, ..] = state.segments.as_slice() {
        let is_passed = passed.is_some_and(|passed| next.first <= passed);
        let is_over = bytes > shared.options.bytes_max;
        if !is_passed && !is_over {
            return;
        }
        let (path, freed, first, end) =
            (oldest.path.clone(), oldest.bytes, oldest.first, next.first);
        if let Err(err) = shared.disk.remove(&path) {
            tracing::warn!(path = %path.display(), %err, "log: segment cannot be removed");
            return;
        }
        if !is_passed {
            let lost = end.since(first.max(passed.unwrap_or(first)));
            state.counts.evicted += lost;
            tracing::error!(%first, %end, lost, "log: full; the oldest segment was given up before all had read it");
        }
        bytes = bytes.saturating_sub(freed);
        state.segments.remove(0);
    }
}
