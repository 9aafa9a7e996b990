//! How a connection ended: in words, and which message it may have ended over.

use std::io;

use rumqttc::{ConnectionError, StateError};

use super::{Connection, Phase};
use crate::uplink::error::{UplinkError, refusal};
use crate::uplink::flight::Cargo;
use crate::uplink::tls::faults;

impl Connection<'_, '_> {
    /// Holds the end of the connection against the oldest message on its way.
    pub(super) fn suspect_oldest(&mut self, err: Option<&UplinkError>) {
        // Only an end that the broker or the network made while messages flow is a sign. A broker
        // that acknowledges nothing is slow or stuck: nothing is set aside because of that.
        let is_sign = self.phase == Phase::Online && matches!(err, Some(UplinkError::Lost { .. }));
        let Some(Cargo::Message(parcel)) = self.flight.oldest() else { return };
        let suspect = (parcel.stream, parcel.offset);
        let was_alone = self.trial.is_some_and(|t| t.is_sent && t.suspect == suspect);
        if is_sign {
            self.session.suspicion.ended(Some(suspect), was_alone);
        }
    }

    /// What TLS says about an error, if it is about TLS.
    fn explain_tls(&self, err: &ConnectionError) -> Option<UplinkError> {
        let settings = self.session.uplink.settings.tls.as_ref()?;
        let broker = self.session.uplink.health.address.clone();
        let host = &self.session.uplink.settings.host;
        if let Some(cause) = faults::cause(err) {
            let reason = faults::told(cause, settings, settings.name(host));
            return Some(UplinkError::Tls { broker, reason });
        }
        let is_handshake = matches!(err, ConnectionError::Tls(_));
        let reason = format!("{} ({err})", faults::CLOSED);
        is_handshake.then_some(UplinkError::Tls { broker, reason })
    }

    pub(super) fn explain(&self, err: ConnectionError) -> UplinkError {
        let broker = self.session.uplink.health.address.clone();
        if let Some(told) = self.explain_tls(&err) {
            return told;
        }
        // Says nothing of the message that was on its way.
        if is_garbage(&err) {
            return UplinkError::Garbage { broker, cause: err.to_string() };
        }
        match err {
            ConnectionError::ConnectionRefused(code) => {
                UplinkError::Refused { broker, reason: refusal(code) }
            }
            ConnectionError::Io(err) if self.phase == Phase::Connecting => {
                UplinkError::Unreachable { broker, cause: err.to_string() }
            }
            ConnectionError::NetworkTimeout if self.phase == Phase::Connecting => {
                let after = self.session.uplink.settings.connect_timeout;
                UplinkError::NoAnswer { broker, after }
            }
            err @ (ConnectionError::Io(_)
            | ConnectionError::Tls(_)
            | ConnectionError::NetworkTimeout
            | ConnectionError::MqttState(_)
            | ConnectionError::FlushTimeout
            | ConnectionError::NotConnAck(_)
            | ConnectionError::RequestsDone) => {
                UplinkError::Lost { broker, cause: err.to_string(), suspect: self.suspect() }
            }
        }
    }

    /// Names the message that a broker may be choking on.
    pub(super) fn suspect(&self) -> String {
        let parcel = match self.flight.oldest() {
            None => return String::new(),
            Some(Cargo::Status) => return "; oldest message on its way: status".to_owned(),
            Some(Cargo::Message(parcel)) => parcel,
        };
        let (stream, offset) = (parcel.stream, parcel.offset);
        let outbox = self.session.uplink.outboxes.get(stream);
        let name = outbox.map(|outbox| outbox.stream.as_str()).unwrap_or_default();
        format!("; oldest message on its way: {name} seq {offset}")
    }
}

/// Whether a connection ended over bytes that the broker should not have sent.
fn is_garbage(err: &ConnectionError) -> bool {
    match err {
        ConnectionError::NotConnAck(_) => true,
        ConnectionError::Io(err) => err.kind() == io::ErrorKind::InvalidData,
        ConnectionError::MqttState(err) => match err {
            StateError::Io(err) => err.kind() == io::ErrorKind::InvalidData,
            StateError::Deserialization(_)
            | StateError::InvalidState
            | StateError::Unsolicited(_)
            | StateError::WrongPacket => true,
            StateError::AwaitPingResp
            | StateError::CollisionTimeout
            | StateError::EmptySubscription
            | StateError::ConnectionAborted => false,
        },
        ConnectionError::ConnectionRefused(_)
        | ConnectionError::Tls(_)
        | ConnectionError::NetworkTimeout
        | ConnectionError::FlushTimeout
        | ConnectionError::RequestsDone => false,
    }
}
