//! CAN: live and recorded buses to batches, through DBC databases.
//!
//! ```text
//! log or interface ─► Frame ─► DecodePlan (which message, which bits) ─► Decoder ─► Batch
//!                              ▲
//!              DBC text ─► Database (wrapped, linted)
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`config`] | `[[can]]` as written, and the check of it |
//! | [`source`] | where logs and databases are read from: a file, or bytes built in |
//! | [`frame`], [`logs`] | one frame; tolerant readers of candump, ASC, TRC and BLF |
//! | [`dbc`] | databases: every deviation becomes a [`dbc::Lint`] row, one bad line rejects no file |
//! | [`bits`], [`plan`] | compiled layouts and the look-up from identifier or PGN |
//! | [`j1939`] | PGN and the ranges of values that are not values |
//! | [`transport`] | messages longer than a frame, put together by listening |
//! | [`assembly`], [`dtc`] | which frames are pieces, and what is whole; trouble codes of J1939 |
//! | [`tables`], [`decode`] | one wide table per message, and the rows of it |
//! | [`watch`] | cycle, counter and checksum of a message |
//! | [`raw`] | every frame as a row, and frames again from such rows |
//! | [`synthetic`] | an endless log made from databases |
//! | `reload` | databases that change while frames flow |
//! | `stream` | the frames of a bus to the intake, and what is counted on the way |
//! | [`bus`] | a checked bus with its databases loaded |
//! | [`live`] | the adapter that listens to a network interface |
//! | [`replay`] | the adapter that plays a log as if it happened now |
//! | [`log_decode`] | a recorded log to batches at its own times |

pub mod assembly;
pub mod bits;
pub mod bus;
pub mod config;
pub mod dbc;
pub mod decode;
pub mod dtc;
pub mod frame;
pub mod j1939;
pub mod live;
pub mod log_decode;
pub mod logs;
pub mod plan;
pub mod raw;
mod reload;
pub mod replay;
pub mod source;
mod stream;
pub mod synthetic;
pub mod tables;
pub mod transport;
mod unknown;
pub mod watch;
