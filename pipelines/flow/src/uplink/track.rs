//! Track: how far one stream has got at one uplink, delivered or given up.
//!
//! The cursor stands behind everything that is settled without a gap. What was delivered ahead of
//! it, while the backlog in between still waits, is kept as ranges, in memory and in a file, so
//! that it is not sent again after a restart. In between each settled message is noted in a file
//! that is not synced: a process that is killed has lost nothing of it, a power cut costs the last
//! seconds, which are sent again.

use std::io::{self, Read as _, Write as _};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use signals::{Disk, DiskFile, Envelope, Offset, disk};

use super::Outbox;
use crate::codec::EnvelopeCodec;
use crate::log::{Cursor, Log, LogView};

/// How often cursor and ranges are synced: what a power cut may cause to be sent again.
const SAVE_EVERY: Duration = Duration::from_secs(5);
/// Bytes of a note of a settled message: its offset and a checksum.
const NOTE_BYTES: usize = 12;
/// Notes after which cursor and ranges are synced and the notes begin anew.
const NOTES_MAX: usize = 8_192;
/// Ranges ahead of the cursor. A new one begins only with a new outage, so this many outages may
/// pass while a backlog drains; then what is live is sent in order, behind the last range.
const RANGES_MAX: usize = 16;

/// One stream's place at one uplink.
pub(super) struct Track {
    pub(super) log: Log<Envelope>,
    cursor: Cursor,
    /// Delivered ranges ahead of the cursor: ascending, apart from each other.
    ahead: Vec<Range<u64>>,
    /// Messages the cursor's file named that are gone from the log since.
    gone: Range<u64>,
    disk: Arc<dyn Disk>,
    file: PathBuf,
    is_saved: bool,
    saved: Duration,
    notes: Option<Box<dyn DiskFile>>,
    noted: usize,
}

impl Track {
    /// Takes up where the uplink of this name has stopped.
    pub(super) fn open(outbox: &Outbox, uplink: &str, disk: &Arc<dyn Disk>) -> Self {
        let name = format!("uplink:{uplink}");
        let view = LogView::new(&outbox.folder, Arc::clone(disk), Arc::new(EnvelopeCodec));
        // A damaged or missing cursor stands at the oldest message: nothing is known to be gone.
        let committed = view.committed(&name).ok().flatten();
        let cursor = outbox.log.cursor(&name);
        let gone = committed.map_or(0, |at| at.0)..cursor.at().0;
        let file = outbox.folder.join("ahead").join(uplink);
        let mut track = Self {
            log: outbox.log.clone(),
            ahead: load(&**disk, &file).unwrap_or_default(),
            gone: if committed.is_some() { gone } else { 0..0 },
            cursor,
            disk: Arc::clone(disk),
            file,
            is_saved: true,
            saved: Duration::ZERO,
            notes: None,
            noted: 0,
        };
        let next = track.log.next().0;
        // A log that was deleted alone begins at 0 again; then the ranges name nothing.
        track.ahead.retain(|range| range.end <= next);
        track.absorb();
        for offset in track.read_notes().filter(|offset| *offset < next) {
            track.settle_in_memory(Offset(offset));
        }
        track.flush();
        track
    }

    /// The first message that is not settled.
    pub(super) fn floor(&self) -> Offset {
        self.cursor.at()
    }

    /// End of the last range ahead of the cursor.
    pub(super) fn ahead_end(&self) -> Option<Offset> {
        self.ahead.last().map(|range| Offset(range.end))
    }

    /// Whether one more range ahead may be begun.
    pub(super) fn may_begin_range(&self) -> bool {
        self.ahead.len() < RANGES_MAX
    }

    /// Whether a message is settled.
    pub(super) fn is_settled(&self, offset: Offset) -> bool {
        offset < self.floor() || self.ahead.iter().any(|range| range.contains(&offset.0))
    }

    /// Messages before `until` that are not settled.
    pub(super) fn waiting(&self, until: Offset) -> u64 {
        let floor = self.floor().max(self.log.oldest()).0;
        let ahead =
            self.ahead.iter().map(|r| r.end.min(until.0).saturating_sub(r.start.max(floor)));
        until.0.saturating_sub(floor).saturating_sub(ahead.sum())
    }

    /// Notes that a message is settled: acknowledged by the broker, or set aside.
    pub(super) fn settle(&mut self, offset: Offset) {
        self.note(offset);
        self.settle_in_memory(offset);
    }

    fn settle_in_memory(&mut self, offset: Offset) {
        if self.is_settled(offset) {
            return;
        }
        if offset == self.floor() {
            self.cursor.commit(offset.next());
            self.absorb();
            return;
        }
        self.is_saved = false;
        let at = offset.0;
        let place = self.ahead.partition_point(|range| range.end < at);
        match self.ahead.get_mut(place) {
            Some(range) if range.end == at => range.end = at + 1,
            Some(range) if range.start == at + 1 => range.start = at,
            Some(_) | None => self.ahead.insert(place, at..at + 1),
        }
        if let Some((left, right)) = self.ahead.get(place).cloned().zip(self.ahead.get(place + 1))
            && left.end == right.start
        {
            let joined = left.start..right.end;
            self.ahead.splice(place..=place + 1, [joined]);
        }
    }

