//! What can end a connection, and what a person can do about it.

use std::io;
use std::time::Duration;

use rumqttc::ConnectReturnCode;

use crate::log::LogError;

/// Why a connection has ended. All are tried again; the texts say what a person can do.
#[derive(Debug, thiserror::Error)]
pub enum UplinkError {
    /// There is no way to the broker.
    #[error(
        "{broker}: cannot be reached: {cause}; check the network, the address and that the broker is running"
    )]
    Unreachable {
        /// The broker.
        broker: String,
        /// What the operating system said.
        cause: String,
    },
    /// The broker does not accept us in time.
    #[error(
        "{broker}: no answer to CONNECT within {after:?}; check that it is an MQTT broker and that no firewall drops packets"
    )]
    NoAnswer {
        /// The broker.
        broker: String,
        /// How long we have waited.
        after: Duration,
    },
    /// The broker does not want us.
    #[error("{broker}: refuses the connection: {reason}")]
    Refused {
        /// The broker.
        broker: String,
        /// Why, and what to do.
        reason: &'static str,
    },
    /// TLS cannot be agreed, or its files cannot be used.
    #[error("{broker}: {reason}")]
    Tls {
        /// The broker.
        broker: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// The connection broke.
    #[error(
        "{broker}: connection lost: {cause}; if it happens again and again, look for a second client with this `client_id` and into the broker's log{suspect}"
    )]
    Lost {
        /// The broker.
        broker: String,
        /// What the client library said.
        cause: String,
        /// The message that was on its way, if any.
        suspect: String,
    },
    /// What comes from the broker is not MQTT, or not what it may send now.
    #[error(
        "{broker}: sends what is not MQTT, or acknowledges what was never sent: {cause}; check that this is the address of an MQTT broker, and what stands between"
    )]
    Garbage {
        /// The broker.
        broker: String,
        /// What the client library said.
        cause: String,
    },
    /// The broker takes messages and acknowledges none.
    #[error(
        "{broker}: no acknowledgement within {after:?}; check the broker's load and limits{suspect}"
    )]
    Stalled {
        /// The broker.
        broker: String,
        /// How long we have waited.
        after: Duration,
        /// The message that was on its way, if any.
        suspect: String,
    },
    /// Nothing at all comes from the broker any more.
    #[error("{broker}: silent for {after:?}; the network or the broker has gone without a word")]
    Silent {
        /// The broker.
        broker: String,
        /// How long we have waited.
        after: Duration,
    },
    /// The link is cut on purpose.
    #[error("the link is cut; mend it")]
    Cut,
    /// An outbox cannot be read or the status log cannot be written.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A message that is refused cannot be set aside.
    #[error("{folder}: a refused message cannot be kept: {source}; check that the disk is there, writable and has room", folder = folder.display())]
    Quarantine {
        /// Where it was to be kept.
        folder: std::path::PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The operating system gives us no event queue.
    #[error("uplink: cannot start its event loop: {0}; check the limit of open files")]
    Runtime(io::Error),
}

/// Why a broker refuses, and what to do.
pub(super) fn refusal(code: ConnectReturnCode) -> &'static str {
    match code {
        ConnectReturnCode::BadUserNamePassword => {
            "user name or password is wrong; correct the credentials of this uplink"
        }
        ConnectReturnCode::NotAuthorized => {
            "not authorised; allow this client id and its topics on the broker"
        }
        ConnectReturnCode::BadClientId => {
            "the client id is not allowed; set `client_id` to one the broker accepts"
        }
        ConnectReturnCode::RefusedProtocolVersion => {
            "it does not speak MQTT 3.1.1; enable that version on the broker"
        }
        ConnectReturnCode::ServiceUnavailable | ConnectReturnCode::Success => {
            "the service is unavailable; look at the broker, it will be tried again"
        }
    }
}
