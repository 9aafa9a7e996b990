//! Writing: the one guarded way a value gets into a device.
//!
//! In: orders for tags of the allow-list. Out: what became of each, never a guess.

pub mod rule;

pub use rule::{Interlock, Readback, WritableTag, WriteFunction, WriteRule};
