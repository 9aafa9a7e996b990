//! Configuration of CAN buses: raw as written, and the check of it.

mod live;
mod messages;

use std::path::Path;

use serde::Deserialize;
use signals::Mistake;

use crate::bus::{Bus, Origin, Recording, Replay, ReplayTime};
use crate::plan::Matching;
use crate::source::Source;
pub use messages::{MessageConfig, Watched};

/// Slowest and fastest replay.
const SPEED_RANGE: std::ops::RangeInclusive<f64> = 0.01..=10_000.0;

/// `[[can]]`: one bus, as written. What is missing is reported by the check.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct CanConfig {
    /// Name of the bus; its tables are named after it.
    pub name: Option<String>,
    /// Path its signals stand under: `yard/truck`. Default: `<site>/<name>`.
    pub path: Option<String>,
    /// One line for the operator.
    pub description: Option<String>,
    /// Network interface, `can0`. Either this or `replay`.
    pub interface: Option<String>,
    /// Bits per second the interface must run at; it is compared, never set.
    pub bitrate: Option<u32>,
    /// As `bitrate`, for the payloads of CAN FD frames.
    pub data_bitrate: Option<u32>,
    /// Whether the interface must carry CAN FD frames; given with `data_bitrate` by itself.
    pub fd: Option<bool>,
    /// Whether the interface must be in listen-only mode.
    pub listen_only: Option<bool>,
    /// `all` (default) or `known`: which frames are taken from the kernel.
    pub filter: Option<String>,
    /// Log to play: candump, ASC, TRC or BLF, plain or `.gz`. Either this or `interface`.
    pub replay: Option<String>,
    /// `synthetic`: frames made from the databases, instead of `interface` and `replay`.
    pub source: Option<String>,
    /// Interface name in the log to take frames of; all when not given.
    pub channel: Option<String>,
    /// 1 plays as recorded, 2 twice as fast.
    pub speed: Option<f64>,
    /// Whether to start again at the end of the log.
    pub r#loop: Option<bool>,
    /// `rebased` (default): as if the log was recorded now; `original`: at its own times.
    pub time: Option<String>,
    /// Databases, first wins where two claim an identifier.
    pub dbc: Vec<String>,
    /// `exact`, `pgn`, or `auto` (default: what each database says).
    pub r#match: Option<String>,
    /// Signals to take: `EEC1.EngineSpeed`, `EEC1.*`; all when empty.
    pub signals: Vec<String>,
    /// Whether to keep every frame as it is, in `_can_raw_<bus>`.
    pub keep_raw: Option<bool>,
    /// Whether to find out how often messages come of which nobody says so.
    pub learn_cycles: Option<bool>,
    /// What is expected of single messages.
    pub message: Vec<MessageConfig>,
}

/// Where the files that a configuration names are found.
#[derive(Clone, Copy, Debug)]
pub enum Files<'a> {
    /// Relative names are below this folder.
    Folder(&'a Path),
    /// Names and bytes built into the program; no other file exists.
    Embedded(&'a [(&'a str, &'static [u8])]),
}

impl Files<'_> {
    fn find(self, name: &str) -> Option<Source> {
        match self {
            Self::Folder(folder) => Some(Source::File(folder.join(name))),
            Self::Embedded(files) => files
                .iter()
                .find(|(known, _)| *known == name)
                .map(|&(name, bytes)| Source::Embedded { name: name.to_owned(), bytes }),
        }
    }
}

