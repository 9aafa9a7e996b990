//! What outlives a connection: places, limits, suspicions, pauses; and what is told of it all.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use signals::{ClockState, Envelope, Event, Offset, Stop, Timestamp};

use super::connection::Connection;
use super::error::UplinkError;
use super::limits::Limits;
use super::loss::{Loss, LossReason, stamp};
use super::mqtt::{MqttUplink, TICK};
use super::pace::Backoff;
use super::quarantine::{Exhibit, Quarantine};
use super::suspicion::{Suspect, Suspicion};
use super::terms::Warnings;
use super::track::Track;
use super::vitals::Gauge;
use super::{CertificateTerm, UplinkState};

/// How often the terms of certificates are looked at.
const TERMS_EVERY: Duration = Duration::from_mins(1);
/// How often messages that are gone or too old are looked for.
const LOSSES_EVERY: Duration = Duration::from_secs(1);
/// Messages read at a time to see how old they are.
const CHUNK: usize = 256;

/// `ts` of the first and of the last of some messages, as far as they are known.
type Times = (Option<String>, Option<String>);

/// What outlives a connection.
pub(super) struct Session<'a> {
    pub(super) uplink: &'a MqttUplink,
    /// One per outbox.
    pub(super) tracks: Vec<Track>,
    gauges: Vec<Gauge>,
    pub(super) limits: Limits,
    pub(super) backoff: Backoff,
    pub(super) suspicion: Suspicion,
    quarantine: Quarantine,
    warnings: Warnings,
    terms_seen: Duration,
    losses_seen: Option<Duration>,
}

impl<'a> Session<'a> {
    pub(super) fn new(uplink: &'a MqttUplink) -> Self {
        let settings = &uplink.settings;
        let files = &uplink.files;
        let track = |outbox| Track::open(outbox, &settings.name, &files.disk);
        Self {
            uplink,
            tracks: uplink.outboxes.iter().map(track).collect(),
            gauges: uplink.outboxes.iter().map(|_| Gauge::new()).collect(),
            limits: Limits::open(&settings.allowance, &files.disk, files.used_today.clone()),
            backoff: Backoff::new(settings.retry_min, settings.seed),
            suspicion: Suspicion::default(),
            quarantine: Quarantine::new(&files.quarantine, Arc::clone(&files.disk)),
            warnings: Warnings::default(),
            terms_seen: Duration::ZERO,
            losses_seen: None,
        }
    }

