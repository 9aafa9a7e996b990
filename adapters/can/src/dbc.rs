//! DBC databases: what the messages of a bus mean.
//!
//! `can-dbc` reads single statements; everything around it is ours, because its grammar is
//! all-or-nothing and because it silently cuts identifiers above 0x7FF that lack bit 31.
//! D-1 One bad statement costs that statement, never the file.
//! D-2 Every deviation is a [`Lint`] row with file, line, message and signal.
//! D-3 Any bytes give a database or one [`DbcError`], never a panic.

mod about;
mod build;
mod lint;
mod load;
mod mux;
mod split;
mod text;

use std::collections::BTreeMap;
use std::time::Duration;

pub use lint::{Lint, LintSeverity, Lints};

use crate::bits::Field;

/// Largest database that is read, in bytes.
pub const DBC_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Signals of one message that are taken.
pub const SIGNALS_MAX: usize = 4096;
/// Longest message: 255 packets of a J1939 transport session, or ISO-TP's 4,095 bytes.
pub const MESSAGE_BYTES_MAX: u64 = 4095;

/// A database that could not be loaded at all.
#[derive(Debug, thiserror::Error)]
pub enum DbcError {
    /// Reading failed.
    #[error("{file}: cannot be read: {cause}; check the path and the permissions")]
    Read {
        /// The database.
        file: String,
        /// What the system said.
        cause: std::io::Error,
    },
    /// No statement of a database in it.
    #[error("{file}: holds no DBC statement ({why}); give a DBC database in text form")]
    NotADatabase {
        /// The database.
        file: String,
        /// What was found instead.
        why: &'static str,
    },
}

/// A loaded database.
#[derive(Clone, Debug)]
pub struct Database {
    /// File name without folders.
    pub file: String,
    /// Messages in the order of the file, each identifier once.
    pub messages: Vec<Message>,
    /// What was out of order.
    pub lint: Lints,
}

/// A message.
#[derive(Clone, Debug)]
pub struct Message {
    /// Name, the long one if the database has one.
    pub name: String,
    /// Identifier without flag bits.
    pub id: u32,
    /// Whether the identifier has 29 bits.
    pub extended: bool,
    /// Length in bytes.
    pub bytes: u32,
    /// Whether the database says that it is a J1939 parameter group.
    pub j1939: bool,
    /// How often it comes, where the database says so of this message (`GenMsgCycleTime`).
    pub cycle: Option<Duration>,
    /// Its comment.
    pub comment: Option<String>,
    /// Line in the file, from 1.
    pub line: u32,
    /// Its signals, all of which lie inside the message.
    pub signals: Vec<SignalDef>,
}

/// How the bits of a signal are to be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Number {
    /// Unsigned integer of up to 64 bits.
    Unsigned,
    /// Two's complement of up to 64 bits.
    Signed,
    /// IEEE 754 binary32.
    Float32,
    /// IEEE 754 binary64.
    Float64,
    /// More than 64 bits: bytes in the order of the payload.
    Bytes,
    /// More than 64 bits, declared to be text.
    Text,
}

/// A signal of a message.
#[derive(Clone, Debug)]
pub struct SignalDef {
    /// Name, the long one if the database has one.
    pub name: String,
    /// Line in the file, from 1.
    pub line: u32,
    /// Where its bits are.
    pub field: Field,
    /// What its bits are.
    pub number: Number,
    /// Physical = raw × factor + offset.
    pub factor: f64,
    /// Physical = raw × factor + offset.
    pub offset: f64,
    /// Smallest and greatest physical value as declared.
    pub limits: (f64, f64),
    /// Engineering unit, empty for none.
    pub unit: String,
    /// Its comment.
    pub comment: Option<String>,
    /// Names of raw values.
    pub labels: BTreeMap<i64, String>,
    /// When it is present at all.
    pub gate: Option<Gate>,
}

/// A signal is present only while a multiplexer holds one of these raw values.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Gate {
    /// Place of the multiplexer in [`Message::signals`] (in a plan: in its selectors).
    pub selector: usize,
    /// Raw values, unsigned, both ends included.
    pub ranges: Vec<(u64, u64)>,
}

impl Gate {
    /// Whether the multiplexer's raw value lets the signal through.
    #[must_use]
    pub fn admits(&self, selected: u64) -> bool {
        self.ranges.iter().any(|&(low, high)| (low..=high).contains(&selected))
    }
}

impl Database {
    /// Loads a database from its bytes: UTF-8 with or without mark, else Windows-1252.
    ///
    /// # Errors
    /// [`DbcError::NotADatabase`] when there is not one statement in it.
    pub fn from_bytes(file: &str, bytes: &[u8]) -> Result<Self, DbcError> {
        let not_a_database = |why| DbcError::NotADatabase { file: file.to_owned(), why };
        let text = text::decode(bytes).map_err(not_a_database)?;
        let statements = load::statements(file, &text);
        if statements.recognised == 0 {
            let why = if text.trim().is_empty() { "it is empty" } else { "no known keyword" };
            return Err(not_a_database(why));
        }
        Ok(build::database(file, statements))
    }

    /// Loads a database from a file or from the program.
    ///
    /// # Errors
    /// [`DbcError`]: unreadable, or no database.
    pub fn load(source: &crate::source::Source) -> Result<Self, DbcError> {
        Self::from_bytes(&source.file_name(), &bytes_of(source)?)
    }
}

/// The bytes of a database.
///
/// # Errors
/// [`DbcError::Read`].
pub(crate) fn bytes_of(source: &crate::source::Source) -> Result<Vec<u8>, DbcError> {
    let read = source.read(DBC_BYTES_MAX);
    read.map_err(|cause| DbcError::Read { file: source.to_string(), cause })
}

#[cfg(test)]
mod tests;
