//! Probing a device: one block of registers under every decoding, and the search for a value.
//!
//! For people who hold a manual that is wrong by one, or silent about the word order. Pure but for
//! [`Session`], which asks.

mod decoding;
mod place;
mod session;
mod sweep;
mod table;

pub use decoding::{Decoding, Hit, Wanted, decodings, hits};
pub use place::{PlaceError, parity, place};
pub use session::{Patience, Session, SessionError};
pub use sweep::{Run, Sweep};
pub use table::{Block, columns};

#[cfg(test)]
pub(crate) mod served;
#[cfg(test)]
mod tests;
