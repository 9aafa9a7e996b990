//! Errors: what a controller reports in an error frame, by cause.
//!
//! In: error frames as the kernel makes them (`linux/can/error.h`). Out: causes to count, the
//! controller's state if the frame tells it, and its error counters.

use socketcan::errors::{ControllerProblems, ErrorCause, Location, ViolationTypes};
use socketcan::{CanError, CanErrorFrame};

use crate::frame::Frame;

macro_rules! causes {
    ($($cause:ident $label:literal;)*) => {
        /// Why an error frame was made. One frame can have several.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub(crate) enum Cause { $(#[doc = concat!("`", $label, "`")] $cause,)* }

        impl Cause {
            /// All of them, in the order of their values.
            pub(crate) const ALL: &'static [Self] = &[$(Self::$cause,)*];

            /// Its name in metrics and events.
            pub(crate) const fn label(self) -> &'static str {
                match self { $(Self::$cause => $label,)* }
            }
        }
    };
}

causes! {
    TransmitTimeout "transmit_timeout";
    LostArbitration "lost_arbitration";
    ReceiveOverflow "receive_overflow";
    TransmitOverflow "transmit_overflow";
    Warning "warning";
    Passive "passive";
    Active "active";
    Controller "controller";
    Bit "bit";
    Form "form";
    Stuff "stuff";
    Crc "crc";
    Overload "overload";
    Protocol "protocol";
    Transceiver "transceiver";
    NoAck "no_ack";
    BusOff "bus_off";
    BusError "bus_error";
    Restarted "restarted";
    Unknown "unknown";
}

/// Error frames of a bus by cause.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct CauseCounts([u64; Cause::ALL.len()]);

impl CauseCounts {
    pub(crate) fn count(&mut self, cause: Cause) {
        if let Some(count) = self.0.get_mut(cause as usize) {
            *count += 1;
        }
    }

    /// How many had this cause.
    pub(crate) fn of(&self, cause: Cause) -> u64 {
        self.0.get(cause as usize).copied().unwrap_or(0)
    }

    /// Causes with their counts, those without a count left out.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Cause, u64)> + '_ {
        Cause::ALL.iter().copied().zip(self.0).filter(|(_, count)| *count > 0)
    }

    /// What was added since `before`.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let mut added = *self;
        for (count, old) in added.0.iter_mut().zip(before.0) {
            *count = count.saturating_sub(old);
        }
        added
    }
}

/// Fault confinement of a controller (ISO 11898-1:2015, clause 12.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Confinement {
    /// Takes part in everything.
    Active,
    /// A counter has reached 96.
    Warning,
    /// A counter has reached 128: errors are signalled to nobody.
    Passive,
    /// The transmit counter has passed 255: off the bus.
    BusOff,
}

/// What one error frame says.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Report {
    /// Its causes, at least one.
    pub(crate) causes: Vec<Cause>,
    /// The controller's state, if it is told.
    pub(crate) confinement: Option<Confinement>,
    /// Transmit and receive error counters, if they are told.
    pub(crate) counters: Option<(u8, u8)>,
}

impl Report {
    /// What an error frame says. Total: nothing a frame can hold is refused.
    pub(crate) fn of(frame: &Frame) -> Self {
        let payload = frame.payload.get(..8).unwrap_or_default();
        let Ok(error) = CanErrorFrame::new_error(frame.id, payload) else {
            return Self { causes: vec![Cause::Unknown], ..Self::default() };
        };
        let mut report = Self::default();
        for cause in CanError::from(error).causes() {
            report.add(*cause);
        }
        if report.causes.is_empty() {
            report.causes.push(Cause::Unknown);
        }
        report
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "kernels to come know more causes")]
    fn add(&mut self, cause: ErrorCause) {
        match cause {
            ErrorCause::TransmitTimeout => self.causes.push(Cause::TransmitTimeout),
            ErrorCause::LostArbitration(_) => self.causes.push(Cause::LostArbitration),
            ErrorCause::Controller(problems) => self.add_controller(problems),
            ErrorCause::Protocol { types, location } => self.add_protocol(types, location),
            ErrorCause::Transceiver { .. } => self.causes.push(Cause::Transceiver),
            ErrorCause::NoAck => self.causes.push(Cause::NoAck),
            ErrorCause::BusOff => {
                self.causes.push(Cause::BusOff);
                self.confinement = Some(Confinement::BusOff);
            }
            ErrorCause::BusError => self.causes.push(Cause::BusError),
            ErrorCause::Restarted => {
                self.causes.push(Cause::Restarted);
                self.confinement = Some(Confinement::Active);
            }
            ErrorCause::Counters { tx, rx } => self.counters = Some((tx, rx)),
            _ => self.causes.push(Cause::Unknown),
        }
    }

    fn add_controller(&mut self, problems: ControllerProblems) {
        let warning = ControllerProblems::RX_WARNING | ControllerProblems::TX_WARNING;
        let passive = ControllerProblems::RX_PASSIVE | ControllerProblems::TX_PASSIVE;
        let before = self.causes.len();
        if problems.contains(ControllerProblems::RX_OVERFLOW) {
            self.causes.push(Cause::ReceiveOverflow);
        }
        if problems.contains(ControllerProblems::TX_OVERFLOW) {
            self.causes.push(Cause::TransmitOverflow);
        }
        let states = [
            (ControllerProblems::ACTIVE, Cause::Active, Confinement::Active),
            (warning, Cause::Warning, Confinement::Warning),
            (passive, Cause::Passive, Confinement::Passive),
        ];
        // The worst of several holds.
        for (flags, cause, confinement) in states {
            if problems.intersects(flags) {
                self.causes.push(cause);
                self.confinement = Some(confinement);
            }
        }
        if self.causes.len() == before {
            self.causes.push(Cause::Controller);
        }
    }

    fn add_protocol(&mut self, types: ViolationTypes, location: Location) {
        let bit = ViolationTypes::BIT | ViolationTypes::BIT0 | ViolationTypes::BIT1;
        let kinds = [
            (bit, Cause::Bit),
            (ViolationTypes::FORM, Cause::Form),
            (ViolationTypes::STUFF, Cause::Stuff),
            (ViolationTypes::OVERLOAD, Cause::Overload),
        ];
        let before = self.causes.len();
        self.causes.extend(kinds.iter().filter(|(f, _)| types.intersects(*f)).map(|(_, c)| *c));
        // What has no type of its own is known by where it happened.
        if location == Location::CrcSequence {
            self.causes.push(Cause::Crc);
        } else if self.causes.len() == before {
            let is_unheard = location == Location::AckSlot;
            self.causes.push(if is_unheard { Cause::NoAck } else { Cause::Protocol });
        }
    }
}

#[cfg(test)]
mod tests;
