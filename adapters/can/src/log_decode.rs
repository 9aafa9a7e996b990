//! Log decode: a recorded log to batches at the times of its recording.
//!
//! Every channel of the log is a bus of its own: channel `can0` and message `AMB` give the table
//! `can0_amb` and paths below `can0/amb`.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use signals::{Batch, ClockState, TableError, Timestamp};

use crate::dbc::{Database, DbcError, Lint};
use crate::decode::{BATCH_ROWS_MAX, Decoder, Outcome};
use crate::frame::Frame;
use crate::logs::{BadLines, LogReader};
use crate::plan::{DecodePlan, Matching};
use crate::source::Source;
use crate::tables::Naming;
use crate::unknown::UnknownIds;

/// A frame this much earlier than the one before it: the recorder's clock was set back.
const CLOCK_STEP: Duration = Duration::from_secs(1);

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

/// Frames one after the other, with the names of the channels they were on.
pub trait FrameSource: Send {
    /// Reads the next frame; false at the end.
    ///
    /// # Errors
    /// Those of reading.
    fn next(&mut self, frame: &mut Frame) -> io::Result<bool>;
    /// Names of channels; [`Frame::channel`] is a place in here.
    fn channels(&self) -> &[String];
    /// Whether the next frame may have to be waited for.
    fn may_wait(&self) -> bool {
        false
    }
    /// What was not a frame so far.
    fn bad_lines(&self) -> BadLines {
        BadLines::default()
    }
}

impl FrameSource for LogReader {
    fn next(&mut self, frame: &mut Frame) -> io::Result<bool> {
        Self::next(self, frame)
    }

    fn channels(&self) -> &[String] {
        Self::channels(self)
    }

    fn bad_lines(&self) -> BadLines {
        Self::bad_lines(self).clone()
    }
}

/// Decodes a log, batch by batch. Iterate to the end, then ask for the [`Summary`].
pub struct LogDecode {
    name: String,
    log: Box<dyn FrameSource>,
    plan: Arc<DecodePlan>,
    decoders: Vec<Decoder>,
    ready: Vec<Batch>,
    unknown: UnknownIds,
    /// Time of the last frame, by channel.
    last: Vec<Timestamp>,
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
        let (plan, lint) = plan_of(databases, matching)?;
        let mut decode = Self::with_plan(plan, log)?;
        decode.summary.lint = lint;
        Ok(decode)
    }

    /// As [`LogDecode::open`], with a plan at hand; the summary has no lint then.
    ///
    /// # Errors
    /// [`LogDecodeError::Read`].
    pub fn with_plan(plan: Arc<DecodePlan>, log: &Source) -> Result<Self, LogDecodeError> {
        let name = log.to_string();
        let input =
            log.open().map_err(|cause| LogDecodeError::Read { log: name.clone(), cause })?;
        Ok(Self::of_frames(plan, name, Box::new(LogReader::new(input))))
    }

    /// As [`LogDecode::with_plan`], of frames from anywhere; `name` is for messages.
    #[must_use]
    pub fn of_frames(plan: Arc<DecodePlan>, name: String, log: Box<dyn FrameSource>) -> Self {
        Self {
            name,
            log,
            plan,
            decoders: Vec::new(),
            ready: Vec::new(),
            unknown: UnknownIds::default(),
            last: Vec::new(),
            summary: Summary::default(),
            ended: false,
        }
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
        self.summary.bad_lines = self.log.bad_lines();
        self.summary.unknown_ids = self.unknown.len() as u64;
        self.flush();
    }

    /// Finishes everything; `ready` is taken from its end, so the earliest batch goes last.
    fn flush(&mut self) {
        self.ready.extend(self.decoders.iter_mut().flat_map(Decoder::finish_all));
        self.ready.sort_by_key(|batch| std::cmp::Reverse(batch.first_ts()));
    }

    fn take(&mut self, frame: &Frame) -> Result<(), LogDecodeError> {
        self.summary.frames += 1;
        let channel = usize::from(frame.channel);
        if self.last.get(channel).is_some_and(|last| last.since(frame.ts) > CLOCK_STEP) {
            self.summary.clock_steps += 1;
            self.flush();
            self.decoders.iter_mut().for_each(Decoder::forget_times);
        }
        while self.decoders.len() <= channel {
            let name = self.log.channels().get(self.decoders.len());
            let bus = name.cloned().unwrap_or_default();
            let naming = Naming { path: bus.clone(), bus };
            self.decoders.push(Decoder::new(Arc::clone(&self.plan), &naming)?);
            self.last.push(frame.ts);
        }
        if let Some(last) = self.last.get_mut(channel) {
            *last = frame.ts;
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
                self.unknown.note(frame);
            }
        }
        Ok(())
    }
}

/// The plan for databases in order of precedence, and what is out of order in them.
///
/// # Errors
/// A database that cannot be read.
pub fn plan_of(
    databases: &[Source],
    matching: Matching,
) -> Result<(Arc<DecodePlan>, Vec<Lint>), LogDecodeError> {
    let databases = databases.iter().map(Database::load).collect::<Result<Vec<_>, _>>()?;
    let plan = DecodePlan::new(&databases, matching, |_, _| true);
    let mut lint: Vec<Lint> = databases.iter().flat_map(|d| d.lint.rows().to_vec()).collect();
    lint.extend_from_slice(plan.lint());
    Ok((Arc::new(plan), lint))
}

impl Iterator for LogDecode {
    type Item = Result<Batch, LogDecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_batch().transpose()
    }
}

#[cfg(test)]
mod tests;
