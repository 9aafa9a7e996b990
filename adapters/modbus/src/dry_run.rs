//! A dry run: which requests a line will send, and how much of its time they take. Opens nothing.

use std::time::Duration;

use crate::config::{Line, Transport};
use crate::plan::{CostModel, silence};
use crate::scan::Read;

/// What is assumed of devices nobody has asked yet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Assumed {
    /// Request to answer over a network.
    pub round_trip: Duration,
    /// Request to answer on a serial line, without the characters themselves.
    pub turnaround: Duration,
}

impl Default for Assumed {
    /// A switch in between and a device of the last ten years; a serial device of any age.
    fn default() -> Self {
        Self { round_trip: Duration::from_millis(5), turnaround: Duration::from_millis(4) }
    }
}

/// The requests of one scan.
#[derive(Clone, Debug)]
pub struct ScanPlan {
    /// Device.
    pub device: String,
    /// Unit id.
    pub unit: u8,
    /// Time from one row to the next.
    pub period: Duration,
    /// Its tags.
    pub tags: usize,
    /// Its requests, in the order they are sent.
    pub reads: Vec<(Read, Duration)>,
}

/// What a line has to do.
#[derive(Clone, Debug)]
pub struct LinePlan {
    /// Its scans, in the order of the configuration.
    pub scans: Vec<ScanPlan>,
    /// Share of its time the line is busy; above 1 slots are missed.
    pub utilisation_ratio: f64,
}

impl ScanPlan {
    /// Time on the line for one row.
    #[must_use]
    pub fn time(&self) -> Duration {
        self.reads.iter().map(|(_, time)| *time).sum()
    }

    /// Registers and bits read for one row, those in gaps among them.
    #[must_use]
    pub fn values(&self) -> u32 {
        self.reads.iter().map(|(read, _)| u32::from(read.count)).sum()
    }
}

/// What a checked line will do, one request at a time.
#[must_use]
pub fn dry_run(line: &Line, assumed: Assumed) -> LinePlan {
    let cost = cost(line, assumed);
    let time = |read: Read| cost.time(read.area.holds_bits(), read.count);
    let scans: Vec<ScanPlan> = line
        .devices
        .iter()
        .flat_map(|device| {
            device.scans.iter().map(|scan| ScanPlan {
                device: device.name.clone(),
                unit: device.unit,
                period: scan.period(),
                tags: scan.table().signals().len(),
                reads: scan.reads().iter().map(|read| (*read, time(*read))).collect(),
            })
        })
        .collect();
    let share = |scan: &ScanPlan| scan.time().as_secs_f64() / scan.period.as_secs_f64();
    let utilisation_ratio = scans.iter().map(share).sum();
    LinePlan { scans, utilisation_ratio }
}

/// Time from the start of a request to the earliest start of the next, after the model the planner
/// has of the line.
fn cost(line: &Line, assumed: Assumed) -> CostModel {
    match &line.transport {
        Transport::Rtu { serial, .. } => {
            let bare = CostModel::serial(serial, assumed.turnaround);
            bare.with_gap(line.request_gap, silence(serial))
        }
        Transport::Tcp { .. } | Transport::Tls { .. } | Transport::RtuOverTcp { .. } => {
            CostModel::network(assumed.round_trip).with_gap(line.request_gap, Duration::ZERO)
        }
    }
}

#[cfg(test)]
mod tests;
