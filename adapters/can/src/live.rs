//! Live: the adapter that listens to a bus on a network interface (SocketCAN).
//!
//! ```text
//! kernel ─► receive (64 frames a call) ─► stamp ─► stream (decode) ─► intake
//!    │            │ error frames ─► errors ─► state ─► report ─► _events, _gaps
//!    └─ link (once a second: settings, counters) ──────┘
//! ```
//!
//! One thread per bus. It waits for frames at most 100 ms, takes all that wait, and looks at the
//! interface once a second (four times a second while it hears nothing).
//! V-1 Nothing is ever sent: there is no code that could ([`receive`]), and a bus that is to be
//!     listen-only is not even opened before its controller has confirmed it ([`link`]).
//! V-2 A frame that the kernel lost is counted, and is part of one event and one gap.
//! V-3 Whatever happens to the interface, the thread neither ends nor spins.
//!
//! | module | what |
//! |---|---|
//! | [`receive`] | the socket, and the messages in it |
//! | [`link`] | what the interface says of itself |
//! | [`state`], [`errors`] | what the bus is doing; what error frames say |
//! | [`stamp`] | times, also when the wall clock is set |
//! | [`load`] | bits on the wire |
//! | [`listen`] | the thread |
//! | [`tap`] | frames for whoever watches a bus from a terminal |
//! | [`report`], [`notices`], [`meters`] | events, gaps and figures |

use std::sync::Arc;

use signals::adapter::{Health, Instruments};
use signals::{Adapter, Feed, Table};

use crate::bus::{Filter, Live};
use crate::decode::Decoder;
use crate::plan::{DecodePlan, Key};
use crate::reload::Loaded;

pub(crate) mod errors;
mod link;
mod listen;
mod load;
pub(crate) mod meters;
pub(crate) mod notices;
mod receive;
mod report;
pub(crate) mod stamp;
mod state;
pub mod tap;

use listen::Listener;
use receive::{FILTERS_MAX, IdFilter};

/// Bits of an identifier as a filter has them: 29-bit identifier, and remote frame.
const EXTENDED: u32 = 0x8000_0000;
const REMOTE: u32 = 0x4000_0000;
/// Parameter group of PDU format 2, and of format 1 where the low byte is a destination.
const PGN_MASK: u32 = 0x03FF_FF00;
const PGN_MASK_TO_ONE: u32 = 0x03FF_0000;
/// Messages of several frames on a bus that speaks J1939.
const J1939_TRANSPORT: [u32; 2] = [0xEC00, 0xEB00];

/// The adapter of a live bus.
pub struct LiveAdapter {
    loaded: Loaded,
    live: Live,
    decoder: Decoder,
    filters: Vec<IdFilter>,
    health: Arc<Health>,
    instruments: Arc<Instruments>,
}

/// The name of a state by its number in `can_bus_state`.
#[must_use]
pub fn state_label(number: f64) -> Option<&'static str> {
    let found =
        state::BusState::ALL.into_iter().find(|state| state.number().total_cmp(&number).is_eq());
    found.map(state::BusState::label)
}

impl LiveAdapter {
    /// An adapter that listens to `live` and decodes with `decoder`.
    pub(crate) fn new(loaded: Loaded, live: Live, decoder: Decoder) -> Self {
        let name = loaded.bus.name.clone();
        let health = Health::new(name.clone(), "can", format!("interface {}", live.interface));
        let instruments = Arc::new(Instruments::new(name, "can"));
        let filters = wanted_filters(&live, decoder.plan());
        Self { loaded, live, decoder, filters, health, instruments }
    }
}

impl Adapter for LiveAdapter {
    fn name(&self) -> &str {
        &self.loaded.bus.name
    }

    fn tables(&self) -> Vec<Arc<Table>> {
        self.decoder.tables().cloned().collect()
    }

    fn health(&self) -> Vec<Arc<Health>> {
        vec![Arc::clone(&self.health)]
    }

    fn instruments(&self) -> Vec<Arc<Instruments>> {
        vec![Arc::clone(&self.instruments)]
    }

    fn run(self: Box<Self>, feed: Feed) {
        Listener::new(*self, feed).run();
    }
}

/// What the kernel is asked to let through; nothing for everything.
fn wanted_filters(live: &Live, plan: &DecodePlan) -> Vec<IdFilter> {
    match live.filter {
        Filter::All => Vec::new(),
        Filter::Known => filters_of(plan),
    }
}

/// What lets the frames of a plan through and no others; nothing, which lets all through, when
/// that takes more filters than the kernel has.
///
/// Without the flags in its mask a filter for an 11-bit identifier would let 29-bit ones through.
fn filters_of(plan: &DecodePlan) -> Vec<IdFilter> {
    let by_group = |pgn: u32| {
        let to_one = (pgn >> 8) & 0xFF < 240;
        let mask = if to_one { PGN_MASK_TO_ONE } else { PGN_MASK };
        (EXTENDED | (pgn << 8), EXTENDED | REMOTE | mask)
    };
    let mut filters: Vec<IdFilter> = plan
        .messages()
        .iter()
        .map(|message| match message.key {
            Key::Standard(id) => (id, EXTENDED | REMOTE | crate::frame::STANDARD_ID_MAX),
            Key::Extended(id) => (EXTENDED | id, EXTENDED | REMOTE | crate::frame::EXTENDED_ID_MAX),
            Key::Pgn(pgn) => by_group(pgn),
        })
        .collect();
    if plan.by_pgn() {
        filters.extend(J1939_TRANSPORT.map(by_group));
    }
    filters.sort_unstable();
    filters.dedup();
    if filters.len() > FILTERS_MAX { Vec::new() } else { filters }
}

#[cfg(test)]
mod tests;
