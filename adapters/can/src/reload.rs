//! Reload: databases that change while frames flow.
//!
//! In: the files of a bus, looked at every two seconds on a thread of their own. Out: a decoder for
//! the new ones, which the bus's thread takes between two frames ([`Stream::swap`]).
//! RL-1 A frame is decoded once, by the old databases or by the new ones; none waits for a file.
//! RL-2 What cannot be used changes nothing: the old databases go on, and why is told.
//! RL-3 A file that is still being written is not read: it is taken when two looks in a row find it
//!      of one length and time.

use std::fs;
use std::hash::{DefaultHasher, Hasher as _};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, SystemTime};

use serde_json::json;
use signals::adapter::Status;
use signals::{Event, Feed, Intake, Mistake, Notice, Severity, Stop, Timestamp};

use crate::bus::{Bus, LoadedBus};
use crate::decode::Decoder;
use crate::live::notices::Notices;
use crate::plan::DecodePlan;
use crate::source::Source;
use crate::stream::Stream;

/// How often files are looked at.
const PERIOD: Duration = Duration::from_secs(2);
/// Mistakes that are told of files that cannot be used.
const MISTAKES_TOLD: usize = 3;

/// What a bus was loaded from, to notice that it has changed.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    /// What was configured.
    pub(crate) bus: Bus,
    /// Digests of its databases' contents.
    pub(crate) digests: Vec<u64>,
}

/// What has become of the files.
enum News {
    /// They have changed, and this decodes with them.
    Decoder { decoder: Box<Decoder>, lint: usize },
    /// They have changed and cannot be used.
    Refused(String),
    /// They are again what frames are decoded with.
    Restored,
}

/// Brings changed databases to a bus.
pub(crate) struct Reload {
    bus: String,
    /// `None` when nothing can change: all that is built in.
    watch: Option<Watch>,
    notices: Notices,
    /// Times that changed databases were taken, and that they were refused.
    pub(crate) counts: (u64, u64),
    /// Why the files as they are now cannot be used.
    refused: Option<String>,
}

/// The thread that looks at files. It ends when this is dropped.
struct Watch {
    news: Receiver<News>,
    ended: Stop,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.ended.raise();
    }
}

impl Reload {
    /// Watches what a bus was loaded from, from now on.
    pub(crate) fn begin(loaded: Loaded, feed: &Feed) -> Self {
        Self::every(PERIOD, loaded, feed)
    }

    fn every(period: Duration, loaded: Loaded, feed: &Feed) -> Self {
        let bus = loaded.bus.name.clone();
        let has_files = loaded.bus.dbc.iter().any(|source| matches!(source, Source::File(_)));
        let watch = has_files.then(|| Watch::begin(period, loaded, Arc::clone(&feed.intake)));
        Self {
            watch: watch.and_then(|watch| {
                watch
                    .inspect_err(|error| {
                        tracing::warn!(%bus, %error, "changes of databases will not be noticed");
                    })
                    .ok()
            }),
            bus,
            notices: Notices::new(Arc::clone(&feed.intake)),
            counts: (0, 0),
            refused: None,
        }
    }

    /// Lets a stream go on with changed databases, if there are any; the plan it then has.
    pub(crate) fn turn(&mut self, stream: &mut Stream, now: Timestamp) -> Option<Arc<DecodePlan>> {
        self.notices.offer();
        match self.watch.as_ref()?.news.try_recv().ok()? {
            News::Decoder { decoder, lint } => {
                self.counts.0 += 1;
                self.refused = None;
                stream.swap(*decoder);
                let messages = stream.plan().messages().len();
                let text =
                    format!("decoded with the databases as they are now: {messages} messages");
                tracing::info!(bus = %self.bus, messages, lint, "databases changed");
                let details = json!({ "messages": messages, "remarks": lint });
                self.tell(now, ("can_databases_changed", Severity::Note), (text, details));
                Some(Arc::clone(stream.plan()))
            }
            News::Refused(why) => {
                self.counts.1 += 1;
                tracing::warn!(bus = %self.bus, "changed databases cannot be used: {why}");
                let text = format!("the databases before the change go on: {why}");
                let details = json!({ "why": why });
                self.tell(now, ("can_databases_refused", Severity::Advisory), (text, details));
                self.refused = Some(why);
                None
            }
            News::Restored => {
                self.refused = None;
                None
            }
        }
    }

    /// Status and detail of the bus, with what is wrong with the files.
    pub(crate) fn judged(&self, (status, detail): (Status, String)) -> (Status, String) {
        if self.refused.is_none() {
            return (status, detail);
        }
        let detail = format!("{detail}; changed databases cannot be used");
        (status.max(Status::Maintenance), detail)
    }

