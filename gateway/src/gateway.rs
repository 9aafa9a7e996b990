//! Wiring: builds every room from a checked configuration, starts them, stops them in the order
//! in which samples flow.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pipelines_flow::Log;
use pipelines_flow::aggregate::Aggregate;
use pipelines_flow::condition::JournalIntake;
use pipelines_flow::disk::RealDisk;
use pipelines_flow::event_log::EventLog;
use pipelines_flow::forward::Forward;
use pipelines_flow::gap_log::{EVERY_TABLE, GATEWAY_OFF, GapLog};
use pipelines_flow::history::History;
use pipelines_flow::log::Recovery;
use pipelines_flow::uplink::Uplink;
use pipelines_upload::Upload;
use signals::{Clock, Disk, Envelope, Event, Gap, Offset, Severity, Stop, Table};

use crate::catalog::Catalog;
use crate::columns::Columns;
use crate::config::Config;
use crate::detection::Detection;
use crate::lake_size::LakeSize;
use crate::listen::Certificates;
use crate::live::Live;
use crate::queries::Queries;
use crate::reception::Reception;
use crate::registration;
use crate::reload::Reload;
use crate::revisions::Revisions;
use crate::rules::Rules;
use crate::sources::{Builder, Built, Sources, Spec};
use crate::supervise::Crew;
use crate::view::View;
use crate::writes::Writes;

#[cfg(test)]
mod damage;
mod mail;
mod rooms;

/// Patience with a stop: after it, whoever still runs is named and left behind.
const STOP_PATIENCE: Duration = Duration::from_secs(4);

/// What is needed besides the configuration.
pub struct Parts {
    /// Folder of everything the gateway keeps.
    pub data: PathBuf,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// How sources of samples are built.
    pub builder: Builder,
    /// Whether the data is simulated.
    pub demo: bool,
    /// The way of commands to the adapters.
    pub writes: Writes,
    /// The page's certificate; none where it has no TLS.
    pub certificates: Option<Certificates>,
}

/// A gateway whose rooms are built; samples flow once [`Gateway::start`] has been called.
pub struct Gateway {
    view: Arc<View>,
    folder: PathBuf,
    recovery: Recovery,
    sources: Arc<Sources>,
    rules: Arc<Rules>,
    /// Sources of the configuration, until they are started.
    built: Vec<Built>,
    consumer_crew: Crew,
    consumers_stop: Stop,
    /// Looks once for what earlier runs have told.
    past_events: Option<std::thread::JoinHandle<()>>,
    uplinks_stop: Stop,
    uplink_threads: Vec<std::thread::JoinHandle<()>>,
    rooms: Option<Rooms>,
    outboxes: Vec<Log<Envelope>>,
    events: EventLog,
    gaps: GapLog,
    _lock: std::fs::File,
}

/// What is moved to threads at the start.
struct Rooms {
    aggregate: Aggregate,
    forwards: Vec<Forward>,
    detections: Vec<Detection>,
    uplinks: Vec<Box<dyn Uplink>>,
    /// None where nothing is uploaded.
    upload: Option<Upload>,
}

/// The sources of a configuration.
fn built(config: &Config, builder: &Builder, writes: &Writes) -> anyhow::Result<Vec<Built>> {
    let build = |spec| builder.build(spec, |line| writes.desk(line));
    Spec::of(config).into_iter().map(build).collect()
}

/// Their tables, with the columns that the lake has for them.
fn settled(built: &[Built], columns: &Columns) -> Vec<Arc<Table>> {
    built.iter().flat_map(Built::tables).map(|table| columns.settle(&table)).collect()
}

