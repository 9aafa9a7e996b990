//! Modbus adapter: from registers to batches.
//!
//! The way of a register: [`config`] says what is wanted and [`check`] turns it into lines,
//! [`plan`] finds the cheapest requests, [`line`](ModbusLine) asks for them in their slots through
//! `wire`, [`scan`] puts the answers of one slot into one row, and [`decode`] reads each value.
//! Modbus TCP for now; the framing is apart from the line that uses it.

pub mod area;
pub mod config;
pub mod decode;
pub mod discover;
pub mod dry_run;
pub mod encode;
mod line;
pub mod plan;
pub mod probe;
pub mod scan;
pub mod sunspec;
pub mod wire;
pub mod write;

#[cfg(test)]
mod cases;
#[cfg(test)]
mod image;

pub use config::{Device, DeviceConfig, Line, LineConfig, TagConfig, check};
pub use line::ModbusLine;