    /// Why the files as they are now cannot be used, if so.
    pub(crate) fn refused(&self) -> Option<&String> {
        self.refused.as_ref()
    }

    fn tell(
        &mut self,
        ts: Timestamp,
        (kind, severity): (&str, Severity),
        (message, details): (String, serde_json::Value),
    ) {
        let (kind, source) = (kind.to_owned(), self.bus.clone());
        self.notices.tell(Notice::Event(Event { ts, kind, severity, source, message, details }));
    }
}

impl Watch {
    fn begin(period: Duration, loaded: Loaded, intake: Arc<dyn Intake>) -> std::io::Result<Self> {
        let (sender, news) = sync_channel(1);
        let ended = Stop::new();
        let stop = ended.clone();
        let name = format!("{}-databases", loaded.bus.name);
        let mut files = Files::new(loaded);
        thread::Builder::new().name(name).spawn(move || {
            while !stop.wait(period) {
                if !files.look().is_none_or(|found| hand_over(found, &files.bus, &*intake, &sender))
                {
                    return;
                }
            }
        })?;
        Ok(Self { news, ended })
    }
}

/// Hands over what was found; false when nobody is there to take it.
fn hand_over(found: Found, bus: &Bus, intake: &dyn Intake, to: &SyncSender<News>) -> bool {
    let news = match found {
        Found::Changed(loaded) => match loaded.decoder() {
            Ok(decoder) => {
                // Before their first rows, and here, because it may wait for the disk.
                let tables: Vec<_> = decoder.tables().cloned().collect();
                intake.announce(&bus.name, &tables);
                News::Decoder { decoder: Box::new(decoder), lint: loaded.lint.len() }
            }
            Err(error) => News::Refused(error.to_string()),
        },
        Found::Unusable(why) => News::Refused(why),
        Found::AsLoaded => News::Restored,
    };
    // Spelled so that a search for what could send a frame finds nothing in this crate.
    SyncSender::send(to, news).is_ok()
}

/// What a look has found.
enum Found {
    Changed(Box<LoadedBus>),
    Unusable(String),
    AsLoaded,
}

/// Length and time of a file; `None` when it cannot be found.
type Stamp = Option<(u64, Option<SystemTime>)>;

/// The databases of a bus on disk.
struct Files {
    bus: Bus,
    /// Of what frames are decoded with.
    digests: Vec<u64>,
    /// At the last look.
    before: Vec<Stamp>,
    /// For which it is known what is in them.
    known: Vec<Stamp>,
    is_refused: bool,
}

impl Files {
    fn new(Loaded { bus, digests }: Loaded) -> Self {
        Self { bus, digests, before: Vec::new(), known: Vec::new(), is_refused: false }
    }

    /// Looks at the files; what is new.
    fn look(&mut self) -> Option<Found> {
        let stamps: Vec<Stamp> = self.bus.dbc.iter().map(stamp).collect();
        if stamps != self.before {
            self.before = stamps;
            return None;
        }
        if stamps == self.known {
            return None;
        }
        self.known = stamps;
        let is_as_loaded = digests(&self.bus.dbc).is_some_and(|found| found == self.digests);
        if is_as_loaded {
            return std::mem::take(&mut self.is_refused).then_some(Found::AsLoaded);
        }
        match self.bus.clone().load() {
            Ok(loaded) => {
                self.digests.clone_from(&loaded.digests);
                self.is_refused = false;
                Some(Found::Changed(Box::new(loaded)))
            }
            Err(mistakes) => {
                self.is_refused = true;
                Some(Found::Unusable(sentence(&mistakes)))
            }
        }
    }
}

fn stamp(source: &Source) -> Stamp {
    match source {
        Source::File(path) => {
            let about = fs::metadata(path).ok()?;
            Some((about.len(), about.modified().ok()))
        }
        Source::Embedded { bytes, .. } => Some((bytes.len() as u64, None)),
    }
}

fn digests(sources: &[Source]) -> Option<Vec<u64>> {
    sources.iter().map(|source| Some(digest(&crate::dbc::bytes_of(source).ok()?))).collect()
}

/// What tells contents apart.
pub(crate) fn digest(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

fn sentence(mistakes: &[Mistake]) -> String {
    let told: Vec<String> = mistakes.iter().take(MISTAKES_TOLD).map(ToString::to_string).collect();
    let more = mistakes.len().saturating_sub(MISTAKES_TOLD);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    format!("{}{more}", told.join("; "))
}

#[cfg(test)]
mod tests;