impl Gateway {
    /// Builds every room. Opens and recovers the journal; starts no thread but the logs' own.
    ///
    /// # Errors
    /// What cannot be opened, and what to do about it.
    #[expect(clippy::too_many_lines, reason = "a line or two a room, one after the other")]
    pub fn build(config: &Config, parts: Parts) -> anyhow::Result<Self> {
        let Parts { data, clock, builder, demo, writes, certificates } = parts;
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let lock = rooms::lock(&data)?;
        let (lake, sealed) = rooms::survey(&data, &*disk)?;
        let (journal, recovery, store) =
            rooms::open_journal(config, (&data, &sealed), &disk, &clock)?;
        let gaps = GapLog::new(journal.clone());
        let historian = rooms::open_lake(config, (&lake, sealed), &gaps, &disk);
        let built = built(config, &builder, &writes)?;
        let columns = Arc::new(Columns::open(&data));
        let tables = settled(&built, &columns);
        let events = EventLog::new(journal.clone());
        writes.open(&events)?;
        let access = rooms::access(config, (&data, &writes), &clock);
        let detections = rooms::detections(config, &tables, &journal, (&data, &disk, &events))?;
        let rules = rooms::rules(config, &journal, (&data, &disk, &events), &clock);
        let score_tables: Vec<_> = detections.iter().map(|d| Arc::clone(d.score_table())).collect();
        let catalog = Arc::new(Catalog::of([&tables, &score_tables]));
        rooms::keep_definitions(&store, tables.iter().chain(&score_tables));
        registration::register(tables.iter().chain(&score_tables), &data, &journal, &*clock)?;
        let opened = gaps.tell_off_time(&recovery)?;
        let upload = rooms::upload(config, (&data, &disk, &events), (&clock, &historian))?;
        let mail = mail::mail(config, &data, (&journal, &events), &clock)?;
        let intake = Arc::new(JournalIntake::new(gaps.clone(), events.clone()));
        let front =
            Reception::new((&intake, columns), [&tables, &score_tables], (&data, &journal, &clock));
        let view = Arc::new(View {
            gateway: config.gateway.id.clone(),
            timezone: config.gateway.timezone.clone(),
            site: config.gateway.site.clone(),
            demo,
            started: opened,
            live: Arc::new(Live::new(Arc::clone(&catalog))),
            catalog,
            intake: Arc::clone(&intake),
            sync_interval_ms: u64::try_from(config.journal.sync_interval.as_millis())?,
            history: History::new(historian.clone(), Arc::clone(&disk)),
            historian,
            devices: Mutex::new(built.iter().flat_map(Built::health).collect()),
            instruments: Mutex::new(built.iter().flat_map(Built::instruments).collect()),
            uplinks: mail.views,
            upload: upload.as_ref().map(rooms::upload_view),
            aggregates: Arc::default(),
            forwards: mail.vitals,
            detectors: detections.iter().map(Detection::health).collect(),
            board: rules.board(),
            access,
            connections: Arc::default(),
            certificates: certificates.map(Arc::new),
            queries: Queries::new(&data),
            lake_size: LakeSize::new(&lake),
            writes,
            journal,
            clock: Arc::clone(&clock),
        });
        Ok(Self {
            sources: Arc::new(Sources::new(builder, (Arc::clone(&view), Arc::new(front)), clock)),
            folder: data,
            recovery,
            rules: Arc::new(rules),
            built,
            consumer_crew: Crew::new(),
            consumers_stop: Stop::new(),
            past_events: None,
            uplinks_stop: Stop::new(),
            uplink_threads: Vec::new(),
            rooms: Some(Rooms {
                aggregate: rooms::aggregate(config, &view),
                forwards: mail.forwards,
                detections,
                uplinks: mail.uplinks,
                upload,
            }),
            outboxes: mail.logs,
            events,
            gaps,
            _lock: lock,
            view,
        })
    }

    /// The readable side of everything.
    #[must_use]
    pub fn view(&self) -> Arc<View> {
        Arc::clone(&self.view)
    }

    /// What opening the journal found.
    #[must_use]
    pub fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// Starts consumers first, adapters last: nobody misses the first sample.
    ///
    /// # Errors
    /// When the operating system gives no thread, or the journal is closed.
    pub fn start(&mut self) -> anyhow::Result<()> {
        let started = Event {
            ts: self.view.clock.now(),
            kind: "gateway_started".to_owned(),
            severity: Severity::Note,
            source: self.view.gateway.clone(),
            message: format!("fieldgate {} started", env!("CARGO_PKG_VERSION")),
            details: serde_json::json!({ "torn_bytes": self.recovery.torn_bytes }),
        };
        let from = self.view.journal.durable();
        let past = std::thread::Builder::new().name("past-events".to_owned());
        let (view, stop) = (Arc::clone(&self.view), self.consumers_stop.clone());
        let look = move || registration::remember_events(&view, from, &stop);
        self.past_events = Some(past.spawn(look)?);
        self.events.append(&[started])?;
        self.start_consumers(from)?;
        Ok(self.sources.start(std::mem::take(&mut self.built))?)
    }

