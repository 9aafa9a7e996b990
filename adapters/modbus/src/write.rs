//! Writing: the one guarded way a value gets into a device.
//!
//! In: a [`Command`] given at the [`DeskHandle`] of a line. Out: a [`Report`] of what became of it.
//!
//! A command is held against the limits of its tag (`policy`), waits at the [`Desk`], and is
//! carried out by the line's task between two reads ([`Order`]): interlock and present value are
//! read, the intent is recorded in the audit ([`Ledger`]), one request is sent, the value is read
//! back, the outcome is recorded and reported.
//!
//! WR-1 Nothing is sent that is not in an allow-list, within its limits, and in the audit on disk.
//! WR-2 A command sends at most one request that writes; a lost answer is settled by reading.
//! WR-3 An outcome says what is known: what is not known is `outcome_unknown`.

mod coding;
mod command;
mod confirm;
mod desk;
mod exchange;
mod ledger;
mod order;
mod outcome;
mod policy;
pub mod rule;
mod ticket;

pub use command::{Command, Origin, Setting};
pub use desk::{Desk, DeskHandle, OPEN_MAX, Office};
pub use exchange::Errand;
pub use ledger::{Closing, Intent, Ledger, Limits};
pub use order::Order;
pub use outcome::{Confirm, Outcome, Refusal, Reply, Report};
pub use rule::{Interlock, Readback, WritableTag, WriteFunction, WriteRule};

#[cfg(test)]
mod tests;
