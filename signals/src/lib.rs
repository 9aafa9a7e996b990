//! Vocabulary and ports of fieldgate: what a sample is, what flows, and where rooms meet.
//!
//! Every other crate speaks these words. Nothing here knows a protocol, a file, a socket or a
//! cloud.
//!
//! | module | words |
//! |---|---|
//! | [`time`] | [`Timestamp`], the [`Clock`] port and its simulated twin |
//! | [`quality`] | [`Quality`]: class and reason of a sample that is not plainly good |
//! | [`signal`] | [`Signal`]: a named series with type, unit and range; [`SignalList`]: those of a table, in little memory |
//! | [`table`] | [`Table`]: the signals that are sampled together, and their columns |
//! | [`batch`] | [`Batch`]: rows of one table; [`BatchBuilder`] to write them |
//! | [`adapter`] | the [`Adapter`] port, [`Intake`], device [`Health`](adapter::Health), [`Instruments`](adapter::Instruments), [`Stop`] |
//! | [`duration`] | reading and writing `500 ms`, `1 s`, `10 min` |
//! | [`disk`] | the [`Disk`] port: the only way to write a file |
//! | [`offset`] | [`Offset`]: a place in a log |
//! | [`event`] | [`Event`]: something an operator may want to know happened |
//! | [`detect`] | the [`Detector`] port, [`Score`] and [`Episode`] |
//! | [`envelope`] | [`Envelope`]: one message on its way to the cloud |
//! | [`mistake`] | [`Mistake`]: one thing wrong in a configuration, and its remedy |

pub mod adapter;
pub mod batch;
pub mod detect;
pub mod disk;
pub mod duration;
pub mod envelope;
pub mod event;
pub mod mistake;
pub mod offset;
pub mod quality;
pub mod signal;
pub mod table;
pub mod time;

pub use adapter::{Adapter, Feed, Gap, Intake, Notice, Stop};
pub use batch::{Batch, BatchBuilder, Flaw, Value};
pub use detect::{Contribution, Detector, Episode, Score};
pub use disk::{Disk, DiskFile, DiskSource};
pub use envelope::Envelope;
pub use event::{Event, Severity};
pub use mistake::Mistake;
pub use offset::Offset;
pub use quality::{Quality, QualityClass, Reason};
pub use signal::{Range, Signal, SignalList, SignalRef, ValueType, column_name};
pub use table::{Layout, SystemColumn, Table, TableError};
pub use time::{Clock, ClockState, ManualClock, Timestamp};
