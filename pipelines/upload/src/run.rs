//! The loop: looks at the lake, uploads what waits, removes what was replaced.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pipelines_flow::event_log::EventLog;
use pipelines_flow::historian::first_offset;
use pipelines_flow::lake::Copied;
use rand::Rng as _;
use serde::Serialize;
use serde_json::json;
use signals::{Clock, Disk, Event, Severity, Stop};

use crate::ledger::{Done, Ledger};
use crate::look::{self, Found, Work};
use crate::pace::Pace;
use crate::settings::{Place, UploadSettings};
use crate::shelf::folder::Folder;
use crate::shelf::s3::Bucket;
use crate::shelf::{Parcel, Shelf, UploadError};
use crate::standing::Standing;

/// How often the lake is looked through.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);
/// Files that are uploaded before the lake is looked at again: what was joined meanwhile is not.
const FILES_A_LOOK: usize = 64;
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_mins(5);

/// Figures of the upload since the start.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct UploadCounts {
    /// Files uploaded and verified.
    pub files: u64,
    /// Bytes sent for them.
    pub bytes: u64,
    /// Bytes that did not have to be sent again.
    pub resumed_bytes: u64,
    /// Objects removed because a larger file has replaced them.
    pub replaced: u64,
    /// Attempts that failed.
    pub failures: u64,
    /// Files given up here before they were uploaded.
    pub evicted_before: u64,
    /// Files that wait.
    pub waiting_files: u64,
    /// Their bytes.
    pub waiting_bytes: u64,
    /// When a file was last verified, µs since 1970.
    pub last_success_us: Option<i64>,
    /// Why the last attempt failed; `None` after one that did not.
    pub error: Option<String>,
}

/// The upload of a lake.
pub struct Upload {
    settings: UploadSettings,
    lake: PathBuf,
    /// Folder of the ledger and of receipts.
    folder: PathBuf,
    disk: Arc<dyn Disk>,
    clock: Arc<dyn Clock>,
    counts: Arc<Mutex<UploadCounts>>,
    events: Option<EventLog>,
    copied: Copied,
}

impl Upload {
    /// The upload of the lake in a data folder.
    #[must_use]
    pub fn new(
        settings: UploadSettings,
        data: &Path,
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (lake, folder) = (data.join("lake"), data.join("upload"));
        let (counts, events, copied) = (Arc::default(), None, Copied::default());
        Self { settings, lake, folder, disk, clock, counts, events, copied }
    }

    /// Tells of failures that last, and of their end, as events.
    #[must_use]
    pub fn telling(self, events: EventLog) -> Self {
        Self { events: Some(events), ..self }
    }

    /// Says there which files have a copy. Until the first look, none has.
    #[must_use]
    pub fn marking(self, copied: Copied) -> Self {
        copied.set(HashSet::new());
        Self { copied, ..self }
    }

    /// Its figures, shared.
    #[must_use]
    pub fn counts(&self) -> Arc<Mutex<UploadCounts>> {
        Arc::clone(&self.counts)
    }

    /// Where files go.
    #[must_use]
    pub fn place(&self) -> String {
        self.settings.place.to_string()
    }

