//! Faults: the adapter's lines against a server that does everything wrong on purpose, over TCP,
//! RTU over TCP and RTU on a pseudo terminal. The law: no wrong value of good quality, ever.
//!
//! Needs `python3`. `cargo test --release -p adapters-modbus --test faults -- --nocapture` prints
//! a table of every scenario with what was measured.
//!
//! | variable | meaning |
//! |---|---|
//! | `FIELDGATE_MODBUS_CASES` | folders with more scenarios, separated by colons |
//! | `FIELDGATE_MODBUS_SCENARIOS` | only scenarios whose `name transport` contains one of these: `late,clean rtu-pty` |
//! | `FIELDGATE_MODBUS_AT_ONCE` | scenarios at once; most of them wait |
//! | `FIELDGATE_MODBUS_JOURNALS` | folder for what the server was asked in each scenario |
//! | `FIELDGATE_MODBUS_SOAK_S` | seconds of random faults; 60 unless set, the slope of allocated memory is judged from 600 on, of resident memory from 1800 on |
//! | `FIELDGATE_SEED` | repeats the random faults |

#[cfg(test)]
mod canary;
#[cfg(test)]
mod case;
#[cfg(test)]
mod judge;
#[cfg(test)]
mod naive;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod rig;
#[cfg(test)]
mod scenarios;
#[cfg(test)]
mod server;
#[cfg(test)]
mod soak;
#[cfg(test)]
mod writes;