    /// Gives up every message before `until` that is not settled; those ranges.
    pub(super) fn give_up(&mut self, until: Offset) -> Vec<Range<u64>> {
        let mut lost = Vec::new();
        let mut at = self.floor().0;
        for range in self.ahead.iter().chain(std::iter::once(&(until.0..until.0))) {
            let end = range.start.min(until.0);
            if at < end {
                lost.push(at..end);
            }
            at = at.max(range.end);
        }
        self.cursor.commit(until);
        self.absorb();
        lost
    }

    /// Messages that were evicted from the log before they were settled. Told once.
    pub(super) fn evicted(&mut self) -> Vec<Range<u64>> {
        let mut lost = Vec::new();
        let gone = std::mem::replace(&mut self.gone, 0..0);
        if !gone.is_empty() {
            lost.push(gone);
        }
        let oldest = self.log.oldest();
        if self.floor() < oldest {
            lost.extend(self.give_up(oldest));
        }
        lost
    }

    /// Moves the cursor over what was delivered ahead of it.
    fn absorb(&mut self) {
        while let Some(first) = self.ahead.first().filter(|range| range.start <= self.floor().0) {
            self.cursor.commit(Offset(first.end));
            self.ahead.remove(0);
            self.is_saved = false;
        }
    }

    /// Writes the ranges now and then; `now` is monotonic. The cursor is the log's to write.
    pub(super) fn save(&mut self, now: Duration) {
        let is_due = !self.is_saved && now.saturating_sub(self.saved) >= SAVE_EVERY;
        if is_due {
            self.saved = now;
            if let Err(err) = self.write() {
                self.tell_unsaved(&err);
            }
        }
        if self.noted >= NOTES_MAX {
            self.flush();
        }
    }

    /// Writes cursor and ranges. What cannot be written only costs sending again.
    pub(super) fn flush(&mut self) {
        let saved =
            self.cursor.flush().and_then(|()| self.write()).and_then(|()| self.clear_notes());
        if let Err(err) = saved {
            self.tell_unsaved(&err);
        }
    }

    fn tell_unsaved(&self, err: &io::Error) {
        let file = self.file.display();
        tracing::warn!(%file, %err, "an uplink's place is older than it could be");
    }

    fn notes_file(&self) -> PathBuf {
        self.file.with_extension("notes")
    }

    /// Offsets noted by whoever ended without a word; what is torn ends them.
    fn read_notes(&self) -> std::vec::IntoIter<u64> {
        let mut bytes = Vec::new();
        if let Ok(mut file) = self.disk.open(&self.notes_file())
            && file.read_to_end(&mut bytes).is_err()
        {
            bytes.clear();
        }
        let note = |note: &[u8]| {
            let (offset, crc) = note.split_first_chunk::<8>()?;
            let crc = u32::from_le_bytes(crc.try_into().ok()?);
            (crc == crc32fast::hash(offset)).then(|| u64::from_le_bytes(*offset))
        };
        let notes: Vec<u64> = bytes.chunks_exact(NOTE_BYTES).map_while(note).collect();
        notes.into_iter()
    }

    /// Notes a settled message. What cannot be noted only costs sending again.
    fn note(&mut self, offset: Offset) {
        self.noted += 1;
        if self.notes.is_none() {
            self.notes = self.disk.append(&self.notes_file()).ok();
        }
        let place = offset.0.to_le_bytes();
        let mut note = place.to_vec();
        note.extend(crc32fast::hash(&place).to_le_bytes());
        if let Some(file) = &mut self.notes
            && file.write_all(&note).is_err()
        {
            self.notes = None;
        }
    }

    /// Begins the notes anew: what they said is in cursor and ranges.
    fn clear_notes(&mut self) -> io::Result<()> {
        self.noted = 0;
        match &mut self.notes {
            Some(file) => file.truncate(0),
            None => self.disk.remove(&self.notes_file()),
        }
    }

    fn write(&mut self) -> io::Result<()> {
        if self.is_saved {
            return Ok(());
        }
        let lines = self.ahead.iter().map(|range| format!("{} {}\n", range.start, range.end));
        let text: String = lines.collect();
        let crc = crc32fast::hash(text.as_bytes());
        disk::replace(&*self.disk, &self.file, format!("{text}{crc:08x}\n").as_bytes())?;
        self.is_saved = true;
        Ok(())
    }
}

/// The ranges in a file; none when there is none or it is damaged.
fn load(disk: &dyn Disk, file: &std::path::Path) -> Option<Vec<Range<u64>>> {
    let mut text = String::new();
    disk.open(file).ok()?.read_to_string(&mut text).ok()?;
    let (ranges, crc) =
        text.trim_end().rsplit_once('\n').map_or(("", text.trim_end()), |(r, c)| (r, c));
    let whole = if ranges.is_empty() { String::new() } else { format!("{ranges}\n") };
    (u32::from_str_radix(crc, 16).ok()? == crc32fast::hash(whole.as_bytes())).then_some(())?;
    let range = |line: &str| {
        let (start, end) = line.split_once(' ')?;
        let (start, end) = (start.parse::<u64>().ok()?, end.parse::<u64>().ok()?);
        (start < end).then_some(start..end)
    };
    let ranges: Vec<_> = ranges.lines().map(range).collect::<Option<_>>()?;
    ranges.is_sorted_by(|a, b| a.end < b.start).then_some(ranges)
}

#[cfg(test)]
mod tests;
