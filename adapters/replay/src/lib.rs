//! Simulated assets: a plant with a real Modbus TCP server in front of it, recordings of it, and
//! of a vehicle's bus, with labels.
//!
//! For the demo, for tests and for benches. Nothing here feeds the gateway directly: what the
//! plant shows goes over a socket like any device's registers.
//!
//! | module | what |
//! |---|---|
//! | [`plant`] | the machines, their faults and their registers; pure |
//! | [`server`] | the plant behind Modbus TCP |
//! | [`recording`] | weeks of the plant from a seed, a row a second |
//! | [`vehicle`] | a drive as CAN frames, with faults and attacks |
//! | [`labels`] | what was the case in a recording, and when |

pub mod labels;
pub mod plant;
pub mod recording;
pub mod server;
pub mod vehicle;