    /// What reads `config` again, from `path`, while this gateway runs.
    #[must_use]
    pub fn reload(&self, path: PathBuf, config: Config) -> Reload {
        Reload {
            revisions: Revisions::of(&self.folder),
            path,
            gateway: config.gateway.id.clone(),
            started: config,
            sources: Arc::clone(&self.sources),
            rules: Arc::clone(&self.rules),
            events: self.events.clone(),
            clock: Arc::clone(&self.view.clock),
            busy: Mutex::default(),
        }
    }

    /// Stops in the order of flow: adapters, journal, consumers, uplinks.
    pub fn stop(mut self) {
        let stopping = self.view.clock.now();
        self.sources.stop(STOP_PATIENCE);
        let stopped = Event {
            ts: self.view.clock.now(),
            kind: "gateway_stopped".to_owned(),
            severity: Severity::Note,
            source: self.view.gateway.clone(),
            message: "stopped as told".to_owned(),
            details: serde_json::Value::Null,
        };
        if let Err(err) = self.events.append(&[stopped]).and_then(|()| self.view.journal.sync()) {
            tracing::error!(%err, "the journal could not be synced at the stop");
        }
        self.consumers_stop.raise();
        std::mem::take(&mut self.consumer_crew).join(STOP_PATIENCE);
        if self.past_events.take().is_some_and(|past| past.join().is_err()) {
            tracing::error!("the search for events of earlier runs ended in a panic");
        }
        self.uplinks_stop.raise();
        for thread in self.uplink_threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("an uplink ended in a panic");
            }
        }
        self.outboxes.iter().for_each(Log::close);
        // The journal's last commit: the next start goes on from there.
        let gap = Gap {
            table: EVERY_TABLE.to_owned(),
            start: Some(stopping),
            end: Some(self.view.clock.now()),
            cause: GATEWAY_OFF,
            detail: "stopped as told".to_owned(),
        };
        if let Err(err) = self.gaps.append(&[gap]).and_then(|()| self.view.journal.sync()) {
            tracing::error!(%err, "the time of the stop is not in `_gaps`");
        }
        self.view.journal.close();
    }

    fn start_consumers(&mut self, from: Offset) -> anyhow::Result<()> {
        let Some(rooms) = self.rooms.take() else { return Ok(()) };
        let stop = self.consumers_stop.clone();
        let (view, journal) = (Arc::clone(&self.view), self.view.journal.clone());
        let crew = &mut self.consumer_crew;
        let historian = view.historian.clone();
        crew.keep_running("historian", &stop, with(&stop, move |stop| historian.run(stop)))?;
        let live = Arc::clone(&view.live);
        crew.keep_running("live", &stop, with(&stop, move |stop| live.run(&journal, from, stop)))?;
        let Rooms { aggregate, forwards, detections, uplinks, upload } = rooms;
        crew.keep_running("aggregate", &stop, with(&stop, move |stop| aggregate.run(stop)))?;
        for forward in forwards {
            let name = format!("forward-{}", forward.stream.name());
            crew.keep_running(&name, &stop, with(&stop, move |stop| forward.run(stop)))?;
        }
        for detection in detections {
            let name = format!("detector-{}", detection.health().name);
            crew.keep_running(&name, &stop, with(&stop, move |stop| detection.run(stop)))?;
        }
        let rules = Arc::clone(&self.rules);
        crew.keep_running("rules", &stop, with(&stop, move |stop| rules.run(stop)))?;
        if let Some(upload) = upload {
            crew.keep_running("upload", &stop, with(&stop, move |stop| upload.run(stop)))?;
        }
        for uplink in uplinks {
            let stop = self.uplinks_stop.clone();
            let thread = std::thread::Builder::new().name(format!("uplink-{}", uplink.name()));
            self.uplink_threads.push(thread.spawn(move || uplink.run(&stop))?);
        }
        Ok(())
    }
}

fn with(stop: &Stop, work: impl Fn(&Stop) + Send + 'static) -> impl FnMut() + Send + 'static {
    let stop = stop.clone();
    move || work(&stop)
}
