//! The appliance from outside: the binary `fieldgate` as a process, held against programs that
//! share no code with it (`DuckDB`, `PyArrow`, pymodbus, mosquitto, Chromium).
//!
//! Needs the binary (`cargo build --release`) and the peers that `tests/run` installs. What a
//! test measured it prints: `cargo test --release -p tests -- --nocapture`.

#[cfg(test)]
mod access;
#[cfg(test)]
mod alarms;
#[cfg(test)]
mod can_decode;
#[cfg(test)]
mod can_logs;
#[cfg(test)]
mod completeness;
#[cfg(test)]
mod config_check;
#[cfg(test)]
mod databases;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod devices;
#[cfg(test)]
mod doctor;
#[cfg(test)]
mod export;
#[cfg(test)]
mod forwarding;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod kills;
#[cfg(test)]
mod machine;
#[cfg(test)]
mod page;
#[cfg(test)]
mod peers;
#[cfg(test)]
mod query;
#[cfg(test)]
mod readers;
#[cfg(test)]
mod reductions;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod serial;
#[cfg(test)]
mod tidy;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod truck;
#[cfg(test)]
mod upload;
#[cfg(test)]
mod windows;
#[cfg(test)]
mod yocto;
