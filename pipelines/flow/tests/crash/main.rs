//! Kills and power cuts of a real process on a real file system.
//!
//! The process is this program itself (`victim`): journal, historian, aggregates and outbox as the
//! gateway runs them, with one counting signal. What it says on its standard output is what it has
//! promised; what it leaves on the disk is held against that.

#[cfg(test)]
mod cuts;
#[cfg(test)]
mod ground;
#[cfg(test)]
mod kills;
#[cfg(test)]
mod ledger;
#[cfg(test)]
mod small;
#[cfg(test)]
mod victim;
#[cfg(test)]
mod volume;
#[cfg(test)]
mod witness;
#[cfg(test)]
mod write_log;

/// Not a test: what the tests start as a process of its own, to kill it.
#[test]
#[ignore = "run by the other tests as their victim"]
fn victim() {
    let orders = victim::Orders::from_environment().expect("only the other tests run this");
    victim::live(&orders);
}
