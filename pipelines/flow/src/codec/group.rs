//! All batches of a commit as one block of bytes: rows of a table stand together, each value as
//! its difference to the one before, and bytes of like significance in one stream.
//!
//! ```text
//! version 1                       1 byte
//! numbers in each pool            8 varints
//! structure, high, low, noise     4 streams: length, packed length (0: as it is), bytes
//! ```
//! The structure is a stream of its own:
//! ```text
//! tables   count; per table its place in the reference + 1, or 0, hash (8), columns, their kinds
//! records  count; per record its table (zigzag, from the one after the last), rows, flags
//! columns  per table, per column: nulls, and what its kind needs (`column.rs`)
//! flaws    per record that has some: count; row, signal, class, reason
//! ```
//! - G-1 What is decoded is bit for bit what was encoded, NaN and -0 included; a slot that is
//!   null has no value.
//! - G-2 A group needs its reference and nothing else of the journal: a damaged frame takes no
//!   other records with it.
//! - G-3 Any bytes are decoded or refused: no panic, and no more memory than a multiple of what
//!   the streams hold.

mod cells;
mod column;
mod decoder;
mod encoder;
mod kind;
mod nulls;
mod streams;

pub(super) use decoder::{Decoded, decode, decode_reference};
pub(super) use encoder::Encoder;

use std::collections::HashMap;

use kind::Kind;

/// First byte of a group.
const VERSION: u8 = 1;
/// A record's rows were stamped by a clock that could not be trusted.
const UNSYNCED: u8 = 1;
/// A record has flaws.
const FLAWED: u8 = 2;

/// The last row of each table before a group, in the order of the reference's bytes.
#[derive(Debug, Default)]
pub(super) struct Reference {
    tables: Vec<LastRow>,
    places: HashMap<u64, usize>,
}

/// The values of a table's last row as bits, 0 where it was null.
#[derive(Debug)]
struct LastRow {
    hash: u64,
    kinds: Vec<Kind>,
    bits: Vec<u64>,
}

impl Reference {
    fn push(&mut self, row: LastRow) {
        self.places.insert(row.hash, self.tables.len());
        self.tables.push(row);
    }

    fn place_of(&self, hash: u64) -> Option<usize> {
        self.places.get(&hash).copied()
    }

    fn row(&self, place: usize) -> Option<&LastRow> {
        self.tables.get(place)
    }
}

#[cfg(test)]
mod tests;
