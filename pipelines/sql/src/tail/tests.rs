use std::io::Cursor;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use pipelines_flow::disk::RealDisk;
use signals::{Disk, DiskFile, DiskSource, ValueType};

use super::*;
use crate::tests::{Plant, pump, row};

/// Shows the second commit of a segment half written, as long as the count lasts.
struct HalfWritten {
    readings: AtomicU32,
}

impl Disk for HalfWritten {
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskSource>> {
        let mut bytes = std::fs::read(path)?;
        let is_segment = path.extension().is_some_and(|suffix| suffix == "seg");
        let take = |left: u32| left.checked_sub(1);
        if is_segment
            && self.readings.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).is_ok()
        {
            let mut frames = bytes.windows(4).enumerate().filter(|(_, w)| w.starts_with(b"FGL"));
            let (second, _) = frames.nth(1).unwrap();
            bytes[second + 20] ^= 0xFF;
        }
        Ok(Box::new(Cursor::new(bytes)))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        RealDisk.append(path)
    }

    fn publish(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.publish(from, to)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<std::path::PathBuf>> {
        RealDisk.list(folder)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove(path)
    }

    fn room(&self, folder: &Path) -> io::Result<signals::disk::Room> {
        RealDisk.room(folder)
    }
}

/// Offsets seen in a journal of three commits whose second is shown half written so often.
fn check(readings: u32, expected: &[u64]) {
    let plant = Plant::new();
    let table = pump(&[ValueType::F64]);
    for second in 0..3 {
        plant.journal.append(row(&table, second)).unwrap();
        plant.journal.sync().unwrap();
    }
    let disk: Arc<dyn Disk> = Arc::new(HalfWritten { readings: AtomicU32::new(readings) });
    let tables = TableStore::open(&plant.path().join("tables"), Arc::clone(&disk)).unwrap();
    let codec = Arc::new(TailCodec::new(Arc::new(tables), |_: &str| false));
    let view = LogView::<Seen>::new(&plant.path().join("journal"), disk, codec);
    let mut seen = Vec::new();
    visit_without_gaps(&view, Offset::START, |entry| seen.push(entry.offset.0)).unwrap();
    assert_eq!(seen, expected);
}

#[test]
fn a_commit_that_is_being_written_while_it_is_read_is_not_missed() {
    // The segment is opened twice for each reading: for its length, then for its content.
    check(2, &[0, 1, 2]);
    check(4, &[0, 1, 2]);
}

#[test]
fn a_commit_that_stays_damaged_is_stepped_over() {
    check(u32::MAX, &[0, 2]);
}
