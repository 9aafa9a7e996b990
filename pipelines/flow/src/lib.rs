//! The way of a sample from the journal to files and to the cloud.
//!
//! | module | does |
//! |---|---|
//! | [`lake`] | folders and file names of the lake |
//! | [`system`] | rows of `_quality`, `_gaps`, `_events`, `_signals` |
//! | [`event_log`], [`gap_log`] | the one way events and gaps get into the journal |
//! | [`log`] | the journal: the only place where a sample becomes durable |
//! | [`codec`] | batches and envelopes as bytes in a log |
//! | [`tables`] | table definitions, kept beside the journal |
//! | [`disk`] | the operating system's files behind the `Disk` port, and the simulated twin |
//! | [`condition`] | what a batch passes on its way into the journal: changes of quality become rows |
//! | [`historian`] | journal → Parquet |
//! | [`history`] | Parquet and what is not sealed yet → samples of one signal |
//! | [`trigger`], [`alarm`] | when a rule starts and ends; one alarm's life |
//! | [`window`], [`aggregate`] | journal → windows of each signal → journal |
//! | [`reduce`] | samples of one signal → those worth sending |
//! | [`forward`] | aggregates, events and reduced samples → envelopes in an outbox |
//! | [`uplink`] | outbox → MQTT broker |

pub mod aggregate;
pub mod alarm;
pub mod codec;
pub mod condition;
pub mod disk;
pub mod event_log;
pub mod forward;
pub mod gap_log;
pub mod historian;
pub mod history;
pub mod lake;
pub mod log;
pub mod reduce;
pub mod system;
pub mod tables;
pub mod trigger;
pub mod uplink;
pub mod window;

pub use log::{Cursor, Entry, Log, LogError, LogOptions, Refused};
