//! SQL over the lake and the journal's tail: the only room that sees DataFusion.
//!
//! ```text
//! SQL ─► which tables ─► tail of the journal, then files of the lake ─► plan ─► Rows
//! ```
//!
//! | module | does |
//! |---|---|
//! | [`lake`] | [`Lake`]: opens a data folder, answers queries within [`Limits`] |
//! | `extract` | part of a table in the order in which it was recorded |
//! | [`rows`] | [`Rows`]: the answer, batch by batch |
//! | [`error`] | [`SqlError`]: what went wrong and what to do |
//! | `snapshot` | which rows a query sees |
//! | `tail` | rows of the journal that are not in the lake yet |
//! | `union` | one schema for files whose schemas differ |
//! | `table` | a table as the planner sees it |
//! | `spans` | which files can hold rows of a time |
//! | `views` | `samples`: all tables of signals as one; `latest`: the newest of each; `completeness` and `holes`: what is missing, and why |
//! | [`rule`] | rules: a SELECT over the newest samples of an asset, planned once |
//! | `functions` | `time_bucket`, `time_weighted_avg`, `first`, `last` |
//! | `engine` | threads, memory and functions that all queries share |
//! | `yields` | plans that can be stopped |
//!
//! - Q-1 A query sees every row that was durable when it began exactly once, whatever is sealed
//!   meanwhile and by whichever process.
//! - Q-2 Nothing is written: neither by a statement nor to make room for one.

mod engine;
pub mod error;
mod extract;
mod functions;
pub mod lake;
pub mod rows;
pub mod rule;
mod snapshot;
mod spans;
mod table;
mod tail;
mod union;
mod views;
mod yields;

pub use error::SqlError;
pub use extract::Part;
pub use lake::{Lake, Limits};
pub use rows::Rows;

#[cfg(test)]
mod tests;
