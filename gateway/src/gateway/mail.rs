//! Everything that has to do with messages leaving the gateway: outboxes, who fills them, uplinks.

use std::path::Path;
use std::sync::Arc;

use pipelines_flow::codec::EnvelopeCodec;
use pipelines_flow::disk::RealDisk;
use pipelines_flow::event_log::EventLog;
use pipelines_flow::forward::{Forward, Stream};
use pipelines_flow::log::OUTBOX_PART;
use pipelines_flow::uplink::{Link, Logs, MqttUplink, Outbox, Uplink};
use pipelines_flow::{Log, LogOptions};
use signals::{Batch, Clock, Disk as _, Envelope};

use crate::config::Config;
use crate::view::UplinkView;
use crate::{registration, secret};

/// Outboxes and uplinks, not running yet.
#[derive(Default)]
pub(super) struct Mail {
    pub(super) forwards: Vec<Forward>,
    pub(super) uplinks: Vec<Box<dyn Uplink>>,
    pub(super) views: Vec<UplinkView>,
    pub(super) logs: Vec<Log<Envelope>>,
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
    for stream in [Stream::Events, Stream::Aggregates] {
        let outbox = open(data, stream.name(), clock)?;
        mail.forwards.push(Forward {
            gateway: config.gateway.id.clone(),
            stream,
            journal: journal.clone(),
            outbox: outbox.clone(),
            links: links.clone(),
            vitals: Arc::default(),
        });
        for settings in &config.uplinks {
            let _cursor = outbox.cursor(&format!("uplink:{}", settings.name));
        }
        outboxes.push(Outbox { stream: stream.name().to_owned(), log: outbox.clone() });
        mail.logs.push(outbox);
    }
    for (settings, link) in config.uplinks.iter().zip(links) {
        let status = open(data, &format!("status-{}", settings.name), clock)?;
        mail.logs.push(status.clone());
        let logs = Logs { outboxes: outboxes.clone(), status, events: events.clone() };
        let mqtt = secret::mqtt_settings(&config.gateway.id, settings, &config.base)?;
        let uplink = MqttUplink::new(mqtt, logs, Arc::clone(&link), Arc::clone(clock));
        mail.views.push(UplinkView { health: uplink.health(), link });
        mail.uplinks.push(Box::new(uplink));
    }
    Ok(mail)
}

/// An outbox, or the log of an uplink's status.
fn open(data: &Path, name: &str, clock: &Arc<dyn Clock>) -> anyhow::Result<Log<Envelope>> {
    let options = LogOptions {
        // Messages are few and small: their newest are kept in memory all the same.
        tail_bytes: 1 << 20,
        ..LogOptions::new(data.join("outbox").join(name))
    }
    .within(RealDisk.room(data).map_or(u64::MAX, |room| room.total), OUTBOX_PART);
    let (log, recovery) =
        Log::open(options, Arc::new(RealDisk), Arc::clone(clock), Arc::new(EnvelopeCodec))?;
    registration::tell_recovery(&recovery);
    Ok(log)
}
