//! One MQTT connection, from CONNECT to its first error.

use std::time::Duration;

use rumqttc::{
    AsyncClient, Event, EventLoop, LastWill, MqttOptions, NetworkOptions, Packet, QoS,
    TlsConfiguration, Transport,
};
use signals::Stop;

use super::error::UplinkError;
use super::flight::{Cargo, Flight, Parcel};
use super::lane::Lane;
use super::mqtt::TICK;
use super::session::Session;
use super::status::Pair;
use super::suspicion::Suspect;
use super::tls::Loaded;
use super::{Credentials, MqttUplink, UplinkState, WINDOW_MAX};
use crate::forward::PAYLOAD_BYTES_MAX;

mod end;
mod feed;

/// Longest time for a goodbye.
const GOODBYE: Duration = Duration::from_secs(1);
/// Longest packet we read or write: a payload, its topic and its header.
const PACKET_BYTES_MAX: usize = PAYLOAD_BYTES_MAX + 64 * 1024;

/// What the connection is doing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    Connecting,
    Online,
    /// Ending until then (monotonic); whoever comes next takes the status over.
    Leaving(Duration),
}

/// One connection.
pub(super) struct Connection<'s, 'a> {
    session: &'s mut Session<'a>,
    stop: &'s Stop,
    client: AsyncClient,
    status: Pair,
    flight: Flight,
    lanes: Vec<Lane>,
    phase: Phase,
    began: Duration,
    /// When the broker accepted us; monotonic.
    online: Duration,
    /// When anything last came from the broker; monotonic.
    heard: Duration,
    tls: Option<Loaded>,
    /// When the files of TLS were last looked at; monotonic.
    files_seen: Duration,
    /// The message this connection puts on trial.
    trial: Option<Trial>,
}

/// A message that is sent alone, to see whether the broker ends the connection over it.
#[derive(Clone, Copy, Debug)]
struct Trial {
    suspect: Suspect,
    is_sent: bool,
}

impl<'s, 'a> Connection<'s, 'a> {
    /// Connects, sends what waits, and goes on until the stop signal (then `Ok`) or an error.
    pub(super) async fn run(
        session: &'s mut Session<'a>,
        stop: &'s Stop,
    ) -> Result<(), UplinkError> {
        let uplink = session.uplink;
        let now = uplink.clock.monotonic();
        let status = Pair::make(&uplink.settings.gateway, &uplink.status, uplink.clock.now());
        let tls = load(uplink)?;
        let (client, mut events) = open(uplink, &status, tls.as_ref());
        let order = uplink.settings.order;
        let lanes =
            uplink.outboxes.iter().zip(&session.tracks).map(|(outbox, track)| {
                Lane::open(uplink.settings.topic(&outbox.stream), track, order)
            });
        let lanes = lanes.collect();
        let trial = session.suspicion.on_trial().map(|suspect| Trial { suspect, is_sent: false });
        let mut connection = Self {
            client,
            status,
            flight: Flight::new(uplink.settings.window.clamp(1, WINDOW_MAX)),
            lanes,
            trial,
            phase: Phase::Connecting,
            began: now,
            online: now,
            heard: now,
            tls,
            files_seen: now,
            session,
            stop,
        };
        let ended = connection.follow(&mut events).await;
        connection.note_terms();
        // Acknowledgements that came in together with the error count.
        while let Some(event) = events.state.events.pop_front() {
            connection.take(&event);
        }
        if connection.phase == Phase::Connecting
            && !matches!(ended, Err(UplinkError::Unreachable { .. }))
        {
            // A broker may have seen our last will although we have not heard of it.
            connection.use_up_status();
        }
        connection.suspect_oldest(ended.as_ref().err());
        ended
    }

