//! Samples all the way: generator → journal → historian → lake, its small files joined when the
//! day is over, for memory and for what is written for each byte that stays.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pipelines_flow::disk::RealDisk;
use pipelines_flow::gap_log::GapLog;
use pipelines_flow::historian::{Compaction, Historian, HistorianOptions};
use signals::{BatchBuilder, Stop};

use crate::journal;
use crate::make::Device;
use crate::meter::{held, peak_mib, real, resident_mib, thread_seconds};

/// Signals of a device of the generator.
const SIGNALS: u64 = 40;

/// One commit for each second of samples, one seal after every `roll` seconds.
#[expect(clippy::indexing_slicing, reason = "there is a first device")]
pub(crate) fn measure(devices: u64, seconds: u32, roll: u32, folder: &Path) -> String {
    let folder = journal::scratch(folder);
    let mut plant: Vec<Device> = (0..devices).map(Device::new).collect();
    let log = journal::open(&folder, Duration::from_secs(3_600));
    let mut options = HistorianOptions::new(folder.join("lake"), "bench");
    options.roll_interval = Duration::from_secs(24 * 3_600);
    options.roll_rows = usize::try_from(devices * u64::from(roll)).expect("some million rows");
    // When it is told to, at the end, and then every file, however large: the dearest case.
    options.compaction = Compaction {
        settled: Duration::ZERO,
        pause: Duration::from_secs(24 * 3_600),
        small_bytes_max: u64::MAX,
        ..Compaction::default()
    };
    let gaps = GapLog::new(log.clone());
    let historian = Historian::new(gaps, Arc::new(RealDisk), options).expect("the lake opens");
    let stop = Stop::new();
    let thread = std::thread::spawn({
        let (historian, stop) = (historian.clone(), stop.clone());
        move || historian.run(&stop)
    });
    let before = resident_mib();
    for second in 0..seconds {
        for device in &mut plant {
            let mut rows = BatchBuilder::new(Arc::clone(&device.table));
            device.sample(second, &mut rows);
            log.append(rows.finish().expect("a row")).expect("the journal is open");
        }
        let end = log.sync().expect("the journal is open");
        // Samples come a thousand times faster than in life: the historian is to keep up.
        while log.bytes_between(historian.reached(), end) > 4 << 20 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    // The day is over.
    let mut rows = BatchBuilder::new(Arc::clone(&plant[0].table));
    plant[0].sample(24 * 3_600, &mut rows);
    log.append(rows.finish().expect("a row")).expect("the journal is open");
    log.sync().expect("the journal is open");
    stop.raise();
    thread.join().expect("the historian ends");
    let (sealed_bytes, sealed_files) = held(&folder.join("lake"));
    let sealed_mib = peak_mib();
    let begun = thread_seconds();
    historian.compact(&Stop::new()).expect("files are joined");
    let compaction_s = thread_seconds() - begun;
    let counts = historian.counts();
    let journal_bytes = log.counts().bytes_written;
    log.close();
    let (stays, files) = held(&folder.join("lake"));
    let values = devices * SIGNALS * u64::from(seconds);
    // Too few files to join: there is no rate, and JSON has no infinity.
    let joined_per_s = if counts.compaction_bytes > 0 && compaction_s > 0.0 {
        format!("{:.0}", real(values) / compaction_s)
    } else {
        "null".to_owned()
    };
    std::fs::remove_dir_all(&folder).expect("the scratch folder goes");
    format!(
        "{{\"what\": \"store\", \"signals\": {}, \"values\": {values}, \"journal_bytes\": {journal_bytes}, \
         \"sealed_bytes\": {sealed_bytes}, \"sealed_files\": {sealed_files}, \
         \"compaction_bytes\": {}, \"compaction_values_per_cpu_s\": {joined_per_s}, \
         \"lake_bytes\": {stays}, \"lake_files\": {files}, \"bytes_per_value\": {:.3}, \
         \"written_per_byte_that_stays\": {:.2}, \"mib_before\": {before:.1}, \
         \"peak_mib_sealing\": {sealed_mib:.1}, \"peak_mib\": {:.1}}}",
        devices * SIGNALS,
        counts.compaction_bytes,
        real(stays) / real(values),
        real(journal_bytes + counts.bytes + counts.compaction_bytes) / real(stays),
        peak_mib(),
    )
}
