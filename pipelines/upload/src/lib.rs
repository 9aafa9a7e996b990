//! Files of the lake → object storage: S3 and what speaks like it, or a folder on another machine.
//!
//! ```text
//! lake ─► look (what waits, what was replaced) ─► shelf (put, verify) ─► ledger ─► remove replaced
//! ```
//!
//! | module | does |
//! |---|---|
//! | [`settings`] | where to, how fast, when |
//! | [`run`] | [`Upload`]: the loop, with back-off and counters |
//! | `look` | which files wait, and which were replaced by compaction |
//! | `ledger` | what is there already, kept over restarts |
//! | `shelf` | the two places: `folder`, `s3` |
//! | `pace` | rate, hours, stop |
//! | `standing` | since when it fails, and who has been told |
//!
//! - O-1 A file is in the ledger only after what arrived was held against it.
//! - O-2 An object appears whole or not at all, under the name that the file has in the lake.
//! - O-3 What compaction has replaced is removed there only after what replaces it is verified:
//!   rows may stand twice for a moment, and are never missing. What eviction gives up here stays.
//! - O-4 One part of a file is in memory.

mod ledger;
mod look;
mod pace;
pub mod run;
pub mod settings;
mod shelf;
mod standing;

pub use run::{Upload, UploadCounts};
pub use settings::{Place, S3, UploadSettings};
pub use shelf::UploadError;

#[cfg(test)]
mod tests;
