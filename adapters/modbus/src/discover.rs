//! Discovery: which units answer on a network or a serial line, and what they say of themselves.
//!
//! Asks harmless reads only: one holding register, device identification (function 43/14) and
//! report server id (17). Slowly, and over one connection to each place at a time.

mod hosts;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_modbus::bytes::Bytes;
use tokio_modbus::prelude::ReadCode;
use tokio_modbus::{Request, Response};

pub use hosts::{HostsError, hosts, numbers};

use crate::area::Area;
use crate::config::Transport;
use crate::probe::{Patience, Session, SessionError};
use crate::scan::Read;
use crate::wire::Fault;

/// Hosts asked at the same time.
const HOSTS_AT_ONCE: usize = 32;
/// Time from the first packet to one host to that to the next.
const HOST_PACE: Duration = Duration::from_millis(25);
/// Answers with more objects of an identification; the standard's objects fit in two.
const IDENTIFICATION_ROUNDS: u32 = 8;
/// Names of the objects of device identification (V1.1b3, clause 6.21).
const OBJECTS: [&str; 7] = [
    "vendor",
    "product_code",
    "revision",
    "vendor_url",
    "product_name",
    "model_name",
    "application_name",
];

/// A unit that answers.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct FoundUnit {
    /// Its id.
    pub unit: u8,
    /// How it answered when one holding register was read.
    pub evidence: String,
    /// What it says of itself: `vendor`, `product_code`, `revision` …
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub identification: BTreeMap<String, String>,
    /// Its answer to "report server id".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_id: Option<String>,
}

/// What happens during a discovery.
#[derive(Clone, Debug)]
pub enum Told {
    /// A place is asked about a unit.
    Asking {
        /// Host or port.
        place: String,
        /// The unit.
        unit: u8,
    },
    /// A unit answers.
    Found {
        /// Host or port.
        place: String,
        /// The unit.
        unit: FoundUnit,
    },
    /// A place is finished.
    Done {
        /// Host or port.
        place: String,
        /// Whether a connection could be made.
        is_open: bool,
        /// Units that answered.
        units: usize,
    },
}

/// Asks hosts for units, several hosts at once; `told` hears everything as it happens.
///
/// Cancelling it closes all connections.
pub async fn tcp(
    transports: Vec<Transport>,
    units: Vec<u8>,
    patience: Patience,
    mut told: impl FnMut(Told) + Send,
) {
    // Full when `told` is slow: the searches then wait, which costs nobody anything.
    let (sender, mut receiver) = mpsc::channel(HOSTS_AT_ONCE);
    let mut searches = JoinSet::new();
    let mut waiting = transports.into_iter();
    let mut next_at = Instant::now();
    loop {
        if searches.len() < HOSTS_AT_ONCE
            && let Some(transport) = waiting.next()
        {
            let (sender, units, begin) = (sender.clone(), units.clone(), next_at);
            next_at = begin.max(Instant::now()) + HOST_PACE;
            searches.spawn(async move {
                sleep_until(begin).await;
                let mut session = Session::new(transport, patience);
                line(&mut session, &units, &sender).await;
            });
            continue;
        }
        tokio::select! {
            biased;
            Some(one) = receiver.recv() => told(one),
            done = searches.join_next() => if done.is_none() {
                break;
            },
        }
    }
    while let Ok(one) = receiver.try_recv() {
        told(one);
    }
}

/// Asks one place (a serial port with its settings) for units, and returns how many answered.
///
/// # Errors
/// [`SessionError::Connect`] when the port cannot be opened.
pub async fn serial(
    transport: Transport,
    units: Vec<u8>,
    patience: Patience,
    mut told: impl FnMut(Told) + Send,
) -> Result<usize, SessionError> {
    let mut session = Session::new(transport, patience);
    let place = session.transport().to_string();
    let mut found = 0;
    for unit in units {
        told(Told::Asking { place: place.clone(), unit });
        if let Some(unit) = ask_unit(&mut session, unit).await? {
            found += 1;
            told(Told::Found { place: place.clone(), unit });
        }
    }
    Ok(found)
}

