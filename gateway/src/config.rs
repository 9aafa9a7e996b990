//! Configuration: raw → checked → built.
//!
//! [`load`] reads files, holds them against the schema, lets every room check what is its own, and
//! gives either values that can be used as they are or *every* mistake with its place. Nothing
//! here opens a socket or starts anything.
//!
//! C-1 A key that is not in the schema is a mistake: what is written always has an effect.
//! C-2 Mistakes of types and names do not hide mistakes of meaning elsewhere in the files.
//! C-3 A secret written in a configuration is refused and never repeated in a message.
//!
//! | module | part |
//! |---|---|
//! | `source` | reading files, joining the parts of a folder |
//! | `mend` | reading on behind a line that is not TOML |
//! | `node` | the tree as written, with places |
//! | `schema`, `shape` | which keys there are; holding a tree against them |
//! | `raw` | what is left, as plain structs |
//! | `identity`, `aggregates`, `reductions`, `uplinks`, `upload`, `detectors`, `rules`, `plant`, `web` | checks of meaning |
//! | `doubt` | which mistakes only follow from others |
//! | `settings` | the checked values |

mod aggregates;
mod detectors;
mod doubt;
mod identity;
mod mend;
mod nearest;
mod node;
mod plant;
mod raw;
mod reductions;
mod rules;
mod schema;
mod settings;
mod shape;
mod source;
mod texts;
mod units;
mod uplinks;
mod upload;
mod web;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use adapters_can::bus::LoadedBus;
use pipelines_flow::aggregate::WindowSettings;
use pipelines_flow::forward::Rules;
use serde::Serialize;
use serde_json::Value as Plain;
use signals::Mistake;

pub use adapters_can::config::Files;
pub use settings::{
    AlarmSettings, DetectorSettings, GatewayIdentity, JournalSettings, LakeSettings,
    OutboxSettings, Priority, Reading, RuleSettings, RuleWords, SecretRef, UplinkKind,
    UplinkSettings, UplinkTls, UploadPlace, UploadSettings, WebSettings, WebTls, WriteSettings,
};

use doubt::Doubt;
pub(crate) use nearest::offer;
use node::Place;
use raw::{Raw, RawOutbox};
use shape::Findings;
use source::Source;
pub use texts::{ConfigText, base_of, put_back};

/// A configuration without mistakes.
#[derive(Debug)]
pub struct Config {
    /// Who this gateway is.
    pub gateway: GatewayIdentity,
    /// Modbus lines with their devices.
    pub lines: Vec<adapters_modbus::config::Line>,
    /// CAN buses with their databases.
    pub buses: Vec<LoadedBus>,
    /// How samples become durable.
    pub journal: JournalSettings,
    /// How Parquet files are cut.
    pub lake: LakeSettings,
    /// Windows of aggregates, in the order written; each divides an hour, none stands twice.
    pub aggregates: Vec<WindowSettings>,
    /// Detectors.
    pub detectors: Vec<DetectorSettings>,
    /// Rules of the signals whose samples are sent.
    pub reductions: Rules,
    /// Bounds of the outboxes: events, aggregates, samples.
    pub outboxes: [OutboxSettings; 3],
    /// Rules, in the order written.
    pub rules: Vec<RuleSettings>,
    /// Uplinks.
    pub uplinks: Vec<UplinkSettings>,
    /// Where files of the lake are uploaded to, when they are to be.
    pub upload: Option<UploadSettings>,
    /// The page and the API.
    pub web: WebSettings,
    /// Writing into devices.
    pub writes: WriteSettings,
    /// Address of the embedded MQTT broker, when there is to be one.
    pub local_broker: Option<SocketAddr>,
    /// Folder that relative paths in the configuration start from.
    pub base: PathBuf,
}

