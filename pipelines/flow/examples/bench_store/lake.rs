//! Batches to Parquet files, one table after the other, as the historian writes them.

use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use pipelines_flow::disk::RealDisk;
use pipelines_flow::historian::{FileAbout, Profile, write_file};
use pipelines_flow::lake;
use signals::{ClockState, Offset};

use crate::journal::scratch;
use crate::meter::{held, peak_mib, real, thread_seconds};
use crate::samples::{self, Samples};

/// Rows of a batch: what small ones have been joined to.
const BATCH_ROWS: usize = 1_024;
/// Passes; the best counts.
const ROUNDS: u32 = 5;

/// Writes every table as one file; the time is the processor's, of this thread.
pub(crate) fn measure(input: &Path, profile: &str) -> String {
    let of_name = match profile {
        "default" => Profile::Default,
        "compact" => Profile::Compact,
        other => panic!("`{other}` is not default or compact"),
    };
    let tables = samples::read(input);
    let values: u64 = tables.iter().map(Samples::values).sum();
    let rows: usize = tables.iter().map(|samples| samples.rows.num_rows()).sum();
    let folder = scratch(input);
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let begun = thread_seconds();
        for samples in &tables {
            write(samples, &folder, of_name);
        }
        best = best.min(thread_seconds() - begun);
    }
    let (bytes, files) = held(&folder);
    std::fs::remove_dir_all(&folder).expect("the scratch folder goes");
    format!(
        "{{\"what\": \"lake {profile}\", \"values\": {values}, \"rows\": {rows}, \"bytes\": {bytes}, \
         \"files\": {files}, \"bytes_per_value\": {:.3}, \"values_per_cpu_s\": {:.0}, \
         \"rows_per_cpu_s\": {:.0}, \"peak_mib\": {:.1}}}",
        real(bytes) / real(values),
        real(values) / best,
        real(rows as u64) / best,
        peak_mib(),
    )
}

fn write(samples: &Samples, folder: &Path, profile: Profile) {
    let count = samples.rows.num_rows();
    let batches: Vec<RecordBatch> = (0..count)
        .step_by(BATCH_ROWS)
        .map(|first| samples.batch(first, BATCH_ROWS.min(count - first)).rows)
        .collect();
    let about = FileAbout {
        table: Arc::clone(&samples.table),
        gateway: "bench".to_owned(),
        from: Offset(0),
        to: Offset(0),
        clock: ClockState::Synced,
        profile,
    };
    let first = samples.batch(0, 1).first_ts().expect("a table has rows");
    let path = lake::path_of(folder, samples.table.name(), first, Offset(0));
    write_file(&RealDisk, &path, &about, &batches).expect("the file is written");
}
