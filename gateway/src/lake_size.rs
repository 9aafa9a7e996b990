//! How many files the lake holds, how large they are and how fast it grows, looked up now and
//! then: a status request must not walk a hundred thousand files.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pipelines_flow::disk::RealDisk;
use pipelines_flow::historian::Budget;
use pipelines_flow::lake;
use signals::Timestamp;
use signals::disk::Room;

/// How old an answer may be.
const FRESH: Duration = Duration::from_secs(5);
/// Walking the lake takes at most one part in so many of the time.
const SHARE: u32 = 50;
/// What the growth is measured over.
const DAY: Duration = Duration::from_hours(24);
/// Growth of a lake that is younger says nothing.
const GROWTH_MIN: Duration = Duration::from_mins(10);

/// Files and bytes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Size {
    /// Visible files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Each table that has files, by name.
    pub tables: Vec<TableSize>,
    /// Why it is not known now; the figures are then those of before.
    pub error: Option<String>,
}

/// Files and bytes of a table.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TableSize {
    /// Its name.
    pub table: String,
    /// Visible files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes of the files that begin within the last 24 hours.
    pub bytes_of_day: u64,
    /// First row.
    pub oldest: Option<Timestamp>,
    /// First row of the newest file.
    pub newest: Option<Timestamp>,
}

impl Size {
    /// First row of all.
    #[must_use]
    pub fn oldest(&self) -> Option<Timestamp> {
        self.tables.iter().filter_map(|table| table.oldest).min()
    }

    /// Bytes a day that the lake grows by, from what was written in the 24 hours before `now`;
    /// `None` while it is younger than ten minutes.
    #[must_use]
    pub fn bytes_per_day(&self, now: Timestamp) -> Option<u64> {
        let age = Duration::from_micros(u64::try_from(now.since(self.oldest()?).as_micros()).ok()?);
        if age < GROWTH_MIN {
            return None;
        }
        let written: u128 = self.tables.iter().map(|table| u128::from(table.bytes_of_day)).sum();
        let span = age.min(DAY);
        u64::try_from(written * DAY.as_micros() / span.as_micros().max(1)).ok()
    }
}

/// How long the room lasts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Outlook {
    /// Bytes a day that the lake grows by; see [`Size::bytes_per_day`].
    pub bytes_per_day: Option<u64>,
    /// Bytes until the oldest files go; `None` when the volume does not tell.
    pub bytes_left: Option<u64>,
}

impl Outlook {
    /// The nearer end of the lake's own budget and of the volume.
    #[must_use]
    pub fn of(size: &Size, room: Option<Room>, budget: Budget, now: Timestamp) -> Self {
        let of_budget = budget.bytes_max.map_or(u64::MAX, |max| max.saturating_sub(size.bytes));
        let bytes_left = room.map(|room| room.free.saturating_sub(budget.free_min).min(of_budget));
        Self { bytes_per_day: size.bytes_per_day(now), bytes_left }
    }

    /// Days until the oldest files go, if it goes on growing like this.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "an estimate for people")]
    pub fn days_left(&self) -> Option<f64> {
        let grows = self.bytes_per_day.filter(|bytes| *bytes > 0)?;
        self.bytes_left.map(|left| left as f64 / grows as f64)
    }
}

/// When the lake was walked, how long that took, what was found.
struct Walk {
    at: Instant,
    took: Duration,
    size: Arc<Size>,
}

/// The lake's size, remembered for a while.
pub struct LakeSize {
    lake: PathBuf,
    last: Mutex<Option<Walk>>,
}

impl LakeSize {
    /// The size of the lake in `lake`.
    #[must_use]
    pub fn new(lake: &Path) -> Self {
        Self { lake: lake.to_owned(), last: Mutex::new(None) }
    }

    /// The lake's folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.lake
    }

    /// Files and bytes as of a few seconds ago, longer ago if walking the lake takes long.
    #[must_use]
    pub fn get(&self, now: Timestamp) -> Arc<Size> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(walk) = &*last
            && walk.at.elapsed() < FRESH.max(walk.took * SHARE)
        {
            return Arc::clone(&walk.size);
        }
        let began = Instant::now();
        let size = self.measure(now).unwrap_or_else(|err| {
            let error = format!("{}: {err}; check the disk", self.lake.display());
            tracing::warn!("the lake cannot be listed: {error}");
            let before = last.as_ref().map(|walk| Size::clone(&walk.size)).unwrap_or_default();
            Size { error: Some(error), ..before }
        });
        let size = Arc::new(size);
        *last = Some(Walk { at: Instant::now(), took: began.elapsed(), size: Arc::clone(&size) });
        size
    }

    fn measure(&self, now: Timestamp) -> std::io::Result<Size> {
        let mut size = Size::default();
        for name in lake::tables(&RealDisk, &self.lake)? {
            let files = lake::files(&RealDisk, &self.lake, &name)?;
            let (oldest, newest) = (files.first(), files.last());
            let mut table = TableSize {
                table: name,
                oldest: oldest.map(|file| file.first),
                newest: newest.map(|file| file.first),
                ..TableSize::default()
            };
            for file in &files {
                // Replaced or evicted while we looked: it is simply not counted.
                let bytes = std::fs::metadata(&file.path).map_or(0, |about| about.len());
                table.files += 1;
                table.bytes += bytes;
                if file.first.plus(DAY) > now {
                    table.bytes_of_day += bytes;
                }
            }
            if table.files > 0 {
                size.files += table.files;
                size.bytes += table.bytes;
                size.tables.push(table);
            }
        }
        size.tables.sort_by(|a, b| a.table.cmp(&b.table));
        Ok(size)
    }
}

#[cfg(test)]
mod tests;