    async fn follow(&mut self, events: &mut EventLoop) -> Result<(), UplinkError> {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            self.watch()?;
            self.feed()?;
            let polled = {
                // A poll must not be dropped half-way: it may hold a packet not yet written.
                let poll = events.poll();
                tokio::pin!(poll);
                loop {
                    tokio::select! {
                        biased;
                        polled = &mut poll => break polled,
                        _ = tick.tick() => {
                            self.session.measure();
                            self.watch()?;
                            self.feed()?;
                        }
                    }
                }
            };
            match polled {
                Ok(Event::Incoming(Packet::ConnAck(_))) => self.welcome()?,
                Ok(Event::Outgoing(rumqttc::Outgoing::Disconnect)) => return Ok(()),
                Ok(event) => self.take(&event),
                // Whatever ends a connection that we are leaving, it has ended.
                Err(_) if matches!(self.phase, Phase::Leaving(_)) => return Ok(()),
                Err(err) => return Err(self.explain(err)),
            }
        }
    }

    /// The broker has accepted us.
    fn welcome(&mut self) -> Result<(), UplinkError> {
        let uplink = self.session.uplink;
        self.phase = Phase::Online;
        self.use_up_status();
        self.heard = uplink.clock.monotonic();
        self.online = self.heard;
        uplink.link.set_up(true);
        uplink.health.turn(UplinkState::Online, uplink.clock.now());
        uplink.health.update(|vitals| vitals.connections += 1);
        self.note_terms();
        tracing::info!(uplink = uplink.settings.name, broker = uplink.health.address, "online");
        let payload = self.status.online.clone();
        self.publish(&uplink.settings.topic("status"), payload, Cargo::Status)
    }

    /// Checks switches and deadlines.
    fn watch(&mut self) -> Result<(), UplinkError> {
        let uplink = self.session.uplink;
        let settings = &uplink.settings;
        let broker = || uplink.health.address.clone();
        let now = uplink.clock.monotonic();
        if uplink.link.is_cut() {
            return Err(UplinkError::Cut);
        }
        let silence_max = settings.keep_alive.mul_f64(1.5);
        match self.phase {
            Phase::Connecting if self.stop.is_raised() => Err(UplinkError::Cut),
            Phase::Connecting if now.saturating_sub(self.began) > settings.connect_timeout => {
                Err(UplinkError::NoAnswer { broker: broker(), after: settings.connect_timeout })
            }
            Phase::Online if self.stop.is_raised() => self.leave(now),
            Phase::Online if self.flight.waiting(now) > settings.ack_timeout => {
                let suspect = self.suspect();
                Err(UplinkError::Stalled { broker: broker(), after: settings.ack_timeout, suspect })
            }
            Phase::Online if now.saturating_sub(self.heard) > silence_max => {
                Err(UplinkError::Silent { broker: broker(), after: silence_max })
            }
            Phase::Online => {
                if self.is_renewed(now) {
                    tracing::info!(uplink = settings.name, "certificates renewed; connecting anew");
                    self.phase = Phase::Leaving(now + GOODBYE);
                }
                Ok(())
            }
            Phase::Connecting => Ok(()),
            Phase::Leaving(until) => {
                if now >= until || self.flight.is_empty() {
                    // With no room in the queue the connection is dropped: the will speaks then.
                    let _full = self.client.try_disconnect();
                }
                // A network that takes nothing any more is left without a goodbye.
                if now >= until + GOODBYE { Err(UplinkError::Cut) } else { Ok(()) }
            }
        }
    }

    /// Says that we are going; the broker then forgets the last will.
    fn leave(&mut self, now: Duration) -> Result<(), UplinkError> {
        self.phase = Phase::Leaving(now + GOODBYE);
        let topic = self.session.uplink.settings.topic("status");
        self.publish(&topic, self.status.offline.clone(), Cargo::Status)
    }

    /// Takes what the client library tells.
    fn take(&mut self, event: &Event) {
        let now = self.session.uplink.clock.monotonic();
        match event {
            Event::Outgoing(rumqttc::Outgoing::Publish(packet_id)) => {
                self.flight.number(*packet_id);
            }
            Event::Outgoing(_) => {}
            Event::Incoming(packet) => {
                self.heard = now;
                if let Packet::PubAck(ack) = packet {
                    let delivered = self.flight.acknowledge(ack.pkid, now);
                    self.commit(&delivered);
                }
            }
        }
    }

    /// Moves cursors over what has been delivered.
    fn commit(&mut self, delivered: &[Cargo]) {
        if !delivered.is_empty() {
            self.session.backoff.reset();
        }
        for cargo in delivered {
            let Cargo::Message(Parcel { stream, offset, .. }) = *cargo else { continue };
            if let Some(track) = self.session.tracks.get_mut(stream) {
                track.settle(offset);
            }
            self.session.suspicion.delivered((stream, offset));
            self.session.uplink.health.update(|vitals| {
                if let Some(vitals) = vitals.streams.get_mut(stream) {
                    vitals.acknowledged += 1;
                }
            });
        }
    }

    /// Uses up the numbers of our status messages.
    fn use_up_status(&self) {
        let uplink = self.session.uplink;
        self.status.keep(&uplink.status);
        // Nobody reads them again: what counts is that their numbers are taken.
        uplink.cursor(&uplink.status).commit(uplink.status.durable());
    }

    /// Tells the terms of the certificates, with the broker's once it has shown it.
    fn note_terms(&mut self) {
        if let Some(tls) = &self.tls {
            self.session.note_terms(tls.terms());
        }
    }

    /// Whether the files of TLS have changed and can be used.
    fn is_renewed(&mut self, now: Duration) -> bool {
        let uplink = self.session.uplink;
        let Some((loaded, settings)) = self.tls.as_mut().zip(uplink.settings.tls.as_ref()) else {
            return false;
        };
        if now.saturating_sub(self.files_seen) < settings.look_every {
            return false;
        }
        self.files_seen = now;
        let print = settings.fingerprint();
        if print == loaded.print {
            return false;
        }
        loaded.print = print;
        match settings.load(&uplink.settings.host, &uplink.clock) {
            Ok(_) => true,
            // Half-written, or wrong: this connection works, the next look is after the next change.
            Err(reason) => {
                tracing::warn!(
                    uplink = uplink.settings.name,
                    "the changed files of TLS are not used: {reason}"
                );
                false
            }
        }
    }
}

