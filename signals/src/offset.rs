//! Offsets: places in a log.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The running number of a record in a log: gapless, from 0, never reused once durable.
///
/// As a position it means "before this record": a cursor at offset 7 has consumed 0 to 6.
#[derive(
    Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Offset(pub u64);

impl Offset {
    /// The first record of a log.
    pub const START: Self = Self(0);

    /// The place after this record.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// Records from `earlier` (inclusive) to here (exclusive); 0 when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
