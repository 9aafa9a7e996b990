//! Reading a log: from memory near its end, from the segments further back.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use signals::{Disk, Offset, Timestamp};

use super::cursor;
use super::segment::{self, Segment};
use super::state::State;
use super::unpack::Unpacker;
use super::{Codec, Entry, LogError, Shared};

/// Durable records from `from` on, at most `limit`.
pub(super) fn read<R: Send + Sync>(
    shared: &Shared<R>,
    from: Offset,
    limit: usize,
) -> Result<Vec<Entry<R>>, LogError> {
    let limit = limit.max(1);
    let mut from = from;
    loop {
        let (segment, start, durable) = {
            let state = shared.state();
            let from = from.max(state.oldest());
            if from >= state.durable {
                return Ok(Vec::new());
            }
            if let Some(entries) = state.tail.from(from, limit) {
                return Ok(entries);
            }
            let Some((segment, start)) = place_of(&state, from) else { return Ok(Vec::new()) };
            (segment, start, state.durable)
        };
        let mut found = Vec::new();
        let mut reached = from;
        let mut place = start;
        let mut unreadable = 0;
        let mut unpacker = Unpacker::new(&*shared.disk, &*shared.codec, &segment.path);
        segment::walk(&*shared.disk, &segment.path, start, |at, frame| {
            if frame.first >= durable {
                return Ok(false);
            }
            place = at + frame.bytes();
            if frame.end() > from {
                // A jump is damage that the walk has stepped over.
                unreadable += frame.first.since(reached);
                unreadable += unpacker.unpack((at, &frame), from, &mut found)?;
            }
            reached = frame.end().max(reached);
            Ok(found.len() < limit)
        })
        .map_err(|err| shared.io_error("reading", err))?;
        let mut state = shared.state();
        state.counts.unreadable += unreadable;
        state.remember(reached, segment.path.clone(), place);
        if !found.is_empty() {
            return Ok(found);
        }
        // Nothing of use in this segment: go on with the next one, over what is lost.
        let next = state.segments.iter().map(|s| s.first).find(|first| *first > segment.first);
        match next {
            Some(first) if first > from => {
                state.counts.unreadable += first.since(from.max(reached));
                from = first;
            }
            Some(_) | None => return Ok(Vec::new()),
        }
    }
}

/// The segment that holds `from`, and the byte to start at.
fn place_of<R>(state: &State<R>, from: Offset) -> Option<(Segment, u64)> {
    let segment = state.segments.iter().rev().find(|segment| segment.first <= from)?;
    let known =
        |(offset, path, _): &&(Offset, PathBuf, u64)| *offset <= from && *path == segment.path;
    let start = state.places.iter().filter(known).max_by_key(|(offset, _, _)| *offset);
    Some((segment.clone(), start.map_or(0, |(_, _, place)| *place)))
}

/// A look at a log's files without opening the log: for a second process, while the first one
/// writes. Sees what was in the files when each segment was read.
pub struct LogView<R> {
    folder: PathBuf,
    disk: Arc<dyn Disk>,
    codec: Arc<dyn Codec<R>>,
}

impl<R> LogView<R> {
    /// A view of the log in `folder`.
    #[must_use]
    pub fn new(folder: &Path, disk: Arc<dyn Disk>, codec: Arc<dyn Codec<R>>) -> Self {
        Self { folder: folder.to_owned(), disk, codec }
    }

    /// The place the cursor of this name had on disk at its last flush: its consumer has dealt
    /// with everything before it. `None` when there is no such cursor or its file is damaged.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn committed(&self, name: &str) -> io::Result<Option<Offset>> {
        match cursor::read(&*self.disk, &cursor::path_of(&self.folder, name)) {
            Ok(at) => Ok(at.map(Offset)),
            Err(err)
                if err.kind() == io::ErrorKind::NotFound
                    || err.kind() == io::ErrorKind::InvalidData =>
            {
                Ok(None)
            }
            Err(err) => Err(err),
        }
    }

    /// Passes every whole record from `from` on to `visit`, in order. Gives the time of the newest
    /// commit that was seen.
    ///
    /// # Errors
    /// What the operating system says. A segment removed meanwhile is skipped.
    pub fn visit(
        &self,
        from: Offset,
        mut visit: impl FnMut(Entry<R>),
    ) -> io::Result<Option<Timestamp>> {
        let mut newest = None;
        let segments = segment::list(&*self.disk, &self.folder)?;
        let ends = segments.iter().skip(1).map(|s| s.first).chain([Offset(u64::MAX)]);
        // A commit may stand twice, in a segment that was given up and in the one after it.
        let mut from = from;
        for (segment, end) in segments.iter().zip(ends) {
            if end <= from {
                continue;
            }
            let mut unpacker = Unpacker::new(&*self.disk, &*self.codec, &segment.path);
            let walked = segment::walk(&*self.disk, &segment.path, 0, |at, frame| {
                let mut found = Vec::new();
                newest = newest.max(Some(frame.wall));
                if frame.end() > from {
                    unpacker.unpack((at, &frame), from, &mut found)?;
                }
                from = from.max(frame.end());
                found.into_iter().for_each(&mut visit);
                Ok(true)
            });
            match walked {
                Err(err) if err.kind() != io::ErrorKind::NotFound => return Err(err),
                Ok(_) | Err(_) => {}
            }
        }
        Ok(newest)
    }

    /// Passes every whole record to `visit`, newest first, until it says stop (`false`) or there
    /// are no more. Holds the commits of one segment in memory.
    ///
    /// # Errors
    /// What the operating system says. A segment removed meanwhile is skipped.
    pub fn visit_back(&self, mut visit: impl FnMut(Entry<R>) -> bool) -> io::Result<()> {
        // A commit may stand twice, in a segment that was given up and in the one after it.
        let mut end = Offset(u64::MAX);
        for segment in segment::list(&*self.disk, &self.folder)?.iter().rev() {
            let mut frames = Vec::new();
            let walked = segment::walk(&*self.disk, &segment.path, 0, |at, frame| {
                frames.push((at, frame));
                Ok(true)
            });
            match walked {
                Err(err) if err.kind() == io::ErrorKind::NotFound => continue,
                Err(err) => return Err(err),
                Ok(_) => {}
            }
            let mut unpacker = Unpacker::new(&*self.disk, &*self.codec, &segment.path);
            while let Some((at, frame)) = frames.pop() {
                let mut found = Vec::new();
                if frame.first < end {
                    unpacker.unpack((at, &frame), Offset::START, &mut found)?;
                }
                for entry in found.into_iter().rev().filter(|entry| entry.offset < end) {
                    if !visit(entry) {
                        return Ok(());
                    }
                }
                end = end.min(frame.first);
            }
        }
        Ok(())
    }
}
