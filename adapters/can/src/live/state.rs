//! State: what a bus is doing, from error frames, errors of the socket and looks at the interface.
//!
//! S-1 Whatever is seen, in whatever order, leaves exactly one state; nothing seen panics.
//! S-2 The interface's own word outweighs error frames; error frames are what there is between
//!     two looks, and on interfaces that say nothing (virtual ones).

use signals::Severity;
use signals::adapter::Status;

use super::errors::Confinement;

/// What a bus is doing, best first.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum BusState {
    /// Takes part in everything.
    Active,
    /// An error counter has reached 96.
    Warning,
    /// An error counter has reached 128.
    Passive,
    /// Off the bus after too many errors of its own.
    BusOff,
    /// The interface is set down.
    Down,
    /// There is no interface of that name.
    #[default]
    Absent,
    /// The interface is not set as the configuration asks: it is not listened to.
    Refused,
}

impl BusState {
    /// Its name in events.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Warning => "warning",
            Self::Passive => "passive",
            Self::BusOff => "bus_off",
            Self::Down => "down",
            Self::Absent => "absent",
            Self::Refused => "refused",
        }
    }

    /// All, best first.
    pub(crate) const ALL: [Self; 7] = [
        Self::Active,
        Self::Warning,
        Self::Passive,
        Self::BusOff,
        Self::Down,
        Self::Absent,
        Self::Refused,
    ];

    /// Its number in metrics.
    pub(crate) const fn number(self) -> f64 {
        match self {
            Self::Active => 0.0,
            Self::Warning => 1.0,
            Self::Passive => 2.0,
            Self::BusOff => 3.0,
            Self::Down => 4.0,
            Self::Absent => 5.0,
            Self::Refused => 6.0,
        }
    }

    /// Whether frames can arrive.
    pub(crate) const fn hears(self) -> bool {
        matches!(self, Self::Active | Self::Warning | Self::Passive)
    }

    /// How much entering it matters.
    pub(crate) const fn severity(self) -> Severity {
        match self {
            Self::Active => Severity::Note,
            Self::Warning | Self::Passive => Severity::Advisory,
            Self::BusOff | Self::Down | Self::Absent | Self::Refused => Severity::Alarm,
        }
    }

    /// NE 107 status of a bus in it.
    pub(crate) const fn status(self) -> Status {
        match self {
            Self::Active => Status::Normal,
            Self::Warning => Status::Maintenance,
            Self::Passive => Status::OutOfSpecification,
            Self::BusOff | Self::Down | Self::Absent | Self::Refused => Status::Failure,
        }
    }

    /// Why there are no frames, as `_gaps` has it.
    pub(crate) const fn gap_cause(self) -> &'static str {
        match self {
            Self::BusOff => "bus_off",
            Self::Absent => "interface_absent",
            Self::Refused => "interface_refused",
            Self::Down | Self::Active | Self::Warning | Self::Passive => "interface_down",
        }
    }

    /// What it means and what to do, for people.
    pub(crate) const fn advice(self) -> &'static str {
        match self {
            Self::Active => "the bus is up",
            Self::Warning => {
                "the controller counts many errors; check termination, cable and bit rate"
            }
            Self::Passive => {
                "the controller sees almost only errors; check termination, cable and bit rate"
            }
            Self::BusOff => {
                "the controller has left the bus after too many errors; check cable and bit rate, \
                 and let it come back with `ip link set <interface> type can restart-ms 1000`"
            }
            Self::Down => "the interface is down; set it up with `ip link set <interface> up`",
            Self::Absent => "there is no such interface; check the adapter and its driver",
            Self::Refused => "the interface is not set as configured; nothing is read from it",
        }
    }
}

/// Something seen of a bus.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Sign {
    /// A look found no interface, or the socket was told that it is gone.
    Gone,
    /// A look found the interface down, or the socket was told so.
    WentDown,
    /// A look found settings other than those configured.
    Misset,
    /// A look found the interface up, and what its controller says of itself, if it says anything.
    Up(Option<Confinement>),
    /// An error frame told the controller's state.
    Told(Confinement),
    /// A frame of somebody else arrived.
    Frame,
}

impl BusState {
    /// The state after `sign`.
    pub(crate) const fn after(self, sign: Sign) -> Self {
        match (self, sign) {
            (_, Sign::Gone) => Self::Absent,
            (_, Sign::WentDown) => Self::Down,
            (_, Sign::Misset) => Self::Refused,
            // Frames and reports may still wait in the queue of an interface that is down.
            (Self::Down | Self::Absent | Self::Refused, Sign::Told(_) | Sign::Frame)
            | (Self::Active | Self::Warning | Self::Passive, Sign::Up(None) | Sign::Frame)
            | (Self::BusOff, Sign::Up(None)) => self,
            // Who is off the bus hears nothing: with a frame it is on again.
            (Self::Down | Self::Absent | Self::Refused, Sign::Up(None))
            | (Self::BusOff, Sign::Frame) => Self::Active,
            (_, Sign::Up(Some(confinement)) | Sign::Told(confinement)) => Self::of(confinement),
        }
    }

    const fn of(confinement: Confinement) -> Self {
        match confinement {
            Confinement::Active => Self::Active,
            Confinement::Warning => Self::Warning,
            Confinement::Passive => Self::Passive,
            Confinement::BusOff => Self::BusOff,
        }
    }
}

#[cfg(test)]
mod tests;