impl Config {
    /// Sections that differ in `other`, of those that are read at a start only.
    #[must_use]
    pub fn differs_beside_sources(&self, other: &Self) -> Vec<&'static str> {
        let sections = [
            ("journal", self.journal == other.journal),
            ("lake", self.lake == other.lake),
            ("aggregate", self.aggregates == other.aggregates),
            ("detector", self.detectors == other.detectors),
            ("reduction", self.reductions == other.reductions),
            ("outbox", self.outboxes == other.outboxes),
            ("uplink", self.uplinks == other.uplinks),
            ("upload", self.upload == other.upload),
            ("web", self.web == other.web),
            ("writes", self.writes == other.writes),
            ("local_broker", self.local_broker == other.local_broker),
        ];
        sections.into_iter().filter(|(_, same)| !same).map(|(name, _)| name).collect()
    }

    /// Tags of all devices together.
    #[must_use]
    pub fn tags(&self) -> usize {
        let devices = self.lines.iter().flat_map(|line| &line.devices);
        devices.flat_map(|device| &device.scans).map(|scan| scan.table().signals().len()).sum()
    }
}

/// A mistake and where it stands.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Located {
    /// The file, as the operator named it.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The key in question; empty when the file is not TOML there.
    pub key: String,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub remedy: String,
}

impl fmt::Display for Located {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: ", self.file, self.line, self.column)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "{}; {}", self.problem, self.remedy)
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file or folder could not be read.
    #[error("{}: cannot be read: {source}; check the path and its permissions", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What reading it gave.
        source: io::Error,
    },
    /// A file that is too large to be a configuration.
    #[error("{}: is larger than {bytes_max} bytes; name the configuration itself", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The largest there may be.
        bytes_max: u64,
    },
    /// Mistakes, by file and line; never empty.
    #[error("{}", Located::list(.0))]
    Mistakes(Vec<Located>),
}

impl LoadError {
    fn read(path: &Path, source: io::Error) -> Self {
        Self::Read { path: path.to_owned(), source }
    }
}

impl Located {
    fn list(mistakes: &[Self]) -> String {
        let lines: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        lines.join("\n")
    }
}

/// The configuration at `path`: a file, or a folder of `gateway.toml` and `conf.d/*.toml`.
///
/// Relative paths in it start from the folder it is in.
///
/// # Errors
/// [`LoadError`]: files that cannot be read, or every mistake in them.
pub fn load(path: &Path) -> Result<Config, LoadError> {
    load_with_text(path).map(|(config, _)| config)
}

/// As [`load`], with the texts it was made of.
///
/// # Errors
/// As [`load`].
pub fn load_with_text(path: &Path) -> Result<(Config, Vec<ConfigText>), LoadError> {
    let (sources, base) = source::read(path)?;
    let config =
        check(&sources, Files::Folder(&base), base.clone()).map_err(LoadError::Mistakes)?;
    let text = |source: Source| ConfigText::of(&source, &base);
    Ok((config, sources.into_iter().map(text).collect()))
}

/// The configuration of texts that [`load_with_text`] gave, with the files around it as they are
/// now.
///
/// # Errors
/// Every mistake in it, by line; never empty.
pub fn of_texts(files: &[ConfigText], base: &Path) -> Result<Config, Vec<Located>> {
    let source = |file: &ConfigText| Source { name: file.name.clone(), text: file.text.clone() };
    let sources: Vec<_> = files.iter().map(source).collect();
    check(&sources, Files::Folder(base), base.to_owned())
}

/// A configuration that is at hand as text; `name` stands for the file in messages, and `files`
/// is where the files it refers to are found (the demo's are built into the program).
///
/// # Errors
/// Every mistake in it, by line; never empty.
pub fn from_text(name: &str, text: &str, files: Files<'_>) -> Result<Config, Vec<Located>> {
    let source = Source { name: name.to_owned(), text: text.to_owned() };
    let base = match files {
        Files::Folder(folder) => folder.to_owned(),
        Files::Embedded(_) => PathBuf::new(),
    };
    check(&[source], files, base)
}

/// Families of detectors that a configuration may name.
#[must_use]
pub fn families() -> &'static [&'static str] {
    schema::FAMILIES
}