/// The files of TLS, when the uplink uses it.
fn load(uplink: &MqttUplink) -> Result<Option<Loaded>, UplinkError> {
    let load = |settings: &super::TlsSettings| {
        settings
            .load(&uplink.settings.host, &uplink.clock)
            .map_err(|reason| UplinkError::Tls { broker: uplink.health.address.clone(), reason })
    };
    uplink.settings.tls.as_ref().map(load).transpose()
}

/// A client of its own for one connection: clean session, no more in flight than our window.
fn open(uplink: &MqttUplink, status: &Pair, tls: Option<&Loaded>) -> (AsyncClient, EventLoop) {
    let settings = &uplink.settings;
    let window = settings.window.clamp(1, WINDOW_MAX);
    let mut options = MqttOptions::new(&settings.client_id, &settings.host, settings.port);
    let keep_alive = Duration::from_secs(settings.keep_alive.as_secs().max(1));
    options.set_keep_alive(keep_alive).set_clean_session(true).set_inflight(window);
    options.set_max_packet_size(PACKET_BYTES_MAX, PACKET_BYTES_MAX);
    let topic = settings.topic("status");
    options.set_last_will(LastWill::new(topic, status.offline.clone(), QoS::AtLeastOnce, true));
    if let Some(Credentials { user, password }) = &settings.credentials {
        options.set_credentials(user, password);
    }
    if let Some(tls) = tls {
        let config = TlsConfiguration::Rustls(std::sync::Arc::clone(&tls.config));
        options.set_transport(Transport::tls_with_config(config));
    }
    // Room for the window, a goodbye and a DISCONNECT: `try_publish` never finds it full.
    let (client, mut events) = AsyncClient::new(options, usize::from(window) + 4);
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    // Ours is the outer deadline; this one only must not come first.
    network.set_connection_timeout(settings.connect_timeout.as_secs() + 2);
    events.set_network_options(network);
    (client, events)
}