async fn line(session: &mut Session, units: &[u8], sender: &mpsc::Sender<Told>) {
    let place = session.transport().to_string();
    let mut found = 0;
    let mut is_open = true;
    for unit in units {
        match ask_unit(session, *unit).await {
            Ok(Some(unit)) => {
                found += 1;
                let told = Told::Found { place: place.clone(), unit };
                if sender.send(told).await.is_err() {
                    return;
                }
            }
            Ok(None) => {}
            Err(_) => {
                is_open = found > 0;
                break;
            }
        }
    }
    let done = Told::Done { place, is_open, units: found };
    // Nobody listens any more: nobody is to be told.
    let _gone = sender.send(done).await;
}

/// Asks one unit; `None` when nobody answers for it.
///
/// # Errors
/// [`SessionError::Connect`]: there is no connection, so that nothing is known of the unit.
pub async fn ask_unit(session: &mut Session, unit: u8) -> Result<Option<FoundUnit>, SessionError> {
    let read = Read { area: Area::Holding, start: 0, count: 1 };
    let evidence = match session.read(unit, read).await {
        Ok(words) => format!("holding:0 is {}", words.first().copied().unwrap_or_default()),
        Err(err @ SessionError::Connect { .. }) => return Err(err),
        Err(SessionError::Fault { fault, .. }) if is_silence(fault) => return Ok(None),
        Err(SessionError::Fault { fault: Fault::Exception(code), .. }) => {
            format!("refuses holding:0 with exception {code}")
        }
        Err(SessionError::Fault { fault, .. }) => format!("answers strangely: {fault}"),
    };
    let identification = identification(session, unit).await;
    let server_id = server_id(session, unit).await;
    Ok(Some(FoundUnit { unit, evidence, identification, server_id }))
}

/// Whether nobody answers for the unit. A gateway refuses for units it does not reach.
fn is_silence(fault: Fault) -> bool {
    matches!(fault, Fault::Timeout | Fault::Exception(10 | 11) | Fault::Closed | Fault::Io(_))
}

/// What a unit says of itself; nothing when it does not know the function.
async fn identification(session: &mut Session, unit: u8) -> BTreeMap<String, String> {
    let mut objects = BTreeMap::new();
    let mut next = 0;
    for _ in 0..IDENTIFICATION_ROUNDS {
        let request = Request::ReadDeviceIdentification(ReadCode::Regular, next);
        let Ok(Response::ReadDeviceIdentification(answer)) = session.ask(unit, &request).await
        else {
            break;
        };
        for object in &answer.device_id_objects {
            let name = OBJECTS.get(usize::from(object.id)).map(|name| (*name).to_owned());
            let name = name.unwrap_or_else(|| format!("object_{}", object.id));
            objects.insert(name, readable(&object.value));
        }
        if !answer.more_follows {
            break;
        }
        next = answer.next_object_id;
    }
    objects.retain(|_, text| !text.is_empty());
    objects
}

async fn server_id(session: &mut Session, unit: u8) -> Option<String> {
    let answer = session.ask(unit, &Request::ReportServerId).await.ok()?;
    let Response::ReportServerId(id, is_running, more) = answer else { return None };
    let state = if is_running { "running" } else { "stopped" };
    let more = readable(&Bytes::from(more));
    Some(format!("{id} {state} {more}").trim_end().to_owned())
}

/// Bytes as text for a terminal: what cannot be shown becomes a question mark.
fn readable(bytes: &Bytes) -> String {
    let shown = |letter: char| if letter.is_control() { '?' } else { letter };
    let text = String::from_utf8_lossy(bytes);
    text.trim_matches(['\0', ' ']).chars().map(shown).collect()
}

#[cfg(test)]
mod tests;
