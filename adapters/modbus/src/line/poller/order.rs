//! Commands: carried out between reads, before those that are due, yet never instead of them.

use super::{EARLY, Poller};
use crate::wire::Fault;

/// Reads between two commands while reads are due.
const READS_PER_ORDER: usize = 2;

impl Poller {
    /// Carries out the next command, if one waits and it is its turn; false when not.
    pub(super) async fn carry_out_order(&mut self) -> bool {
        if self.reads_since_order < READS_PER_ORDER && self.is_read_due() {
            return false;
        }
        let Some(order) = self.desk.next_order() else { return false };
        self.reads_since_order = 0;
        let left = self.gap_left();
        super::ask::sleep_if(left).await;
        let errand = order.carry_out(self.link.wire(), self.request_gap).await;
        if !errand.exchanges.is_empty() {
            self.last_exchange = Some(tokio::time::Instant::now());
        }
        for (unit, outcome) in errand.exchanges {
            self.settle_command(unit, outcome);
        }
        self.busy = 0;
        self.settle_line();
        true
    }

    fn is_read_due(&self) -> bool {
        let soon = self.now() + EARLY;
        self.link.is_up() && self.scans.iter().any(|run| run.slot.due() <= soon)
    }

    /// What the outcome of a command's request says of its unit and of the line.
    fn settle_command(&mut self, unit: u8, outcome: Result<(), Fault>) {
        let now = self.now();
        let place = self.devices.iter().position(|device| device.unit_id == unit);
        let company = place.is_some_and(|place| self.has_company(place));
        let Some(run) = place.and_then(|place| self.devices.get_mut(place)) else { return };
        run.report.counts.requests += 1;
        run.asked_at = now;
        match outcome {
            Err(Fault::Timeout) => {
                run.report.counts.timeouts += 1;
                run.unit.timed_out(now, company);
                self.silence += 1;
                return;
            }
            Err(Fault::Exception(code @ (10 | 11))) => {
                run.meters.refused(code);
                run.report.counts.exceptions += 1;
                run.unit.timed_out(now, company);
            }
            Err(Fault::Exception(code)) => {
                run.meters.refused(code);
                run.report.counts.answers += 1;
                run.report.counts.exceptions += 1;
                run.unit.answered();
            }
            Ok(()) => {
                run.report.counts.answers += 1;
                run.unit.answered();
            }
            Err(Fault::Framing(_) | Fault::Closed | Fault::Io(_) | Fault::Request) => return,
            Err(_) => run.report.counts.exceptions += 1,
        }
        self.silence = 0;
        self.link.answered();
    }
}
