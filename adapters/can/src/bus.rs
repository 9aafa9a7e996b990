//! Buses: a checked configuration, and what comes of it once its databases are read.

use std::sync::Arc;
use std::{fmt, io};

use signals::{Adapter, Mistake, TableError};

use crate::config::Watched;
use crate::dbc::{Database, DbcError, Lint, bytes_of};
use crate::decode::Decoder;
use crate::live::LiveAdapter;
use crate::log_decode::FrameSource;
use crate::logs::LogReader;
use crate::plan::{DecodePlan, Matching};
use crate::reload::{Loaded, digest};
use crate::replay::ReplayAdapter;
use crate::source::Source;
use crate::synthetic::Synthetic;
use crate::tables::Naming;

/// A checked bus. Nothing has been read yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Bus {
    /// Its name.
    pub name: String,
    /// Path its signals stand under.
    pub path: String,
    /// One line for the operator.
    pub description: Option<String>,
    /// Where its frames come from.
    pub origin: Origin,
    /// Databases in order of precedence.
    pub dbc: Vec<Source>,
    /// How identifiers are matched.
    pub matching: Matching,
    /// Signals to take (`EEC1.EngineSpeed`, `EEC1.*`); all when empty.
    pub signals: Vec<String>,
    /// Whether every frame is kept as it is, in `_can_raw_<bus>`.
    pub keep_raw: bool,
    /// Whether to find out how often messages come of which nobody says so.
    pub learn_cycles: bool,
    /// What is expected of single messages.
    pub watched: Vec<Watched>,
}

/// Where the frames of a bus come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Origin {
    /// A network interface.
    Interface(Live),
    /// A recorded log.
    Replay(Replay),
}

/// How an interface is listened to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Live {
    /// Its name: `can0`.
    pub interface: String,
    /// Bits per second it must run at; not compared when `None`. It is never set.
    pub bitrate: Option<u32>,
    /// As `bitrate`, for the payloads of CAN FD frames.
    pub data_bitrate: Option<u32>,
    /// Whether it must carry CAN FD frames.
    pub fd: bool,
    /// Whether it must be in listen-only mode.
    pub listen_only: bool,
    /// Which frames are taken from the kernel.
    pub filter: Filter,
}

/// Which frames of an interface are taken from the kernel.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Filter {
    /// All: bus load and unknown identifiers are known.
    #[default]
    All,
    /// Those that a database knows: costs nothing for the others.
    Known,
}

/// What is played.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Recording {
    /// A recorded log.
    Log(Source),
    /// Frames made from the databases of the bus, without an end.
    Synthetic,
}

impl Recording {
    /// Its frames from the beginning; `plan` is that of the bus.
    ///
    /// # Errors
    /// Those of opening a log.
    pub fn frames(&self, plan: &Arc<DecodePlan>) -> io::Result<Box<dyn FrameSource>> {
        Ok(match self {
            Self::Log(log) => Box::new(LogReader::new(log.open()?)),
            Self::Synthetic => Box::new(Synthetic::new(plan)),
        })
    }
}

impl fmt::Display for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log(log) => write!(f, "{log}"),
            Self::Synthetic => f.write_str("synthetic frames"),
        }
    }
}

/// How a log is played.
#[derive(Clone, Debug, PartialEq)]
pub struct Replay {
    /// What is played.
    pub log: Recording,
    /// Interface name in the log to take frames of; all when `None`.
    pub channel: Option<String>,
    /// 1 plays as recorded, 2 twice as fast.
    pub speed: f64,
    /// Whether to start again at its end.
    pub repeat: bool,
    /// What its frames are stamped with.
    pub time: ReplayTime,
}

/// What the frames of a log that is played are stamped with.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ReplayTime {
    /// As if they came now: the time of the start, and the distances of the recording.
    #[default]
    Rebased,
    /// The times of the recording. Never repeated: a second pass would have them again.
    Original,
}

/// A bus with its databases.
#[derive(Clone, Debug)]
pub struct LoadedBus {
    /// What was configured.
    pub bus: Bus,
    /// How to decode.
    pub plan: Arc<DecodePlan>,
    /// What is out of order in its databases and between them.
    pub lint: Vec<Lint>,
    /// Digests of its databases' contents.
    pub(crate) digests: Vec<u64>,
}

/// A bus that cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// A table could not be made.
    #[error("{bus}: {cause}")]
    Table {
        /// The bus.
        bus: String,
        /// Why.
        cause: TableError,
    },
}

