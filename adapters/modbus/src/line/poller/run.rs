//! Devices and scans of a line at work: what is known of each.

use std::sync::Arc;
use std::time::Duration;

use signals::adapter::Health;
use signals::{BatchBuilder, Reason};

use super::lesson;
use crate::config::Device;
use crate::line::absence::Absence;
use crate::line::learn::{Learner, Place};
use crate::line::meters::UnitMeters;
use crate::line::report::Report;
use crate::line::slot::{Load, Slot};
use crate::line::stamp::Stamper;
use crate::line::unit::{Unit, seed};
use crate::scan::{Cut, Read, Scan, Tally, Watch};

/// Rows in a row that are refused before a scan that was answered is taken to have changed.
const REFUSALS_MIN: u32 = 2;

/// One device at work.
pub(super) struct DeviceRun {
    pub(super) unit_id: u8,
    pub(super) timeout: Duration,
    pub(super) unit: Unit,
    /// The smallest read of the device: what a probe asks for.
    pub(super) probe: Option<Read>,
    /// How long the line was held up by a request to it that brought nothing; `None` when that
    /// is not known.
    pub(super) hold: Option<Duration>,
    /// When an answer of it came after its request had been given up.
    pub(super) late_at: Option<Duration>,
    /// When it was asked last.
    pub(super) asked_at: Duration,
    pub(super) report: Report,
    pub(super) meters: UnitMeters,
    pub(super) learner: Learner,
    /// Whose the lessons are.
    pub(super) place: Place,
    pub(super) budget: lesson::Budget,
}

/// One scan at work.
pub(super) struct ScanRun {
    pub(super) scan: Scan,
    /// Place of its device.
    pub(super) device: usize,
    pub(super) slot: Slot,
    /// Phase of its slots, once packed.
    pub(super) phase: Duration,
    pub(super) stamper: Stamper,
    /// What it has missed.
    pub(super) absence: Absence,
    pub(super) builder: BatchBuilder,
    /// When the oldest row in the builder was made.
    pub(super) oldest: Duration,
    /// How the last row came out.
    pub(super) tally: Tally,
    /// What the watchdog tag showed, when it is read here.
    pub(super) watch: Option<Watch>,
    /// Least line time of its complete rounds.
    pub(super) cost: Option<Duration>,
    /// Where refused reads were cut, until the cause is known.
    pub(super) cuts: Vec<Cut>,
    /// Rows in a row without a refusal, and with one after that.
    pub(super) settled_rows: u32,
    pub(super) refused_rows: u32,
    /// Whether its turn has come while the line was connected.
    pub(super) asked: bool,
}

impl DeviceRun {
    pub(super) fn new(
        device: &Device,
        place: Place,
        learner: Learner,
        health: Arc<Health>,
    ) -> Self {
        let reads = device.scans.iter().flat_map(Scan::reads);
        Self {
            unit_id: device.unit,
            timeout: device.timeout,
            unit: Unit::new(seed(&device.name)),
            probe: reads.min_by_key(|read| read.count).copied(),
            hold: None,
            late_at: None,
            asked_at: Duration::ZERO,
            report: Report::new(health),
            meters: UnitMeters::new(&device.name, device.unit),
            learner,
            place,
            budget: lesson::Budget::default(),
        }
    }
}

impl DeviceRun {
    /// How long a request to it may hold the line up: a gateway may wait for a dead unit longer
    /// than we do.
    pub(super) fn hold(&self) -> Duration {
        self.hold.unwrap_or(self.timeout)
    }
}

impl ScanRun {
    pub(super) fn new(scan: Scan, device: usize) -> Self {
        Self {
            device,
            slot: Slot::new(Duration::ZERO, scan.period()),
            phase: Duration::ZERO,
            stamper: Stamper::default(),
            absence: Absence::default(),
            builder: BatchBuilder::new(Arc::clone(scan.table())),
            oldest: Duration::ZERO,
            tally: Tally { signals: 0, bad: 0, reason: Reason::None },
            watch: None,
            cost: None,
            cuts: Vec::new(),
            settled_rows: 0,
            refused_rows: 0,
            asked: false,
            scan,
        }
    }

    /// Whether a refusal may be believed: at once when nothing was answered before, else when it
    /// comes again and again.
    pub(super) fn believes_refusals(&self) -> bool {
        self.settled_rows == 0 || self.refused_rows >= REFUSALS_MIN
    }

    /// What it takes of its line; `trip` is the line's round trip, for scans nobody answered yet.
    pub(super) fn load(&self, trip: Duration) -> Load {
        let reads = u32::try_from(self.scan.reads().len()).unwrap_or(u32::MAX);
        Load { period: self.scan.period(), cost: self.cost.unwrap_or(trip.saturating_mul(reads)) }
    }
}
