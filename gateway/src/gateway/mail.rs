//! Everything that has to do with messages leaving the gateway: outboxes, who fills them, uplinks.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use pipelines_flow::codec::EnvelopeCodec;
use pipelines_flow::disk::RealDisk;
use pipelines_flow::event_log::EventLog;
use pipelines_flow::forward::{Forward, ForwardVitals, Rules, Stream};
use pipelines_flow::log::OUTBOX_PART;
use pipelines_flow::uplink::{Files, Link, Logs, MqttUplink, Outbox, Uplink};
use pipelines_flow::{Log, LogOptions};
use signals::{Batch, Clock, Disk, Envelope};

use crate::config::{Config, OutboxSettings};
use crate::view::UplinkView;
use crate::{registration, secret};

/// Segments of an outbox: what is given up at once is one of them.
const SEGMENTS: u64 = 16;

/// Outboxes and uplinks, not running yet.
#[derive(Default)]
pub(super) struct Mail {
    pub(super) forwards: Vec<Forward>,
    pub(super) uplinks: Vec<Box<dyn Uplink>>,
    pub(super) views: Vec<UplinkView>,
    pub(super) logs: Vec<Log<Envelope>>,
    pub(super) vitals: Vec<(&'static str, Arc<Mutex<ForwardVitals>>)>,
}

/// What is sent, in the order of the outboxes' settings; samples only where some are asked for.
pub(super) fn streams(config: &Config) -> &'static [Stream] {
    if config.reductions.is_empty() {
        return &[Stream::Events, Stream::Aggregates];
    }
    &[Stream::Events, Stream::Aggregates, Stream::Samples]
}

/// Builds all of it; nothing when the configuration has no uplink.
pub(super) fn mail(
    config: &Config,
    data: &Path,
    (journal, events): (&Log<Batch>, &EventLog),
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<Mail> {
    let mut mail = Mail::default();
    if config.uplinks.is_empty() {
        return Ok(mail);
    }
    let links: Vec<_> = config.uplinks.iter().map(|_| Link::new()).collect();
    let mut outboxes = Vec::new();
    for (&stream, bounds) in streams(config).iter().zip(&config.outboxes) {
        let mut options = outbox_options(data, stream, bounds);
        let hold_bytes = bounds.refuses.then_some(options.bytes_max);
        if bounds.refuses {
            // Whoever fills it stops at its size; until then some records more may come.
            options.bytes_max = options.bytes_max.saturating_mul(2);
        }
        let outbox = open(options, clock)?;
        let vitals = Arc::default();
        mail.forwards.push(Forward {
            gateway: config.gateway.id.clone(),
            stream,
            journal: journal.clone(),
            outbox: outbox.clone(),
            links: links.clone(),
            rules: if stream == Stream::Samples { config.reductions.clone() } else { Rules::new() },
            hold_bytes,
            events: events.clone(),
            vitals: Arc::clone(&vitals),
        });
        for settings in &config.uplinks {
            let _cursor = outbox.cursor(&format!("uplink:{}", settings.name));
        }
        mail.vitals.push((stream.name(), Arc::clone(&vitals)));
        outboxes.push(Outbox {
            stream: stream.name().to_owned(),
            folder: folder_of(data, stream.name()),
            log: outbox.clone(),
            is_urgent: stream == Stream::Events,
            age_max: bounds.age_max,
        });
        mail.logs.push(outbox);
    }
    for (settings, link) in config.uplinks.iter().zip(links) {
        let folder = folder_of(data, &format!("status-{}", settings.name));
        let options = LogOptions::new(folder).within(volume_bytes(data), OUTBOX_PART);
        let status = open(options, clock)?;
        mail.logs.push(status.clone());
        let files = Files {
            disk: Arc::new(RealDisk),
            used_today: folder_of(data, &format!("used-{}", settings.name)),
            quarantine: data.join("quarantine").join(&settings.name),
        };
        let logs = Logs { outboxes: outboxes.clone(), status, events: events.clone(), files };
        let mqtt = secret::mqtt_settings(&config.gateway.id, settings, &config.base)?;
        let uplink = MqttUplink::new(mqtt, logs, Arc::clone(&link), Arc::clone(clock));
        mail.views.push(UplinkView { health: uplink.health(), link });
        mail.uplinks.push(Box::new(uplink));
    }
    Ok(mail)
}

fn folder_of(data: &Path, name: &str) -> PathBuf {
    data.join("outbox").join(name)
}

/// Bytes of the volume that everything is kept on.
fn volume_bytes(data: &Path) -> u64 {
    RealDisk.room(data).map_or(u64::MAX, |room| room.total)
}

fn outbox_options(data: &Path, stream: Stream, bounds: &OutboxSettings) -> LogOptions {
    let default = LogOptions::new(folder_of(data, stream.name()));
    let bytes_max = bounds.bytes_max.unwrap_or(default.bytes_max);
    let segment_bytes = (bytes_max / SEGMENTS).min(default.segment_bytes);
    LogOptions { segment_bytes, bytes_max, ..default }.within(volume_bytes(data), OUTBOX_PART)
}

/// An outbox, or the log of an uplink's status.
fn open(options: LogOptions, clock: &Arc<dyn Clock>) -> anyhow::Result<Log<Envelope>> {
    // Messages are few and small: their newest are kept in memory all the same.
    let options = LogOptions { tail_bytes: 1 << 20, ..options };
    let (log, recovery) =
        Log::open(options, Arc::new(RealDisk), Arc::clone(clock), Arc::new(EnvelopeCodec))?;
    registration::tell_recovery(&recovery);
    Ok(log)
}