impl Bus {
    /// Reads the databases and works out the decode plan.
    ///
    /// # Errors
    /// A mistake per database that cannot be read, per wanted signal that none of them has, and
    /// for a log that cannot be opened.
    pub fn load(self) -> Result<LoadedBus, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let mut databases = Vec::with_capacity(self.dbc.len());
        let mut digests = Vec::with_capacity(self.dbc.len());
        for (at, source) in self.dbc.iter().enumerate() {
            match database_of(source) {
                Ok((database, digest)) => {
                    databases.push(database);
                    digests.push(digest);
                }
                Err(error) => mistakes.push(mistake_of(format!("dbc[{at}]"), &error.to_string())),
            }
        }
        if let Origin::Replay(replay) = &self.origin
            && let Recording::Log(log) = &replay.log
            && let Err(error) = log.open()
        {
            mistakes.push(Mistake::new(
                "replay",
                format!("{} cannot be read: {error}", replay.log),
                "check the path and the permissions",
            ));
        }
        if mistakes.is_empty() {
            self.look_for_signals(&databases, &mut mistakes);
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let mut plan = DecodePlan::new(&databases, self.matching, |message, signal| {
            self.signals.is_empty() || self.signals.iter().any(|w| selects(w, message, signal))
        });
        for (at, watched) in self.watched.iter().enumerate() {
            let mut own = Vec::new();
            watched.apply(&databases, &mut plan, &mut own);
            mistakes.extend(own.into_iter().map(|m| m.below(&format!("message[{at}]"))));
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        if self.learn_cycles {
            plan.learn_cycles();
        }
        let mut lint: Vec<Lint> = databases.iter().flat_map(|d| d.lint.rows().to_vec()).collect();
        lint.extend_from_slice(plan.lint());
        Ok(LoadedBus { bus: self, plan: Arc::new(plan), lint, digests })
    }

    fn look_for_signals(&self, databases: &[Database], mistakes: &mut Vec<Mistake>) {
        for (at, wanted) in self.signals.iter().enumerate() {
            let mut messages = databases.iter().flat_map(|d| &d.messages);
            if !messages.any(|m| m.signals.iter().any(|s| selects(wanted, &m.name, &s.name))) {
                mistakes.push(Mistake::new(
                    format!("signals[{at}]"),
                    format!("no database of this bus has `{wanted}`"),
                    "write message and signal as the database spells them",
                ));
            }
        }
    }
}

impl LoadedBus {
    /// The adapter that listens to its interface or plays its log.
    ///
    /// # Errors
    /// [`BusError::Table`], which names made here do not cause.
    pub fn adapter(self) -> Result<Box<dyn Adapter>, BusError> {
        let decoder = self.decoder()?;
        let Self { bus, digests, .. } = self;
        let origin = bus.origin.clone();
        let loaded = Loaded { bus, digests };
        Ok(match origin {
            Origin::Replay(replay) => Box::new(ReplayAdapter::new(loaded, replay, decoder)),
            Origin::Interface(live) => Box::new(LiveAdapter::new(loaded, live, decoder)),
        })
    }

    /// What decodes its frames.
    pub(crate) fn decoder(&self) -> Result<Decoder, BusError> {
        let bus = &self.bus;
        let naming = Naming { bus: bus.name.clone(), path: bus.path.clone() };
        let failed = |cause| BusError::Table { bus: bus.name.clone(), cause };
        let mut decoder = Decoder::new(Arc::clone(&self.plan), &naming).map_err(failed)?;
        if bus.keep_raw {
            decoder.keep_raw(&bus.name).map_err(failed)?;
        }
        Ok(decoder)
    }
}

/// A database, and the digest of what it was read from.
fn database_of(source: &Source) -> Result<(Database, u64), DbcError> {
    let bytes = bytes_of(source)?;
    Ok((Database::from_bytes(&source.file_name(), &bytes)?, digest(&bytes)))
}

fn selects(wanted: &str, message: &str, signal: &str) -> bool {
    wanted
        .split_once('.')
        .is_some_and(|(of, which)| of == message && (which == "*" || which == signal))
}

/// Splits `what happened; what to do`.
fn mistake_of(key: String, error: &str) -> Mistake {
    let (problem, remedy) = error.split_once("; ").unwrap_or((error, "check the file"));
    Mistake::new(key, problem, remedy)
}

#[cfg(test)]
mod tests;
