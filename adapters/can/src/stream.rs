//! Stream: the frames of one bus on their way to batches, and what is counted on it.
//!
//! In: frames with their times, in the order of the bus, from a replay or an interface. Out:
//! batches, offered to the intake.
//! ST-1 A full intake costs the batch, counted in [`Counts::dropped`]; nothing ever waits for it.

use std::sync::Arc;
use std::time::Duration;

use signals::adapter::{Reading, Vitals};
use signals::{Batch, ClockState, Intake, Timestamp};

use crate::decode::{BATCH_ROWS_MAX, Decoder, Outcome};
use crate::frame::Frame;
use crate::plan::DecodePlan;
use crate::unknown::UnknownIds;
use crate::watch::meters;

/// What became of the frames of a bus.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    /// Frames taken.
    pub(crate) frames: u64,
    /// Frames that became a row with all its signals.
    pub(crate) decoded: u64,
    /// Frames too short for one of their signals.
    pub(crate) truncated: u64,
    /// Frames that no database knows; remote frames among them.
    pub(crate) unknown: u64,
    /// Identifiers of those.
    pub(crate) unknown_ids: UnknownIds,
    /// Batches the full intake gave back.
    pub(crate) dropped: u64,
    /// Rows in those.
    pub(crate) dropped_rows: u64,
    /// Time of the newest frame.
    pub(crate) last_frame: Option<Timestamp>,
}

/// One bus on its way to the intake.
pub(crate) struct Stream {
    decoder: Decoder,
    intake: Arc<dyn Intake>,
    counts: Counts,
}

impl Stream {
    pub(crate) fn new(decoder: Decoder, intake: Arc<dyn Intake>) -> Self {
        Self { decoder, intake, counts: Counts::default() }
    }

    /// Decodes a frame received at `ts`; a full batch goes to the intake at once.
    pub(crate) fn push(&mut self, frame: &Frame, ts: Timestamp, clock: ClockState) {
        self.counts.frames += 1;
        self.counts.last_frame = Some(ts);
        match self.decoder.push(frame, ts, clock) {
            Outcome::Row { message, truncated, rows } => {
                self.counts.decoded += u64::from(!truncated);
                self.counts.truncated += u64::from(truncated);
                if rows >= BATCH_ROWS_MAX
                    && let Some(batch) = self.decoder.finish(message)
                {
                    self.counts.offer(&*self.intake, batch);
                }
            }
            Outcome::Piece | Outcome::Ignored => {}
            Outcome::Unknown => {
                self.counts.unknown += 1;
                self.counts.unknown_ids.note(frame);
            }
        }
    }

    /// Goes on with another decoder: what is waiting is offered, and no frame is decoded twice.
    pub(crate) fn swap(&mut self, decoder: Decoder) {
        self.offer_all();
        let before = std::mem::replace(&mut self.decoder, decoder);
        self.decoder.inherit(before);
    }

    /// The plan its frames are decoded with.
    pub(crate) fn plan(&self) -> &Arc<DecodePlan> {
        self.decoder.plan()
    }

    /// Says what time it is: messages that have been silent for too long get a row without values.
    pub(crate) fn tick(&mut self, now: Timestamp, monotonic: Duration, clock: ClockState) {
        self.decoder.tick(now, monotonic, clock);
    }

    /// Watched messages as readings.
    pub(crate) fn message_readings(&self) -> Vec<Reading> {
        meters::readings(self.decoder.watched())
    }

    /// Offers all rows so far.
    pub(crate) fn offer_all(&mut self) {
        for batch in self.decoder.finish_all() {
            self.counts.offer(&*self.intake, batch);
        }
    }

    /// What was counted.
    pub(crate) const fn counts(&self) -> &Counts {
        &self.counts
    }
}

impl Counts {
    /// Puts the counts where whoever looks at the device's health finds them.
    pub(crate) fn show(&self, vitals: &mut Vitals) {
        vitals.requests = self.frames;
        vitals.answers = self.decoded;
        vitals.exceptions = self.truncated;
        vitals.dropped = self.dropped;
        vitals.last_good = self.last_frame;
    }

    fn offer(&mut self, intake: &dyn Intake, batch: Batch) {
        if let Err(refused) = intake.offer(batch) {
            self.dropped += 1;
            self.dropped_rows += refused.rows.num_rows() as u64;
        }
    }
}
