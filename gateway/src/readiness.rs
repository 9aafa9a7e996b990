//! Whether the gateway does its job: what `/readyz` answers and the service manager is told.

use signals::ClockState;
use signals::adapter::Status;

use crate::view::View;

/// What decides, looked up at one moment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Readiness {
    /// The journal's last error; `None` while its commits work.
    pub journal_error: Option<String>,
    /// Devices in failure.
    pub devices_failed: usize,
    /// Devices known.
    pub devices: usize,
    /// Whether wall time can be trusted. Told, and decides nothing: samples say it themselves.
    pub clock: ClockState,
}

impl Readiness {
    /// Looks at a running gateway; waits for the locks of the journal and of every device.
    #[must_use]
    pub fn of(view: &View) -> Self {
        let known = view.device_list();
        let failed = known.iter().filter(|device| device.vitals().status == Status::Failure);
        Self {
            journal_error: view.journal.last_error(),
            devices_failed: failed.count(),
            devices: known.len(),
            clock: view.clock.state(),
        }
    }

    /// Samples arrive and become durable. A gateway without devices has nothing to wait for.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.journal_error.is_none() && (self.devices == 0 || self.devices_failed < self.devices)
    }

    /// `ok`, or how many devices are in failure.
    #[must_use]
    pub fn devices_text(&self) -> String {
        match self.devices_failed {
            0 => "ok".to_owned(),
            failed => format!("{failed} of {} in failure", self.devices),
        }
    }
}