impl CanConfig {
    /// Checks one bus without reading anything; keys are relative to its `[[can]]` table.
    ///
    /// # Errors
    /// Every mistake there is.
    pub fn check(self, files: Files<'_>, site: &str) -> Result<Bus, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let name = self.checked_name(&mut mistakes);
        let origin = self.checked_origin(files, &mut mistakes);
        let dbc = self.checked_dbc(files, &mut mistakes);
        let matching = self.checked_match(&mut mistakes);
        for (at, wanted) in self.signals.iter().enumerate() {
            let legal = wanted
                .split_once('.')
                .is_some_and(|(message, signal)| !message.is_empty() && !signal.is_empty());
            if !legal {
                mistakes.push(Mistake::new(
                    format!("signals[{at}]"),
                    format!("`{wanted}` names no signal"),
                    "write `EEC1.EngineSpeed`, or `EEC1.*` for all signals of a message",
                ));
            }
        }
        let watched = self.checked_messages(&mut mistakes);
        if self.keep_raw == Some(true) && self.filter.as_deref() == Some("known") {
            mistakes.push(Mistake::new(
                "keep_raw",
                "stands beside `filter = \"known\"`",
                "remove one of the two: frames that the kernel holds back cannot be kept",
            ));
        }
        let path = self.path.unwrap_or_else(|| format!("{site}/{name}"));
        let path = path.trim_matches('/').to_owned();
        if path.is_empty() || path.split('/').any(|part| part.trim().is_empty()) {
            mistakes.push(Mistake::new(
                "path",
                format!("`{path}` has an empty part"),
                "write names with single slashes between them, like `yard/truck`",
            ));
        }
        match origin {
            Some(origin) if mistakes.is_empty() => Ok(Bus {
                name,
                path,
                description: self.description,
                origin,
                dbc,
                matching,
                signals: self.signals,
                keep_raw: self.keep_raw.unwrap_or(false),
                learn_cycles: self.learn_cycles.unwrap_or(false),
                watched,
            }),
            Some(_) | None => Err(mistakes),
        }
    }

    fn checked_name(&self, mistakes: &mut Vec<Mistake>) -> String {
        let name = self.name.clone().unwrap_or_default();
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if self.name.is_none() {
            mistakes.push(Mistake::new("name", "is missing", "name the bus, like `truck`"));
        } else if name.is_empty() || !name.chars().all(legal) {
            mistakes.push(Mistake::new(
                "name",
                format!("`{name}` cannot be used in table names"),
                "use letters, digits, _ and - only",
            ));
        }
        name
    }

    fn checked_origin(&self, files: Files<'_>, mistakes: &mut Vec<Mistake>) -> Option<Origin> {
        match (&self.interface, &self.replay, self.source.as_deref()) {
            (Some(interface), None, None) => {
                self.reject_replay_keys(mistakes);
                Some(Origin::Interface(self.checked_live(interface, mistakes)))
            }
            (None, Some(log), None) => {
                let log = find(files, "replay", log, mistakes);
                self.checked_replay(log.map(Recording::Log), mistakes)
            }
            (None, None, Some("synthetic")) => {
                self.checked_replay(Some(Recording::Synthetic), mistakes)
            }
            (None, None, Some(other)) => {
                mistakes.push(Mistake::new(
                    "source",
                    format!("`{other}` is not a source of frames"),
                    "write `synthetic`, or name an `interface` or a log to `replay`",
                ));
                None
            }
            (None, None, None) => {
                mistakes.push(Mistake::new(
                    "replay",
                    "is missing, and so is `interface`",
                    "name a log to play (candump, ASC, TRC, BLF), or a network interface",
                ));
                None
            }
            (interface, _, source) => {
                let (key, other) = match (interface, source) {
                    (_, None) => ("replay", "interface"),
                    (Some(_), Some(_)) => ("source", "interface"),
                    (None, Some(_)) => ("source", "replay"),
                };
                mistakes.push(Mistake::new(
                    key,
                    format!("stands beside `{other}`"),
                    "keep one of the two: a bus is live, recorded or made up",
                ));
                None
            }
        }
    }

    fn checked_replay(
        &self,
        log: Option<Recording>,
        mistakes: &mut Vec<Mistake>,
    ) -> Option<Origin> {
        self.reject_live_keys(mistakes);
        let speed = self.speed.unwrap_or(1.0);
        if !SPEED_RANGE.contains(&speed) {
            mistakes.push(Mistake::new(
                "speed",
                format!("{speed} is not between 0.01 and 10000"),
                "write 1 to play as recorded, 2 for twice as fast",
            ));
        }
        if self.source.is_some() && self.channel.is_some() {
            let problem = "means something for a recorded log only";
            mistakes.push(Mistake::new("channel", problem, "remove it"));
        }
        if self.channel.as_deref() == Some("") {
            mistakes.push(Mistake::new(
                "channel",
                "is empty",
                "write the interface name as it stands in the log, or leave the key out",
            ));
        }
        Some(Origin::Replay(Replay {
            log: log?,
            channel: self.channel.clone(),
            speed,
            repeat: self.r#loop.unwrap_or(false),
            time: self.checked_time(mistakes),
        }))
    }

