//! The simulated plant: a seeded simulation, and a real Modbus TCP server in front of it.
//!
//! For the demo, for tests and for benches. Nothing here feeds the gateway directly: what the
//! plant shows goes over a socket like any device's registers.
//!
//! | module | what |
//! |---|---|
//! | [`plant`] | the machines, their faults and their registers; pure |
//! | [`server`] | the plant behind Modbus TCP |

pub mod plant;
pub mod server;
