//! Heard: what the frames of a bus change: its counts, its state, its rows.

use std::time::Duration;

use serde_json::json;
use signals::{ClockState, Timestamp};

use crate::frame::{Frame, FrameKind};
use crate::live::errors::{Cause, Report};
use crate::live::load::WireBits;
use crate::live::meters::Tally;
use crate::live::receive::{Received, read_frame};
use crate::live::report::{Moment, Reporter, Stage};
use crate::live::stamp::Stamper;
use crate::live::state::{BusState, Sign};
use crate::stream::Stream;

/// What frames change.
pub(super) struct Heard {
    pub(super) stream: Stream,
    pub(super) reporter: Reporter,
    pub(super) tally: Tally,
    pub(super) stamper: Stamper,
    pub(super) frame: Frame,
    /// Frames lost by this socket, as far as they are told.
    pub(super) lost: u32,
    pub(super) bits: WireBits,
    pub(super) now: Moment,
    pub(super) clock: ClockState,
    pub(super) last: Option<(Timestamp, Duration)>,
}

impl Heard {
    pub(super) fn new(stream: Stream, reporter: Reporter) -> Self {
        Self {
            stream,
            reporter,
            tally: Tally::default(),
            stamper: Stamper::default(),
            frame: Frame::default(),
            lost: 0,
            bits: WireBits::default(),
            now: Moment::default(),
            clock: ClockState::Unsynced,
            last: None,
        }
    }

    /// One message of the kernel.
    pub(super) fn take(&mut self, received: Received<'_>) {
        if !read_frame(received.bytes, &mut self.frame) {
            self.tally.malformed += 1;
            return;
        }
        let at = self.stamper.next(received.at.unwrap_or(self.now.wall));
        self.frame.ts = at;
        let moment = Moment { wall: at, ..self.now };
        self.note_lost(received.lost, moment);
        self.last = Some((at, self.now.steady));
        self.bits.add(WireBits::of(&self.frame));
        if self.frame.kind == FrameKind::Error {
            self.take_error(moment);
        } else if self.tally.state == BusState::BusOff {
            self.see_at(Sign::Frame, moment);
        }
        self.stream.push(&self.frame, at, self.clock);
    }

    fn take_error(&mut self, moment: Moment) {
        self.tally.error_frames += 1;
        let report = Report::of(&self.frame);
        for cause in &report.causes {
            self.tally.causes.count(*cause);
            self.tally.restarts += u64::from(*cause == Cause::Restarted);
        }
        if let Some((transmit, receive)) = report.counters {
            self.tally.counters = Some((transmit.into(), receive.into()));
        }
        if let Some(confinement) = report.confinement {
            self.see_at(Sign::Told(confinement), moment);
        }
    }

    /// `total` frames found the queue of this socket full.
    pub(super) fn note_lost(&mut self, total: Option<u32>, now: Moment) {
        let Some(total) = total else { return };
        // Counts of two sources cross: one that is behind the other adds nothing.
        let new = total.wrapping_sub(self.lost);
        if new == 0 || new > u32::MAX / 2 {
            return;
        }
        self.lost = total;
        self.add_lost(Stage::Socket, new.into(), now);
    }

    pub(super) fn add_lost(&mut self, stage: Stage, frames: u64, now: Moment) {
        if frames == 0 {
            return;
        }
        if let Some(lost) = self.tally.lost.get_mut(stage as usize) {
            *lost += frames;
        }
        let from = self.last.map_or(now.wall, |(at, _)| at);
        self.reporter.lost(stage, frames, (from, now));
    }

    pub(super) fn see(&mut self, sign: Sign) {
        self.see_at(sign, self.now);
    }

    fn see_at(&mut self, sign: Sign, now: Moment) {
        let state = self.tally.state.after(sign);
        self.tally.state = state;
        if self.reporter.is_told(state) {
            return;
        }
        let counters = self.tally.counters.map(|(tec, rec)| json!({ "tec": tec, "rec": rec }));
        let heard = self.last.map(|(at, _)| at);
        self.reporter.state(state, heard, (now, counters.unwrap_or_default()));
    }
}
