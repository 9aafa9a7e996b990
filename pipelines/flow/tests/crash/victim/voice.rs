//! What the victim says: a line each, whole, on standard output, and beside its own files on the
//! disk they are on, so that a log of that disk's writes shows what had been said at any moment.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::{Arc, Mutex};

use rustix::fs::OFlags;

/// Where the file system ends on a disk that hears words, and the words begin.
pub(crate) const WORDS_AT: u64 = 64 << 20;
/// Bytes of a disk that hears words.
pub(crate) const DISK_BYTES: u64 = 96 << 20;
/// Each word has a sector of its own, zeros after its end.
pub(crate) const SECTOR: usize = 512;

#[derive(Clone)]
pub(crate) struct Voice(Arc<Mutex<Option<Words>>>);

impl Voice {
    /// A voice that `disk` hears too.
    pub(crate) fn new(disk: Option<&Path>) -> Self {
        Self(Arc::new(Mutex::new(disk.map(Words::open))))
    }

    pub(crate) fn say(&self, line: &str) {
        let mut words = self.0.lock().expect("who speaks does not panic");
        if let Some(words) = &mut *words {
            words.write(line);
        }
        let mut out = io::stdout().lock();
        // Nobody listens any more: then this process is about to end.
        let _told = out.write_all(format!("{line}\n").as_bytes()).and_then(|()| out.flush());
    }
}

/// A sector as it must lie in memory to go to the disk without a cache between.
#[repr(align(512))]
struct Sector([u8; SECTOR]);

struct Words {
    disk: File,
    at: u64,
    sector: Box<Sector>,
}

impl Words {
    fn open(disk: &Path) -> Self {
        let direct = i32::try_from(OFlags::DIRECT.bits()).expect("a flag of open");
        let disk = OpenOptions::new().write(true).custom_flags(direct).open(disk);
        let disk = disk.expect("the disk of the words opens");
        Self { disk, at: WORDS_AT, sector: Box::new(Sector([0; SECTOR])) }
    }

    fn write(&mut self, line: &str) {
        assert!(self.at < DISK_BYTES, "no room is left for words");
        self.sector.0.fill(0);
        self.sector.0[..line.len()].copy_from_slice(line.as_bytes());
        self.sector.0[line.len()] = b'\n';
        self.disk.write_all_at(&self.sector.0, self.at).expect("words are written");
        self.at += SECTOR as u64;
    }
}
