//! Outages of days, drained through a broker that restarts, a network that fails and a gateway
//! that is killed: everything arrives, what comes twice is the same bytes, what is new does not
//! wait, and the rate is kept. Against mosquitto.
//!
//! The gateway here is an outbox and an uplink in a process of its own: this test program started
//! again, so that it can be killed. Half an hour of outage by default; `FIELDGATE_DRAIN_HOURS=72`
//! for the long one.

#[cfg(test)]
mod broker;
#[cfg(test)]
mod child;
#[cfg(test)]
mod outages;
#[cfg(test)]
mod proxy;
