//! Batches to the journal: bytes with one commit a second, and how fast it takes them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use pipelines_flow::codec::BatchCodec;
use pipelines_flow::disk::RealDisk;
use pipelines_flow::tables::TableStore;
use pipelines_flow::{Log, LogOptions};
use signals::{Batch, ManualClock, Timestamp};

use crate::meter::{process_seconds, real};
use crate::samples::{self, Samples};

/// A journal in a folder, committing when told to or every second.
pub(crate) fn open(folder: &Path, sync_interval: Duration) -> Log<Batch> {
    let tables = TableStore::open(&folder.join("tables"), Arc::new(RealDisk));
    let codec = BatchCodec::new(Arc::new(tables.expect("the folder can be read")));
    let mut options = LogOptions::new(folder.join("journal"));
    options.sync_interval = sync_interval;
    let clock = Arc::new(ManualClock::new(Timestamp::from_micros(0)));
    Log::open(options, Arc::new(RealDisk), clock, Arc::new(codec)).expect("the journal opens").0
}

/// A folder beside the input, on the same disk, empty.
pub(crate) fn scratch(input: &Path) -> PathBuf {
    let folder = input.with_extension("store");
    match std::fs::remove_dir_all(&folder) {
        Ok(()) => {}
        Err(err) => assert_eq!(err.kind(), std::io::ErrorKind::NotFound, "{err}"),
    }
    folder
}

/// Two runs over the same batches: one commit for each second of samples, then as fast as it goes
/// with the gateway's own settings.
pub(crate) fn measure(input: &Path) -> String {
    let tables = samples::read(input);
    let values: u64 = tables.iter().map(Samples::values).sum();
    let seconds = samples::by_second(&tables);
    drop(tables);
    let folder = scratch(input);
    let journal = open(&folder, Duration::from_secs(3_600));
    for batches in &seconds {
        append(&journal, batches);
        journal.sync().expect("the journal is open");
    }
    let bytes = journal.counts().bytes_written;
    let commits = journal.counts().commits;
    journal.close();
    drop(journal);

    let folder = scratch(input);
    let journal = open(&folder, Duration::from_secs(1));
    let (begun, cpu) = (Instant::now(), process_seconds());
    for batches in &seconds {
        append(&journal, batches);
    }
    journal.sync().expect("the journal is open");
    let (wall, cpu) = (begun.elapsed().as_secs_f64(), process_seconds() - cpu);
    let fast_bytes = journal.counts().bytes_written;
    journal.close();
    let read = read_back(&journal);
    std::fs::remove_dir_all(&folder).expect("the scratch folder goes");
    format!(
        "{{\"what\": \"journal\", \"values\": {values}, \"bytes\": {bytes}, \"commits\": {commits}, \
         \"bytes_per_value\": {:.3}, \"values_per_s\": {:.0}, \"values_per_cpu_s\": {:.0}, \
         \"bytes_per_value_fast\": {:.3}, \"read_values_per_s\": {:.0}}}",
        real(bytes) / real(values),
        real(values) / wall,
        real(values) / cpu,
        real(fast_bytes) / real(values),
        real(values) / read,
    )
}

fn append(journal: &Log<Batch>, batches: &[Batch]) {
    for batch in batches {
        journal.append(batch.clone()).expect("the journal is open");
    }
}

/// Seconds to read all of it again from the files.
fn read_back(journal: &Log<Batch>) -> f64 {
    let begun = Instant::now();
    let mut at = journal.oldest();
    loop {
        let entries = journal.read(at, 1_024).expect("the journal can be read");
        let Some(last) = entries.last() else { return begun.elapsed().as_secs_f64() };
        at = last.offset.next();
    }
}
