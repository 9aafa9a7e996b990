//! Link: what an interface says of itself, and whether it is set as the configuration asks.
//!
//! Read only: bit rates and modes are set by the system, the gateway has no right to. Read back at
//! every opening and once a second.

use nix::errno::Errno;
use socketcan::nl::{CanState, Mtu};
use socketcan::{CanCtrlMode, CanInterface};

use super::errors::Confinement;
use super::state::Sign;
use crate::bus::Live;

/// Folder of the kernel's own view of its network interfaces.
const INTERFACES: &str = "/sys/class/net";

/// An interface as it is now.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Link {
    /// Its number: another one after it was removed and came back.
    pub(crate) index: u32,
    /// Whether it is set up.
    pub(crate) is_up: bool,
    /// Whether it carries CAN FD frames.
    pub(crate) is_fd: bool,
    /// Bits per second; `None` for virtual interfaces.
    pub(crate) bitrate: Option<u32>,
    /// Bits per second of CAN FD payloads.
    pub(crate) data_bitrate: Option<u32>,
    /// Whether the controller neither acknowledges nor signals errors; `None` when it says nothing.
    pub(crate) is_listen_only: Option<bool>,
    /// What the controller says of its errors.
    pub(crate) controller: Option<CanState>,
    /// Transmit and receive error counters.
    pub(crate) counters: Option<(u16, u16)>,
    /// After how many ms it comes back from bus-off by itself; 0 never.
    pub(crate) restart_ms: Option<u32>,
}

impl Link {
    /// Looks at the interface; `None` when there is none of that name.
    ///
    /// # Errors
    /// When the kernel does not answer as it should.
    pub(crate) fn read(name: &str) -> Result<Option<Self>, socketcan::Error> {
        let interface = match CanInterface::open(name) {
            Ok(interface) => interface,
            Err(error) => return absent_or(error),
        };
        let details = match interface.details() {
            Ok(details) => details,
            Err(error) => return absent_or(error),
        };
        let can = details.can;
        Ok(Some(Self {
            index: details.index,
            is_up: details.is_up,
            is_fd: details.mtu == Some(Mtu::Fd),
            bitrate: can.bit_timing.map(|timing| timing.bitrate).filter(|rate| *rate > 0),
            data_bitrate: can.data_bit_timing.map(|timing| timing.bitrate).filter(|rate| *rate > 0),
            is_listen_only: can.ctrl_mode.map(|modes| modes.has_mode(CanCtrlMode::ListenOnly)),
            controller: can.state,
            counters: can.berr_counter.map(|counter| (counter.txerr, counter.rxerr)),
            restart_ms: can.restart_ms,
        }))
    }

    /// What the look says of the bus.
    pub(crate) fn sign(&self, wanted: &Live) -> Sign {
        let confinement = match self.controller {
            None => None,
            Some(CanState::ErrorActive) => Some(Confinement::Active),
            Some(CanState::ErrorWarning) => Some(Confinement::Warning),
            Some(CanState::ErrorPassive) => Some(Confinement::Passive),
            Some(CanState::BusOff) => Some(Confinement::BusOff),
            // What controllers say of themselves while they are down.
            Some(CanState::Stopped | CanState::Sleeping) => return Sign::WentDown,
        };
        match (self.is_up, self.deviations(wanted).is_empty()) {
            (false, _) => Sign::WentDown,
            (true, false) => Sign::Misset,
            (true, true) => Sign::Up(confinement),
        }
    }

    /// Where the interface is not set as `wanted`: what it is, and what to do.
    ///
    /// A virtual interface has no bit rate, so none is wrong there. Listen-only must be confirmed.
    pub(crate) fn deviations(&self, wanted: &Live) -> Vec<String> {
        let name = &wanted.interface;
        let mut found = Vec::new();
        let mut rate = |key: &str, of: &str, is: Option<u32>, asked: Option<u32>| {
            if let (Some(is), Some(asked)) = (is, asked)
                && is != asked
            {
                found.push(format!(
                    "{name} runs at {of} {is} bit/s, not at {asked}; set it with `ip link set \
                     {name} down; ip link set {name} up type can {of} {asked}`, or correct `{key}`"
                ));
            }
        };
        rate("bitrate", "bitrate", self.bitrate, wanted.bitrate);
        rate("data_bitrate", "dbitrate", self.data_bitrate, wanted.data_bitrate);
        if wanted.fd && !self.is_fd {
            found.push(format!(
                "{name} carries no CAN FD frames; set it with `ip link set {name} mtu 72` (virtual) \
                 or `… type can fd on dbitrate …`, or remove `fd` and `data_bitrate`"
            ));
        }
        if wanted.listen_only && self.is_listen_only != Some(true) {
            found.push(format!(
                "{name} is not in listen-only mode; set it with `ip link set {name} down; ip link \
                 set {name} up type can listen-only on`, or remove `listen_only`"
            ));
        }
        found
    }
}

fn absent_or<T>(error: socketcan::Error) -> Result<Option<T>, socketcan::Error> {
    let errno = match &error {
        socketcan::Error::Io(error) => error.raw_os_error(),
        socketcan::Error::Nl(error) => error.errno(),
        socketcan::Error::Can(_) => None,
    };
    match errno.map(Errno::from_raw) {
        Some(Errno::ENODEV | Errno::ENXIO) => Ok(None),
        _ => Err(error),
    }
}

/// Frames lost before they reached any socket, counted by the driver since it was loaded.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct DriverLosses {
    /// The controller's own buffer was full.
    pub(crate) controller: u64,
    /// The kernel had no room or no use for them.
    pub(crate) kernel: u64,
}

impl DriverLosses {
    /// The counts of an interface; `None` when it is gone or the system does not show them.
    pub(crate) fn read(interface: &str) -> Option<Self> {
        let count = |name: &str| -> Option<u64> {
            let path = format!("{INTERFACES}/{interface}/statistics/{name}");
            std::fs::read_to_string(path).ok()?.trim().parse().ok()
        };
        Some(Self {
            controller: count("rx_over_errors")?.saturating_add(count("rx_fifo_errors")?),
            kernel: count("rx_dropped")?.saturating_add(count("rx_missed_errors")?),
        })
    }

    /// What was added since `before`; a counter that went back was begun anew.
    pub(crate) const fn since(self, before: Self) -> Self {
        Self {
            controller: self.controller.saturating_sub(before.controller),
            kernel: self.kernel.saturating_sub(before.kernel),
        }
    }
}

#[cfg(test)]
mod tests;
