//! What the API can see: every room's readable side in one place, and the desks of the lines.

use std::sync::{Arc, Mutex, PoisonError};

use pipelines_flow::Log;
use pipelines_flow::aggregate::AggregateVitals;
use pipelines_flow::condition::JournalIntake;
use pipelines_flow::forward::ForwardVitals;
use pipelines_flow::historian::Historian;
use pipelines_flow::history::History;
use pipelines_flow::uplink::{Link, UplinkHealth};
use pipelines_upload::UploadCounts;
use signals::adapter::{Health, Instruments};
use signals::{Batch, Clock, Timestamp};

use crate::catalog::Catalog;
use crate::detection::DetectorHealth;
use crate::live::Live;

/// An uplink and the link it uses.
#[derive(Clone)]
pub struct UplinkView {
    /// What is known of it.
    pub health: Arc<UplinkHealth>,
    /// Whether its link is up, or cut on purpose.
    pub link: Arc<Link>,
}

/// The upload of the lake's files.
#[derive(Clone)]
pub struct UploadView {
    /// Where they go.
    pub place: String,
    /// Its figures.
    pub counts: Arc<Mutex<UploadCounts>>,
}

impl UploadView {
    /// Its figures as of now.
    #[must_use]
    pub fn counts(&self) -> UploadCounts {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The readable side of a running gateway.
pub struct View {
    /// The gateway's id.
    pub gateway: String,
    /// Its time zone, for people.
    pub timezone: String,
    /// Its site.
    pub site: String,
    /// Whether the data is simulated.
    pub demo: bool,
    /// When it was started.
    pub started: Timestamp,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Every signal.
    pub catalog: Arc<Catalog>,
    /// Last values, events, episodes.
    pub live: Arc<Live>,
    /// The journal.
    pub journal: Log<Batch>,
    /// The way into it.
    pub intake: Arc<JournalIntake>,
    /// Longest time until a batch is durable, ms.
    pub sync_interval_ms: u64,
    /// The historian.
    pub historian: Historian,
    /// Trends.
    pub history: History,
    /// Devices.
    pub devices: Mutex<Vec<Arc<Health>>>,
    /// What adapters count of their lines and buses.
    pub instruments: Mutex<Vec<Arc<Instruments>>>,
    /// Uplinks.
    pub uplinks: Vec<UplinkView>,
    /// The upload, where there is one.
    pub upload: Option<UploadView>,
    /// Windows.
    pub aggregates: Arc<Mutex<AggregateVitals>>,
    /// Streams on their way from the journal to their outbox.
    pub forwards: Vec<(&'static str, Arc<Mutex<ForwardVitals>>)>,
    /// Detectors.
    pub detectors: Vec<Arc<DetectorHealth>>,
    /// Where alarms stand.
    pub board: Arc<crate::rules::Board>,
    /// Who may do what.
    pub access: Arc<crate::access::Access>,
    /// Connections to the page.
    pub connections: Arc<crate::listen::Connections>,
    /// The page's certificate; none where it has no TLS.
    pub certificates: Option<Arc<crate::listen::Certificates>>,
    /// The way of commands to devices.
    pub writes: crate::writes::Writes,
    /// SQL over the lake.
    pub queries: crate::queries::Queries,
    /// Files and bytes in the lake, looked up now and then.
    pub lake_size: crate::lake_size::LakeSize,
}

/// Those of an adapter that was built again take the places of the old ones of the same name.
impl View {
    /// Replaces the health of devices of the same names.
    pub fn replace_devices(&self, healths: Vec<Arc<Health>>) {
        let mut devices = self.devices.lock().unwrap_or_else(PoisonError::into_inner);
        for health in healths {
            match devices.iter_mut().find(|known| known.device == health.device) {
                Some(known) => *known = health,
                None => devices.push(health),
            }
        }
    }

    /// Replaces the instruments of lines and buses of the same names.
    pub fn replace_instruments(&self, all: Vec<Arc<Instruments>>) {
        let mut known = self.instruments.lock().unwrap_or_else(PoisonError::into_inner);
        for instruments in all {
            match known.iter_mut().find(|known| known.name == instruments.name) {
                Some(known) => *known = instruments,
                None => known.push(instruments),
            }
        }
    }

    /// Lets go of devices, and of lines and buses, by name: they are read no longer.
    pub fn retire(&self, devices: &[String], lines: &[String]) {
        let mut known = self.devices.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|health| !devices.contains(&health.device));
        drop(known);
        let mut known = self.instruments.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|instruments| !lines.contains(&instruments.name));
    }

    /// The lines' and buses' instruments as of now.
    #[must_use]
    pub fn instrument_list(&self) -> Vec<Arc<Instruments>> {
        self.instruments.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The devices' health as of now.
    #[must_use]
    pub fn device_list(&self) -> Vec<Arc<Health>> {
        self.devices.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