    fn checked_time(&self, mistakes: &mut Vec<Mistake>) -> ReplayTime {
        let time = match self.time.as_deref() {
            None | Some("rebased") => return ReplayTime::Rebased,
            Some("original") => ReplayTime::Original,
            Some(other) => {
                mistakes.push(Mistake::new(
                    "time",
                    format!("`{other}` is not a way to stamp frames"),
                    "write `rebased` or `original`",
                ));
                return ReplayTime::Rebased;
            }
        };
        if self.source.is_some() {
            let problem = "means something for a recorded log only";
            mistakes.push(Mistake::new("time", problem, "remove it"));
        }
        if self.r#loop == Some(true) {
            mistakes.push(Mistake::new(
                "loop",
                "stands beside `time = \"original\"`",
                "remove one of the two: a second pass would have the times of the first",
            ));
        }
        time
    }

    fn reject_replay_keys(&self, mistakes: &mut Vec<Mistake>) {
        let given = [
            ("channel", self.channel.is_some()),
            ("speed", self.speed.is_some()),
            ("loop", self.r#loop.is_some()),
            ("time", self.time.is_some()),
        ];
        for (key, _) in given.into_iter().filter(|(_, given)| *given) {
            mistakes.push(Mistake::new(
                key,
                "means something for a replayed log only",
                "remove it, or replace `interface` by `replay`",
            ));
        }
    }

    fn checked_dbc(&self, files: Files<'_>, mistakes: &mut Vec<Mistake>) -> Vec<Source> {
        if self.dbc.is_empty() {
            mistakes.push(Mistake::new(
                "dbc",
                "is missing",
                "name at least one database, like `dbc = [\"truck.dbc\"]`",
            ));
        }
        let mut found: Vec<Source> = Vec::with_capacity(self.dbc.len());
        for (at, name) in self.dbc.iter().enumerate() {
            let key = format!("dbc[{at}]");
            if self.dbc.iter().take(at).any(|before| before == name) {
                mistakes.push(Mistake::new(key, format!("`{name}` stands twice"), "remove one"));
            } else if let Some(source) = find(files, &key, name, mistakes) {
                found.push(source);
            }
        }
        found
    }

    fn checked_messages(&self, mistakes: &mut Vec<Mistake>) -> Vec<Watched> {
        let mut checked = Vec::with_capacity(self.message.len());
        for (at, message) in self.message.iter().enumerate() {
            let key = format!("message[{at}]");
            let twice = self.message.iter().take(at).any(|before| before.name == message.name);
            if twice && message.name.is_some() {
                let key = format!("{key}.name");
                mistakes.push(Mistake::new(key, "stands twice", "put both together"));
            }
            let mut own = Vec::new();
            checked.extend(message.clone().check(&mut own));
            mistakes.extend(own.into_iter().map(|mistake| mistake.below(&key)));
        }
        checked
    }

    fn checked_match(&self, mistakes: &mut Vec<Mistake>) -> Matching {
        match self.r#match.as_deref() {
            None | Some("auto") => Matching::Auto,
            Some("exact") => Matching::Exact,
            Some("pgn") => Matching::Pgn,
            Some(other) => {
                mistakes.push(Mistake::new(
                    "match",
                    format!("`{other}` is not a way to match identifiers"),
                    "write `auto`, `exact` or `pgn`",
                ));
                Matching::Auto
            }
        }
    }
}

fn find(files: Files<'_>, key: &str, name: &str, mistakes: &mut Vec<Mistake>) -> Option<Source> {
    if name.trim().is_empty() {
        mistakes.push(Mistake::new(key, "is empty", "write the path of the file"));
        return None;
    }
    let found = files.find(name);
    if found.is_none() {
        mistakes.push(Mistake::new(
            key,
            format!("`{name}` is not built into this program"),
            "name one of the files that are, or give a path in a configuration of your own",
        ));
    }
    found
}

#[cfg(test)]
mod tests;