    /// Uploads until `stop`. What fails is tried again, later each time.
    pub fn run(&self, stop: &Stop) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let Ok(runtime) = runtime.inspect_err(|err| {
            tracing::error!(%err, "upload: no event loop; check the limits of this user");
        }) else {
            return;
        };
        let mut failures = 0;
        let mut standing = Standing::default();
        let mut known: Option<Known> = None;
        while !stop.is_raised() {
            let done = match self.known(&mut known) {
                Ok(known) => runtime.block_on(self.pass(known, stop)),
                Err(err) => Err(err),
            };
            let pause = match done {
                Ok(()) | Err(UploadError::Hours) => {
                    failures = 0;
                    // A look that found nothing to send says nothing of the place.
                    if self.counts_now().error.is_none()
                        && let Some(time) = standing.went_well(Instant::now())
                    {
                        self.tell_end(time);
                    }
                    LOOK_INTERVAL
                }
                Err(UploadError::Stopped) => return,
                Err(err) => {
                    self.tell(&err);
                    if standing.failed(Instant::now()) {
                        self.tell_failure(&err);
                    }
                    failures += 1;
                    pause_after(failures)
                }
            };
            let _stopped = stop.wait(pause);
        }
    }

    /// Ledger and place, opened when they are first needed.
    fn known<'a>(&self, known: &'a mut Option<Known>) -> Result<&'a mut Known, UploadError> {
        if let Some(opened) = known.take() {
            return Ok(known.insert(opened));
        }
        let path = self.folder.join("ledger.jsonl");
        let ledger = Ledger::open(&path, &self.place(), Arc::clone(&self.disk));
        let ledger = ledger.map_err(here(&path))?;
        let place: Box<dyn Shelf> = match &self.settings.place {
            Place::Folder(folder) => Box::new(Folder(folder.clone())),
            Place::S3(s3) => {
                let receipts = self.folder.join("parts.json");
                Box::new(Bucket::new(s3, receipts, Arc::clone(&self.disk))?)
            }
        };
        Ok(known.insert(Known { ledger, place, waited: Vec::new() }))
    }

    /// One look at the lake, and what follows from it.
    async fn pass(&self, known: &mut Known, stop: &Stop) -> Result<(), UploadError> {
        let pace = Pace {
            bytes_per_s: self.settings.bytes_per_s,
            hours: self.settings.hours,
            clock: Arc::clone(&self.clock),
            stop: stop.clone(),
        };
        loop {
            let Work { waiting, replaced, evicted, .. } = self.look(known)?;
            pace.may_send()?;
            for gone in replaced {
                self.remove(known, &gone).await?;
            }
            for name in evicted {
                known.ledger.forget(&name).map_err(here(&self.folder))?;
            }
            let is_all = waiting.len() <= FILES_A_LOOK;
            let mut uploaded = 0;
            for found in waiting.iter().take(FILES_A_LOOK) {
                pace.may_send()?;
                if self.upload(known, found, &pace).await? {
                    uploaded += 1;
                }
            }
            // Files that cannot be read are the historian's to set aside: later.
            if is_all || uploaded == 0 {
                // What these have replaced goes now, not with the next look.
                let Work { replaced, .. } = self.look(known)?;
                for gone in replaced {
                    self.remove(known, &gone).await?;
                }
                return Ok(());
            }
        }
    }

    fn look(&self, known: &mut Known) -> Result<Work, UploadError> {
        let found = look::list(&*self.disk, &self.lake).map_err(here(&self.lake))?;
        let first = |path: &PathBuf| first_offset(&*self.disk, path).ok().map(|first| first.0);
        let lost = look::given_up(&known.waited, &found, first);
        let mut work = look::work(found, &known.ledger);
        self.copied.set(std::mem::take(&mut work.there));
        known.waited.clone_from(&work.waiting);
        let mut counts = self.counts_now();
        counts.evicted_before += lost;
        counts.waiting_files = work.waiting.len() as u64;
        counts.waiting_bytes = work.waiting.iter().map(|found| found.bytes).sum();
        Ok(work)
    }

    /// Uploads a file; false for one that is not there, or cannot be read.
    async fn upload(
        &self,
        known: &mut Known,
        found: &Found,
        pace: &Pace,
    ) -> Result<bool, UploadError> {
        let path = &found.file.path;
        let first = match first_offset(&*self.disk, path) {
            Ok(first) => first,
            // Joined or given up since the look, or damaged: then the historian sets it aside.
            Err(err) => {
                tracing::debug!(path = %path.display(), %err, "upload: left out");
                return Ok(false);
            }
        };
        let object = look::object_name(&self.settings.gateway, &found.name);
        let parcel = Parcel { path, object: &object, bytes: found.bytes };
        let sent = match known.place.put(&parcel, pace).await {
            Err(UploadError::Here { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Ok(false);
            }
            done => done?,
        };
        let done = Done {
            name: found.name.clone(),
            table: found.file.table.clone(),
            date: found.file.date.clone(),
            first: first.0,
            last: found.file.seq.0,
            bytes: found.bytes,
        };
        known.ledger.put(done).map_err(here(&self.folder))?;
        known.waited.retain(|waited| waited.name != found.name);
        self.copied.add(found.name.clone());
        let now = self.clock.now().micros();
        let mut counts = self.counts_now();
        counts.files += 1;
        counts.waiting_files = counts.waiting_files.saturating_sub(1);
        counts.waiting_bytes = counts.waiting_bytes.saturating_sub(found.bytes);
        counts.bytes += sent.bytes;
        counts.resumed_bytes += sent.resumed;
        counts.last_success_us = Some(now);
        if counts.error.take().is_some() {
            tracing::info!(to = %self.settings.place, "upload: goes on");
        }
        Ok(true)
    }

    /// O-3: what replaces it is in the ledger.
    async fn remove(&self, known: &mut Known, gone: &Done) -> Result<(), UploadError> {
        let object = look::object_name(&self.settings.gateway, &gone.name);
        known.place.remove(&object).await?;
        known.ledger.forget(&gone.name).map_err(here(&self.folder))?;
        self.counts_now().replaced += 1;
        Ok(())
    }

    /// Says once what is wrong, until it is something else.
    fn tell(&self, err: &UploadError) {
        let text = err.to_string();
        let mut counts = self.counts_now();
        counts.failures += 1;
        if counts.error.as_ref() != Some(&text) {
            tracing::warn!(to = %self.settings.place, "upload: {text}; trying again");
            counts.error = Some(text);
        }
    }

    fn tell_failure(&self, err: &UploadError) {
        let (waiting_files, waiting_bytes) = {
            let counts = self.counts_now();
            (counts.waiting_files, counts.waiting_bytes)
        };
        let details = json!({
            "error": err.to_string(),
            "waiting_files": waiting_files,
            "waiting_bytes": waiting_bytes,
        });
        let message = format!("upload to {}: {err}; trying again", self.settings.place);
        self.append("upload_failed", Severity::Advisory, (message, details));
    }

    fn tell_end(&self, time: Duration) {
        let message = format!("upload to {}: goes on", self.settings.place);
        let details = json!({ "failed_for_s": time.as_secs() });
        self.append("upload_resumed", Severity::Note, (message, details));
    }

    fn append(
        &self,
        kind: &str,
        severity: Severity,
        (message, details): (String, serde_json::Value),
    ) {
        let Some(events) = &self.events else { return };
        let source = self.place();
        let event = Event {
            ts: self.clock.now(),
            kind: kind.to_owned(),
            severity,
            source,
            message,
            details,
        };
        if let Err(err) = events.append(&[event]) {
            tracing::warn!("upload: {kind} is not among the events: {err}");
        }
    }

    fn counts_now(&self) -> MutexGuard<'_, UploadCounts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is known between passes.
struct Known {
    ledger: Ledger,
    place: Box<dyn Shelf>,
    /// Files that waited at the last look.
    waited: Vec<Found>,
}

fn here(path: &Path) -> impl FnOnce(io::Error) -> UploadError {
    let path = path.to_owned();
    move |source| UploadError::Here { path, source }
}

/// Doubled with each failure, and anywhere in its second half: a thousand gateways do not come
/// back at once.
fn pause_after(failures: u32) -> Duration {
    let longest = PAUSE_MIN.saturating_mul(1 << failures.min(10).saturating_sub(1)).min(PAUSE_MAX);
    rand::rng().random_range(longest / 2..=longest)
}
