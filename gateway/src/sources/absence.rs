//! Absence: times in which a source was not there, told as gaps of its tables.
//!
//! In: when sources ended and began. Out: rows of `_gaps`, through the reception.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use pipelines_flow::gap_log::{EVERY_TABLE, STARTING};
use signals::{Clock, Gap, Intake as _, Notice, Table, Timestamp};

use super::{Built, Running, Sources};
use crate::reception::Reception;

/// Cause: the configuration was read again.
const RELOAD: &str = "reload";
/// Cause: the source ended by itself and was begun again.
const RESTARTED: &str = "restarted";

impl Sources {
    /// Tells that nothing was sampled between the opening of the journal and now.
    pub(super) fn tell_start(&self) {
        let detail = "from the opening of the journal to the start of the sources".to_owned();
        let gap = (EVERY_TABLE.to_owned(), self.view.started, self.clock.now());
        tell(&self.reception, gap, (STARTING, detail));
    }

    /// Tells that these sources ended and began because of the configuration, from a time to now.
    pub(super) fn tell_turn(&self, begun: Timestamp, gone: &[Running], tables: &BTreeSet<String>) {
        let gone = gone.iter().flat_map(|one| &one.tables).map(|table| table.name().to_owned());
        let tables: BTreeSet<String> = gone.chain(tables.iter().cloned()).collect();
        let now = self.clock.now();
        for table in tables {
            let detail = "its source was begun again or ended: the configuration has changed";
            tell(&self.reception, (table, begun, now), (RELOAD, detail.to_owned()));
        }
    }
}

/// Names of the tables of sources.
pub(super) fn tables_of(built: &[Built]) -> BTreeSet<String> {
    built.iter().flat_map(Built::tables).map(|table| table.name().to_owned()).collect()
}

/// When a source ended that is to be begun again.
pub(super) struct Ended {
    at: Arc<AtomicI64>,
    clock: Arc<dyn Clock>,
}

/// Ends with the run of a source, however that ends.
pub(super) struct Run<'a>(&'a Ended);

impl Ended {
    /// A source that has not ended yet.
    pub(super) fn new(clock: &Arc<dyn Clock>) -> Self {
        Self { at: Arc::new(AtomicI64::new(0)), clock: Arc::clone(clock) }
    }

    /// A run begins: tells how long there was none since the last.
    pub(super) fn begin(&self, reception: &Reception, tables: &[Arc<Table>]) -> Run<'_> {
        let since = self.at.swap(0, Ordering::SeqCst);
        if since > 0 {
            let (since, now) = (Timestamp::from_micros(since), self.clock.now());
            for table in tables {
                let detail = "its source ended by itself and was begun again".to_owned();
                tell(reception, (table.name().to_owned(), since, now), (RESTARTED, detail));
            }
        }
        Run(self)
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        self.0.at.store(self.0.clock.now().micros(), Ordering::SeqCst);
    }
}

fn tell(
    reception: &Reception,
    (table, start, end): (String, Timestamp, Timestamp),
    (cause, detail): (&'static str, String),
) {
    let gap = Gap { table, start: Some(start), end: Some(end), cause, detail };
    if reception.tell(Notice::Gap(gap)).is_err() {
        tracing::error!(cause, "the journal has no room for a gap: it stays unexplained");
    }
}
