//! The appender: the one thread that writes a log's files.

use std::io::{self, Write as _};
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use signals::{Disk, DiskFile, Offset};

use super::frame;
use super::segment::{self, Segment};
use super::{Entry, Recovery, Shared};

/// Committed cursors reach the disk this often: a balance of wear against records seen twice.
const CURSOR_INTERVAL: Duration = Duration::from_secs(5);
/// Pause after a failed commit: a full disk does not become less full by hammering it.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// Share of the interval after which a commit begins, so that it ends within it.
const COMMIT_BEGINS: f64 = 0.9;
/// Records of one commit; a queue half full is committed before its interval is over.
const COMMIT_RECORDS_MAX: usize = 8_192;

/// Cuts a torn tail off the newest segment and says what there is.
pub(super) fn recover(disk: &dyn Disk, segments: &mut Vec<Segment>) -> io::Result<Recovery> {
    let mut recovery = Recovery::default();
    // Newest first: a segment without one whole commit holds nothing; the one before it decides.
    while let Some(newest) = segments.last_mut() {
        let scanned = segment::scan(disk, newest)?;
        recovery.damaged += scanned.damaged;
        recovery.torn_bytes += scanned.torn_bytes;
        if let Some(end) = scanned.end {
            if scanned.torn_bytes > 0 {
                disk.append(&newest.path)?.truncate(scanned.bytes)?;
                newest.bytes = scanned.bytes;
            }
            recovery.next = recovery.next.max(end);
            recovery.last_commit = scanned.last_wall;
            break;
        }
        // Its name still says which offsets were given away before it.
        recovery.next = recovery.next.max(newest.first);
        disk.remove(&newest.path)?;
        segments.pop();
    }
    recovery.segments = segments.len();
    recovery.oldest = segments.first().map_or(recovery.next, |segment| segment.first);
    Ok(recovery)
}

/// The open segment.
struct Tip {
    file: Box<dyn DiskFile>,
    bytes: u64,
}

/// Commits groups until the log closes.
pub(super) fn run<R: Send + Sync>(shared: &Shared<R>) {
    let mut tip: Option<Tip> = None;
    let mut cursors_flushed = Instant::now();
    loop {
        let group = wait_for_group(shared);
        let closing = shared.state().closing;
        if !group.is_empty() {
            match commit(shared, &mut tip, &group) {
                Ok(()) => {}
                Err(err) => {
                    // The file may hold half a commit: never write to it again.
                    tip = None;
                    report_failure(shared, &err);
                    put_back(shared, group);
                    if closing {
                        return;
                    }
                    std::thread::sleep(RETRY_PAUSE);
                }
            }
        }
        if closing || cursors_flushed.elapsed() >= CURSOR_INTERVAL {
            cursors_flushed = Instant::now();
            flush_cursors(shared);
            free_segments(shared);
        }
        if closing && shared.state().queue.is_empty() {
            return;
        }
    }
}

/// Waits until a group is due: its first record has waited its interval, many records wait, or
/// somebody wants a sync. Returns nothing now and then so that cursors get flushed.
fn wait_for_group<R>(shared: &Shared<R>) -> Vec<Entry<R>> {
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
    let count = state.queue.len().min(COMMIT_RECORDS_MAX);
    let group = state.queue.drain(..count).collect();
    let left = state.queue.iter().map(|entry| shared.codec.size(&entry.record)).sum();
    state.queue_bytes = left;
    state.queue_since = if state.queue.is_empty() { None } else { Some(Instant::now()) };
    group
}

fn commit<R: Send + Sync>(
    shared: &Shared<R>,
    tip: &mut Option<Tip>,
    group: &[Entry<R>],
) -> io::Result<()> {
    let Some((first, last)) = group.first().zip(group.last()) else { return Ok(()) };
    let mut records = Vec::new();
    for entry in group {
        let start = records.len();
        records.extend_from_slice(&[0; 4]);
        shared.codec.encode(&entry.record, &mut records)?;
        let size = records.len() - start - 4;
        let length = u32::try_from(size)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "record above 4 GiB"))?;
        if let Some(place) = records.get_mut(start..start + 4) {
            place.copy_from_slice(&length.to_le_bytes());
        }
    }
    let count = u32::try_from(group.len()).expect("a group has at most 8,192 records");
    let bytes = frame::pack(first.offset, count, shared.clock.now(), &records)?;
    write(shared, tip, first.offset, &bytes)?;
    let end = last.offset.next();
    let mut state = shared.state();
    for entry in group {
        let memory = shared.codec.memory(&entry.record);
        state.tail.push_back((entry.clone(), memory));
        state.tail_bytes += memory;
    }
    while state.tail_bytes > shared.options.tail_bytes && state.tail.len() > 1 {
        let freed = state.tail.pop_front().map_or(0, |(_, size)| size);
        state.tail_bytes -= freed;
    }
    if let Some(segment) = state.segments.last_mut() {
        segment.bytes += bytes.len() as u64;
    }
    state.counts.commits += 1;
    state.counts.bytes_written += bytes.len() as u64;
    if state.last_error.take().is_some() {
        tracing::info!(folder = %shared.options.folder.display(), "log: commits work again");
    }
    assert!(state.durable <= first.offset, "J-2: offsets are committed in order");
    state.durable = end;
    shared.moved.notify_all();
    Ok(())
}

/// Writes and syncs a frame, beginning a new segment where one is due.
fn write<R>(
    shared: &Shared<R>,
    tip: &mut Option<Tip>,
    first: Offset,
    bytes: &[u8],
) -> io::Result<()> {
    let full = tip.as_ref().is_some_and(|tip| tip.bytes >= shared.options.segment_bytes);
    if full || tip.is_none() {
        *tip = None;
        let path = segment::path_of(&shared.options.folder, first);
        // Left over from a commit that failed: nothing in it was ever durable.
        shared.disk.remove(&path)?;
        let file = shared.disk.append(&path)?;
        let mut state = shared.state();
        state.segments.retain(|segment| segment.first != first);
        state.segments.push(Segment { first, path, bytes: 0 });
        drop(state);
        *tip = Some(Tip { file, bytes: 0 });
        free_segments(shared);
    }
    let Some(tip) = tip else { return Ok(()) };
    tip.file.write_all(bytes)?;
    tip.file.sync()?;
    tip.bytes += bytes.len() as u64;
    Ok(())
}

/// A record that cannot be encoded would block the log for ever; everything else waits for a
/// better disk.
fn put_back<R>(shared: &Shared<R>, group: Vec<Entry<R>>) {
    let mut kept = Vec::with_capacity(group.len());
    let mut lost = 0;
    for entry in group {
        match shared.codec.encode(&entry.record, &mut Vec::new()) {
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
