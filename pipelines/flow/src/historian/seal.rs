//! Rows that wait become files: when their time has come, when there are too many, and when the
//! journal needs its room.

use std::sync::Arc;
use std::time::Instant;

use arrow_array::RecordBatch;
use signals::Offset;

use super::file::{self, FileAbout};
use super::open::Day;
use super::packed::Held;
use super::{Historian, first_ts};
use crate::lake;

impl Historian {
    /// Whether no more rows may wait.
    pub(super) fn is_full(&self) -> bool {
        let state = self.state();
        state.rows >= self.options.roll_rows || state.bytes >= self.options.roll_bytes
    }

    /// Whether the journal keeps half of what it may keep for rows that wait here: it would give
    /// up segments before their rows are in files.
    pub(super) fn holds_journal(&self, at: Offset) -> bool {
        self.journal.bytes_between(self.cursor.at(), at) >= self.journal.bytes_max() / 2
    }

    /// Seals all open rows, one file after the other, and moves the cursor to `at` if every
    /// file got through.
    pub(super) fn seal_all(&self, at: Offset) {
        let keys: Vec<_> = self.state().open.keys().cloned().collect();
        for key in keys {
            while self.seal_oldest(&key) {}
        }
        if self.state().open.is_empty() {
            self.cursor.commit(at);
        }
    }

    /// Seals the oldest part of a table and date; true when there may be another.
    pub(super) fn seal_oldest(&self, key: &Day) -> bool {
        let (about, held) = {
            let state = self.state();
            let Some(part) = state.open.get(key).and_then(|parts| parts.first()) else {
                return false;
            };
            let about = FileAbout {
                table: Arc::clone(&part.table),
                gateway: self.options.gateway.clone(),
                from: part.from,
                to: part.last,
                clock: part.clock,
                profile: self.options.profile,
            };
            (about, part.held.clone())
        };
        let batches: Vec<RecordBatch> = held.into_iter().map(Held::unpacked).collect();
        let first = batches.first().and_then(first_ts).unwrap_or_default();
        let path = lake::path_of(&self.options.lake, about.table.name(), first, about.to);
        let alone = self.files();
        let written = file::write_file(&*self.disk, &path, &about, &batches);
        let mut state = self.state();
        drop(alone);
        match written {
            Err(err) => {
                state.counts.failed += 1;
                tracing::error!(
                    path = %path.display(),
                    %err,
                    "historian: file not written; its rows stay in the journal and are tried \
                     again. Check that the disk is there, writable and has room"
                );
                false
            }
            Ok(bytes) => {
                let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
                state.counts.files += 1;
                state.counts.rows += rows as u64;
                state.counts.bytes += bytes;
                state.held = state.held.map(|held| held + bytes);
                state.sealed.insert(key.clone(), about.to);
                state.sealed_at.insert(key.clone(), Instant::now());
                state.take_oldest(key)
            }
        }
    }
}

#[cfg(test)]
mod tests;
