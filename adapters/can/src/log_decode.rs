//! Log decode: a recorded log to batches at the times of its recording.
//!
//! Every channel of the log is a bus of its own: channel `can0` and message `AMB` give the table
//! `can0_amb` and paths below `can0/amb`.

use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use signals::{Batch, ClockState, TableError, Timestamp};

use crate::candump::{BadLines, LogReader};
use crate::dbc::{Database, DbcError, Lint};
use crate::decode::{BATCH_ROWS_MAX, Decoder, Outcome};
use crate::frame::{Frame, FrameKind};
use crate::plan::{DecodePlan, Matching};
use crate::source::Source;
use crate::tables::Naming;

/// A frame this much earlier than the one before it: the recorder's clock was set back.
const CLOCK_STEP: Duration = Duration::from_secs(1);
/// Identifiers told apart among the unknown ones.
const UNKNOWN_IDS_MAX: usize = 65_536;

/// A log that cannot be decoded.
#[derive(Debug, thiserror::Error)]
pub enum LogDecodeError {
    /// A database.
    #[error(transparent)]
    Dbc(#[from] DbcError),
    /// The log.
    #[error("{log}: cannot be read: {cause}; check the path, or record the log again")]
    Read {
        /// The log.
        log: String,
        /// What the system said.
        cause: io::Error,
    },
    /// A table.
    #[error(transparent)]
    Table(#[from] TableError),
}

/// What a log held.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Frames read.
    pub frames: u64,
    /// Frames decoded to a row.
    pub matched: u64,
    /// Frames too short for one of their signals, among the matched ones.
    pub truncated: u64,
    /// Frames that no database knows; remote and error frames among them.
    pub unknown: u64,
    /// Different identifiers among those, up to 65,536.
    pub unknown_ids: u64,
    /// Times the recorder's clock went back by more than a second.
    pub clock_steps: u64,
    /// Lines that are not frames.
    pub bad_lines: BadLines,
    /// What is out of order in the databases.
    pub lint: Vec<Lint>,
}

/// Decodes a log, batch by batch. Iterate to the end, then ask for the [`Summary`].
pub struct LogDecode {
    name: String,
    log: LogReader,
    plan: Arc<DecodePlan>,
    decoders: Vec<Decoder>,
    ready: Vec<Batch>,
    unknown: HashSet<(u32, bool)>,
    last: Option<Timestamp>,
    summary: Summary,
    ended: bool,
}

impl LogDecode {
    /// Opens a log and the databases to decode it with, in order of precedence.
    ///
    /// # Errors
    /// [`LogDecodeError`]: a database or the log cannot be read.
    pub fn open<P: AsRef<Path>>(
        databases: &[P],
        log: &Path,
        matching: Matching,
    ) -> Result<Self, LogDecodeError> {
        let databases: Vec<Source> =
            databases.iter().map(|path| Source::File(path.as_ref().to_owned())).collect();
        Self::from_sources(&databases, &Source::File(log.to_owned()), matching)
    }

    /// As [`LogDecode::open`], from files or from bytes built in.
    ///
    /// # Errors
    /// As [`LogDecode::open`].
    pub fn from_sources(
        databases: &[Source],
        log: &Source,
        matching: Matching,
    ) -> Result<Self, LogDecodeError> {
        let databases = databases.iter().map(Database::load).collect::<Result<Vec<_>, _>>()?;
        let plan = DecodePlan::new(&databases, matching, |_, _| true);
        let mut lint: Vec<Lint> = databases.iter().flat_map(|d| d.lint.rows().to_vec()).collect();
        lint.extend_from_slice(plan.lint());
        let name = log.to_string();
        let input =
            log.open().map_err(|cause| LogDecodeError::Read { log: name.clone(), cause })?;
        Ok(Self {
            name,
            log: LogReader::new(input),
            plan: Arc::new(plan),
            decoders: Vec::new(),
            ready: Vec::new(),
            unknown: HashSet::new(),
            last: None,
            summary: Summary { lint, ..Summary::default() },
            ended: false,
        })
    }

    /// What was found so far; complete once the batches have come to their end.
    #[must_use]
    pub const fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Reads on until there is a batch; `None` at the end of the log.
    ///
    /// # Errors
    /// [`LogDecodeError`] when reading fails; what was decoded before is still handed out by
    /// further calls.
    pub fn next_batch(&mut self) -> Result<Option<Batch>, LogDecodeError> {
        let mut frame = Frame::default();
        while self.ready.is_empty() && !self.ended {
            match self.log.next(&mut frame) {
                Ok(true) => self.take(&frame)?,
                Ok(false) => self.end(),
                Err(cause) => {
                    self.end();
                    return Err(LogDecodeError::Read { log: self.name.clone(), cause });
                }
            }
        }
        Ok(self.ready.pop())
    }

    fn end(&mut self) {
        self.ended = true;
        self.summary.bad_lines = self.log.bad_lines().clone();
        self.flush();
    }

    /// Finishes everything; `ready` is taken from its end, so the earliest batch goes last.
    fn flush(&mut self) {
        self.ready.extend(self.decoders.iter_mut().flat_map(Decoder::finish_all));
        self.ready.sort_by_key(|batch| std::cmp::Reverse(batch.first_ts()));
    }

    fn take(&mut self, frame: &Frame) -> Result<(), LogDecodeError> {
        self.summary.frames += 1;
        if self.last.is_some_and(|last| last.since(frame.ts) > CLOCK_STEP) {
            self.summary.clock_steps += 1;
            self.flush();
            self.decoders.iter_mut().for_each(Decoder::forget_times);
        }
        self.last = Some(frame.ts);
        let channel = usize::from(frame.channel);
        while self.decoders.len() <= channel {
            let name = self.log.channels().get(self.decoders.len());
            let bus = name.cloned().unwrap_or_default();
            let naming = Naming { path: bus.clone(), bus };
            self.decoders.push(Decoder::new(Arc::clone(&self.plan), &naming)?);
        }
        let Some(decoder) = self.decoders.get_mut(channel) else { return Ok(()) };
        match decoder.push(frame, frame.ts, ClockState::Synced) {
            Outcome::Row { message, truncated, rows } => {
                self.summary.matched += 1;
                self.summary.truncated += u64::from(truncated);
                if rows >= BATCH_ROWS_MAX {
                    self.ready.extend(decoder.finish(message));
                }
            }
            Outcome::Piece | Outcome::Ignored => {}
            Outcome::Unknown => {
                self.summary.unknown += 1;
                if frame.kind == FrameKind::Data
                    && self.unknown.len() < UNKNOWN_IDS_MAX
                    && self.unknown.insert((frame.id, frame.extended))
                {
                    self.summary.unknown_ids += 1;
                }
            }
        }
        Ok(())
    }
}

impl Iterator for LogDecode {
    type Item = Result<Batch, LogDecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_batch().transpose()
    }
}

#[cfg(test)]
mod tests;