    /// One connection from beginning to end.
    pub(super) fn connect(&mut self, stop: &Stop) -> Result<(), UplinkError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(UplinkError::Runtime)?;
        let ended = runtime.block_on(Connection::run(self, stop));
        // A name look-up that hangs shall not hold us.
        runtime.shutdown_background();
        ended
    }

    /// Tells what happened and waits before the next attempt.
    pub(super) fn pause(&mut self, err: &UplinkError, stop: &Stop) {
        let uplink = self.uplink;
        let now = uplink.clock.now();
        let mut text = err.to_string();
        if self.suspicion.refuses_everything() {
            text += "; it has refused one message after the other: check what this client may \
                     publish, nothing more is set aside until one is accepted";
        }
        uplink.health.update(|vitals| {
            if vitals.last_error.as_ref() != Some(&text) {
                tracing::warn!(uplink = uplink.settings.name, "{text}");
            }
            vitals.last_error = Some(text);
            vitals.last_error_at = Some(now);
        });
        uplink.health.turn(UplinkState::Waiting, now);
        let max = match err {
            UplinkError::Unreachable { .. } => uplink.settings.retry_unreachable_max,
            UplinkError::NoAnswer { .. }
            | UplinkError::Refused { .. }
            | UplinkError::Tls { .. }
            | UplinkError::Lost { .. }
            | UplinkError::Stalled { .. }
            | UplinkError::Silent { .. }
            | UplinkError::Log(_)
            | UplinkError::Quarantine { .. }
            | UplinkError::Runtime(_)
            | UplinkError::Garbage { .. }
            | UplinkError::Cut => uplink.settings.retry_max,
        };
        let until = uplink.clock.monotonic() + self.backoff.pause(max);
        while uplink.clock.monotonic() < until && !uplink.link.is_cut() && !stop.wait(TICK) {
            self.measure();
        }
    }

    /// Brings backlog, rates and losses up to date.
    pub(super) fn measure(&mut self) {
        let uplink = self.uplink;
        let now = uplink.clock.monotonic();
        let is_due = self.losses_seen.is_none_or(|seen| now.saturating_sub(seen) >= LOSSES_EVERY);
        if is_due {
            self.losses_seen = Some(now);
            self.account();
        }
        let measured = uplink.outboxes.iter().zip(&self.tracks).zip(&mut self.gauges);
        let left_today = self.limits.left_today();
        uplink.health.update(|vitals| {
            vitals.bytes_left_today = left_today;
            for (stream, (what, gauge)) in vitals.streams.iter_mut().zip(measured) {
                gauge.measure(what, now, stream);
            }
        });
        self.tracks.iter_mut().for_each(|track| track.save(now));
        self.limits.save(now);
        if now.saturating_sub(self.terms_seen) >= TERMS_EVERY {
            let terms = uplink.health.vitals().certificates;
            self.note_terms(terms);
        }
    }

    /// Writes everything that is kept in files.
    pub(super) fn flush(&mut self) {
        self.tracks.iter_mut().for_each(Track::flush);
        self.limits.flush();
    }

    /// Notes when the certificates in use end, and warns in time.
    pub(super) fn note_terms(&mut self, terms: Vec<CertificateTerm>) {
        let uplink = self.uplink;
        self.terms_seen = uplink.clock.monotonic();
        let due = self.warnings.due(&uplink.settings.name, &terms, uplink.clock.now());
        uplink.health.update(|vitals| vitals.certificates = terms);
        for event in due {
            tracing::warn!(uplink = uplink.settings.name, "{}", event.message);
            self.tell(event);
        }
    }

    /// Sets aside the message that is proven to end connections, if there is one.
    pub(super) fn judge(&mut self) {
        let Some(suspect) = self.suspicion.proven() else { return };
        let error = self.uplink.health.vitals().last_error.unwrap_or_default();
        let why = format!("the broker ended the connection over it three times ({error})");
        match self.set_aside(suspect, LossReason::Refused, &why) {
            Ok(()) => {
                self.suspicion.acquit();
                self.backoff.reset();
            }
            Err(err) => tracing::error!(uplink = self.uplink.settings.name, %err, "not set aside"),
        }
    }

    /// Keeps a message in quarantine and goes on behind it.
    pub(super) fn set_aside(
        &mut self,
        (stream, offset): Suspect,
        reason: LossReason,
        why: &str,
    ) -> Result<(), UplinkError> {
        let uplink = self.uplink;
        let Some((outbox, track)) = uplink.outboxes.get(stream).zip(self.tracks.get(stream)) else {
            return Ok(());
        };
        let found = track.log.read(offset, 1)?.into_iter().find(|entry| entry.offset == offset);
        let now = uplink.clock.now();
        let mut time = None;
        let mut kept_in = String::new();
        if let Some(entry) = found {
            time = stamp(&entry.record);
            let exhibit = Exhibit {
                set_aside: now.to_string(),
                stream: &outbox.stream,
                seq: offset.0,
                reason: why,
                payload: String::from_utf8_lossy(&entry.record.payload),
            };
            let file = self.quarantine.keep(&exhibit, now).map_err(|source| {
                UplinkError::Quarantine { folder: uplink.files.quarantine.clone(), source }
            })?;
            kept_in = format!("; it is kept in {}", file.display());
        }
        let seqs = offset.0..offset.0 + 1;
        let times = (time.clone(), time);
        self.lose(stream, (seqs, times), (reason, format!("{why}{kept_in}")));
        if let Some(track) = self.tracks.get_mut(stream) {
            track.settle(offset);
        }
        Ok(())
    }

    /// Accounts for messages that the outbox has given up, and gives up those that are too old.
    fn account(&mut self) {
        for stream in 0..self.tracks.len() {
            let Some(track) = self.tracks.get_mut(stream) else { continue };
            let gone = track.evicted();
            // Looked up only when something is gone: it may have to be read from the disk.
            let next = if gone.is_empty() { None } else { first_stamp(track, track.floor()) };
            for seqs in gone {
                let from =
                    self.uplink.health.vitals().streams.get(stream).and_then(|s| s.oldest.clone());
                let detail = "the outbox has reached its size; raise `bytes_max` of it, or mend \
                              the link"
                    .to_owned();
                let times = (from, next.clone());
                self.lose(stream, (seqs, times), (LossReason::OutboxFull, detail));
            }
            self.expire(stream);
        }
    }

    /// Gives up messages that have waited longer than they are kept. Nothing is too old while
    /// nobody vouches for the clock.
    fn expire(&mut self, stream: usize) {
        let clock = &self.uplink.clock;
        let Some(age_max) = self.uplink.outboxes.get(stream).and_then(|outbox| outbox.age_max)
        else {
            return;
        };
        let Some(track) = self.tracks.get_mut(stream) else { return };
        if clock.state() != ClockState::Synced || track.floor() >= track.log.durable() {
            return;
        }
        let limit = clock.now().minus(age_max);
        let Ok(entries) = track.log.read(track.floor(), CHUNK) else { return };
        let is_old = |envelope: &Envelope| {
            stamp(envelope).and_then(|ts| Timestamp::parse(&ts)).is_some_and(|ts| ts < limit)
        };
        let old = entries.iter().take_while(|entry| is_old(&entry.record)).collect::<Vec<_>>();
        let Some((first, last)) = old.first().zip(old.last()) else { return };
        let times = (stamp(&first.record), stamp(&last.record));
        let given_up = track.give_up(last.offset.next());
        for seqs in given_up {
            let detail = "they are older than the outbox keeps them; raise its `age_max`, or mend \
                          the link"
                .to_owned();
            self.lose(stream, (seqs, times.clone()), (LossReason::TooOld, detail));
        }
    }

    /// Counts a loss and tells of it.
    fn lose(
        &mut self,
        stream: usize,
        (seqs, times): (Range<u64>, Times),
        (reason, detail): (LossReason, String),
    ) {
        let uplink = self.uplink;
        let Some(outbox) = uplink.outboxes.get(stream) else { return };
        let name = &uplink.settings.name;
        let loss = Loss { uplink: name, stream: &outbox.stream, seqs, times, reason, detail };
        let event = loss.event(uplink.clock.now());
        uplink.health.update(|vitals| {
            if let Some(vitals) = vitals.streams.get_mut(stream) {
                vitals.lose(reason, loss.messages());
            }
        });
        tracing::error!(uplink = name, "{}", event.message);
        self.tell(event);
    }

    /// Puts an event into the journal. Never waits: the log has it in any case.
    pub(super) fn tell(&self, event: Event) {
        if !self.uplink.events.offer(&[event]) {
            tracing::warn!(
                uplink = self.uplink.settings.name,
                "the journal has no room for an event"
            );
        }
    }
}

/// `ts` of the first message at or behind a place.
fn first_stamp(track: &Track, at: Offset) -> Option<String> {
    let entry = track.log.read(at, 1).ok()?.into_iter().next()?;
    stamp(&entry.record)
}