fn check(sources: &[Source], files: Files<'_>, base: PathBuf) -> Result<Config, Vec<Located>> {
    let merged = source::merge(sources);
    let mut findings = Findings::default();
    let kept = findings.table(&merged.root, &schema::ROOT, "");
    let doubt = Doubt::new(&merged, std::mem::take(&mut findings.left_out));

    let mut found = merged.mistakes;
    found.append(&mut findings.mistakes);
    found.extend(findings.missing.into_iter().filter(|(_, mistake)| doubt.keeps_missing(mistake)));
    let mut apart = Findings::default();
    for entry in &merged.repeated {
        apart.top_level(entry, &schema::ROOT);
    }
    found.append(&mut apart.mistakes);
    found.append(&mut apart.missing);

    let mut meant = Vec::new();
    let config = match serde_json::from_value::<Raw>(Plain::Object(kept)) {
        Ok(raw) => meaning(&raw, files, base, &mut meant),
        Err(err) => {
            let remedy = "this is a defect of fieldgate: please report it with the file";
            meant.push(Mistake::new("", format!("the schema lets through: {err}"), remedy));
            None
        }
    };
    doubt.retain(&mut meant);
    found.extend(meant.into_iter().map(|m| (merged.root.locate(&m.key), m)));
    match config {
        Some(config) if found.is_empty() => Ok(config),
        _ => Err(located(found, sources)),
    }
}

/// What the values mean: every room checks its own. `None` only with at least one mistake.
fn meaning(
    raw: &Raw,
    files: Files<'_>,
    base: PathBuf,
    mistakes: &mut Vec<Mistake>,
) -> Option<Config> {
    let gateway = identity::gateway(&raw.gateway, mistakes);
    let journal = identity::journal(&raw.journal, mistakes);
    let lake = identity::lake(&raw.lake);
    let aggregates = aggregates::check(&raw.aggregate, mistakes);
    let (web, local_broker) = identity::listen(raw, mistakes);
    plant::names(raw, mistakes);
    let lines = plant::lines(raw, &gateway, files, mistakes);
    let buses = plant::buses(raw, &gateway, files, mistakes);
    let catalog = plant::catalog(raw, &gateway, lines.as_deref(), &buses);
    let detectors = detectors::check(&raw.detector, &catalog, mistakes);
    let reductions = reductions::check(&raw.reduction, &catalog, mistakes);
    let RawOutbox { events, aggregates: windows, samples } = &raw.outbox;
    let outboxes = [events, windows, samples].map(uplinks::outbox);
    let known = rules::Known { catalog: &catalog, detectors: &raw.detector, windows: &aggregates };
    let rules = rules::check(&raw.rule, &known, mistakes);
    let uplinks = uplinks::check(&raw.uplink, &gateway, mistakes);
    let upload = upload::check(raw.upload.as_ref(), mistakes);
    Some(Config {
        gateway,
        lines: lines?,
        buses: buses.into_iter().collect::<Option<_>>()?,
        journal,
        lake,
        aggregates,
        detectors,
        reductions,
        rules,
        outboxes,
        uplinks,
        upload,
        web,
        writes: WriteSettings { enabled: raw.writes.enabled.unwrap_or(false) },
        local_broker,
        base,
    })
}

fn located(mut found: Vec<(Place, Mistake)>, sources: &[Source]) -> Vec<Located> {
    found.sort_by(|(a, x), (b, y)| a.cmp(b).then_with(|| x.key.cmp(&y.key)));
    found.dedup();
    let lines: Vec<_> = sources.iter().map(|source| (&source.name, source.lines())).collect();
    let place = |(place, mistake): (Place, Mistake)| {
        let source = lines.get(place.file);
        let (line, column) = source.map_or((1, 1), |(_, lines)| lines.line_column(place.at));
        let file = source.map_or_else(String::new, |(name, _)| (*name).clone());
        let Mistake { key, problem, remedy } = mistake;
        Located { file, line, column, key, problem, remedy }
    };
    found.into_iter().map(place).collect()
}

#[cfg(test)]
mod tests;
