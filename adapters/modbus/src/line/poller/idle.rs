//! Between requests: waiting for the next slot, and what happens to the connection meanwhile.

use std::time::Duration;

use super::{EARLY, Poller};
use crate::line::link::Event;

/// Longest sleep: what is counted is shown at least so often.
const PAUSE_MAX: Duration = Duration::from_secs(5);

impl Poller {
    /// Sleeps until the next slot, probe or try to connect, or until the connection changes.
    pub(super) async fn idle(&mut self, now: Duration, retry_at: Option<Duration>) {
        // A due scan that is not asked waits for slack, at the longest until its next slot.
        let slots = self.scans.iter().map(|run| {
            let due = run.slot.due();
            if due <= now + EARLY { run.slot.deadline() } else { due }
        });
        let probes = self.devices.iter().filter_map(|device| device.unit.probe_at());
        let next = slots.chain(probes.filter(|at| *at > now)).min();
        // A little early, so that the coarse timer of the event loop is not late.
        let next = next.map(|next| next.saturating_sub(EARLY)).into_iter().chain(retry_at).min();
        let pause = next.map_or(PAUSE_MAX, |next| next.saturating_sub(now)).min(PAUSE_MAX);
        let event = tokio::select! {
            () = tokio::time::sleep(pause) => None,
            event = self.link.event() => Some(event),
            () = self.desk.ready() => None,
            () = self.feed.stop.raised() => None,
        };
        if let Some(event) = event {
            self.settle_link(event);
        }
        self.settle_late();
    }

    pub(super) fn settle_link(&mut self, event: Event) {
        let now = self.now();
        match event {
            Event::Up => {
                self.silence = 0;
                self.unanswered = None;
                if let Some(wire) = self.link.wire() {
                    wire.keep_gap(self.request_gap);
                }
                self.devices.iter_mut().for_each(|device| device.unit.reconnected(now));
                tracing::info!("{}: connected to {}", self.name, self.place);
            }
            Event::Failed(err) => {
                self.link.lose(now);
                // What dials says what to do.
                let told = format!("{}: cannot connect to {}: {err}", self.name, self.place);
                self.devices.iter_mut().for_each(|device| device.report.tell(told.clone()));
            }
            Event::Lost(fault) => {
                self.link.lose(now);
                tracing::info!("{}: connection to {} ended: {fault}", self.name, self.place);
            }
        }
    }

    /// Units whose late answers have come are alive.
    pub(super) fn settle_late(&mut self) {
        let Some(wire) = self.link.wire() else { return };
        let late = wire.take_late_units();
        if late.is_empty() {
            return;
        }
        self.silence = 0;
        let now = self.now();
        for device in self.devices.iter_mut().filter(|device| late.contains(&device.unit_id)) {
            device.unit.answered();
            device.late_at = Some(now);
        }
    }
}
