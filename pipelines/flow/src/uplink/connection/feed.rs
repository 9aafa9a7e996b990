//! What is sent next: urgent streams, what is new, the backlog, each as far as the limits let it.

use rumqttc::QoS;
use signals::Envelope;

use super::{Connection, Phase, Trial};
use crate::log::Entry;
use crate::uplink::error::UplinkError;
use crate::uplink::flight::{Cargo, Parcel};
use crate::uplink::lane::Side;
use crate::uplink::limits::Wish;
use crate::uplink::loss::LossReason;

/// What MQTT 3.1.1 packs around topic and payload at most: fixed header, topic length, packet id.
const PACKET_BYTES: usize = 9;

/// A message and where it comes from.
struct Choice {
    parcel: Parcel,
    entry: Entry<Envelope>,
}

impl Connection<'_, '_> {
    /// Sends what waits while the window has room.
    pub(super) fn feed(&mut self) -> Result<(), UplinkError> {
        while self.phase == Phase::Online && self.flight.has_room() {
            let Some(Choice { parcel, entry }) = self.choose()? else { return Ok(()) };
            let Parcel { stream, side, .. } = parcel;
            let uplink = self.session.uplink;
            let payload = &entry.record.payload;
            let Some(lane) = self.lanes.get_mut(stream) else { return Ok(()) };
            let bytes = payload.len() + lane.topic.len() + PACKET_BYTES;
            if payload.len() > uplink.settings.message_bytes_max {
                let max = uplink.settings.message_bytes_max;
                let why = format!("it has {} bytes, and {max} may be sent", payload.len());
                lane.pass(side);
                self.session.set_aside((stream, entry.offset), LossReason::TooLarge, &why)?;
                continue;
            }
            let is_urgent = uplink.outboxes.get(stream).is_some_and(|outbox| outbox.is_urgent);
            let wish = Wish { bytes: bytes as u64, side, is_urgent };
            if !self.session.limits.admit(wish, (uplink.clock.monotonic(), uplink.clock.now())) {
                return Ok(());
            }
            let topic = lane.topic.clone();
            // What is on trial was not taken out of its lane: it is passed over once it is settled.
            if self.trial.is_none_or(|trial| trial.suspect != (stream, entry.offset)) {
                lane.pass(side);
            }
            self.publish(&topic, payload.clone(), Cargo::Message(parcel))?;
            uplink.health.update(|vitals| {
                if let Some(vitals) = vitals.streams.get_mut(stream) {
                    vitals.sent += 1;
                }
            });
        }
        Ok(())
    }

    /// The message that goes next, left in place.
    fn choose(&mut self) -> Result<Option<Choice>, UplinkError> {
        if let Some(trial) = self.trial {
            return self.choose_on_trial(trial);
        }
        for side in [Side::Live, Side::Backlog] {
            if side == Side::Backlog && !self.flight.has_room_for_backlog() {
                continue;
            }
            for stream in 0..self.lanes.len() {
                if let Some(choice) = self.peek(stream, side)? {
                    return Ok(Some(choice));
                }
            }
        }
        Ok(None)
    }

    /// With a message on trial one message is on its way at a time: first those of other streams,
    /// and once the connection has held for a while the one on trial.
    fn choose_on_trial(&mut self, trial: Trial) -> Result<Option<Choice>, UplinkError> {
        if !self.flight.is_empty() {
            return Ok(None);
        }
        let (suspected, offset) = trial.suspect;
        let Some(track) = self.session.tracks.get(suspected) else { return Ok(None) };
        if track.is_settled(offset) {
            self.trial = None;
            return self.choose();
        }
        let held = self.session.uplink.clock.monotonic().saturating_sub(self.online);
        if held >= self.session.uplink.settings.trial_hold {
            let found = track.log.read(offset, 1)?.into_iter().next();
            let Some(entry) = found.filter(|entry| entry.offset == offset) else {
                self.trial = None;
                return Ok(None);
            };
            self.trial = Some(Trial { is_sent: true, ..trial });
            let parcel = Parcel { stream: suspected, offset, side: Side::Live };
            return Ok(Some(Choice { parcel, entry }));
        }
        for stream in (0..self.lanes.len()).filter(|stream| *stream != suspected) {
            if let Some(choice) = self.peek(stream, Side::Live)? {
                return Ok(Some(choice));
            }
        }
        Ok(None)
    }

    fn peek(&mut self, stream: usize, side: Side) -> Result<Option<Choice>, UplinkError> {
        let Some((lane, track)) = self.lanes.get_mut(stream).zip(self.session.tracks.get(stream))
        else {
            return Ok(None);
        };
        let Some(entry) = lane.peek(side, track)? else { return Ok(None) };
        let parcel = Parcel { stream, offset: entry.offset, side };
        Ok(Some(Choice { parcel, entry }))
    }

    pub(super) fn publish(
        &mut self,
        topic: &str,
        payload: Vec<u8>,
        cargo: Cargo,
    ) -> Result<(), UplinkError> {
        let uplink = self.session.uplink;
        let is_retained = cargo == Cargo::Status;
        self.client.try_publish(topic, QoS::AtLeastOnce, is_retained, payload).map_err(|err| {
            UplinkError::Lost {
                broker: uplink.health.address.clone(),
                cause: format!("the client library took no message: {err}"),
                suspect: String::new(),
            }
        })?;
        self.flight.send(cargo, uplink.clock.monotonic());
        Ok(())
    }
}
