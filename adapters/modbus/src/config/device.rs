//! Lines and devices as checked: nothing here can be wrong any more.

use std::time::Duration;

use super::transport::{Depth, Transport};
use crate::scan::Scan;
use crate::write::WritableTag;

/// One connection, with the devices on it.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Its name.
    pub name: String,
    /// The wire it is reached by.
    pub transport: Transport,
    /// Requests on their way at once; 1 on everything but TCP and TLS.
    pub pipeline: Depth,
    /// How long a connection may take to come up.
    pub connect_timeout: Duration,
    /// Pause between an answer and the next request.
    pub request_gap: Duration,
    /// The devices on it; no two have the same unit id.
    pub devices: Vec<Device>,
}

/// One unit on a line.
#[derive(Clone, Debug, PartialEq)]
pub struct Device {
    /// Its name, unique in the gateway.
    pub name: String,
    /// Unit id.
    pub unit: u8,
    /// One line for the operator.
    pub description: Option<String>,
    /// How long to wait for an answer; shorter than every scan period.
    pub timeout: Duration,
    /// What is read together, by period, fastest first.
    pub scans: Vec<Scan>,
    /// The allow-list of writing: the tags with a `write` key.
    pub writable: Vec<WritableTag>,
    /// The tag that shows that the device's program runs.
    pub watchdog: Option<Watchdog>,
}

/// Where the watchdog tag of a device is read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Watchdog {
    /// Place in [`Device::scans`].
    pub scan: usize,
    /// Place in the signals of the scan's table.
    pub signal: usize,
}
