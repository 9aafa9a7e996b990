//! How many files the lake holds and how large they are, looked up at most every few seconds:
//! a status request must not walk a hundred thousand files.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use pipelines_flow::disk::RealDisk;
use pipelines_flow::lake;

/// How old an answer may be.
const FRESH: Duration = Duration::from_secs(5);

/// Files and bytes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Size {
    /// Visible files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// The lake's size, remembered for a while.
pub struct LakeSize {
    lake: PathBuf,
    last: Mutex<Option<(Instant, Size)>>,
}

impl LakeSize {
    /// The size of the lake in `lake`.
    #[must_use]
    pub fn new(lake: &Path) -> Self {
        Self { lake: lake.to_owned(), last: Mutex::new(None) }
    }

    /// Files and bytes, at most a few seconds old.
    #[must_use]
    pub fn get(&self) -> Size {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, size)) = *last
            && at.elapsed() < FRESH
        {
            return size;
        }
        let size = self.measure().unwrap_or_else(|err| {
            tracing::warn!(lake = %self.lake.display(), %err, "the lake cannot be listed");
            Size::default()
        });
        *last = Some((Instant::now(), size));
        size
    }

    fn measure(&self) -> std::io::Result<Size> {
        let mut size = Size::default();
        for table in lake::tables(&RealDisk, &self.lake)? {
            for file in lake::files(&RealDisk, &self.lake, &table)? {
                size.files += 1;
                // Replaced or evicted while we looked: it is simply not counted.
                size.bytes += std::fs::metadata(&file.path).map_or(0, |about| about.len());
            }
        }
        Ok(size)
    }
}
