//! Crash states: what may be on a disk when power goes after an entry of its log.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use pipelines_flow::disk::sim::Dice;

use super::machine::Recording;
use crate::victim::DISK_BYTES;
use crate::volume::{self, Mount};

/// What is left of the writes that no flush has made durable.
#[derive(Clone, Copy, Debug)]
enum Rest {
    Nothing,
    /// The oldest.
    Prefix,
    /// Any.
    Subset,
    /// Of any, any sectors.
    Torn,
    Everything,
}

const RESTS: [Rest; 5] = [Rest::Nothing, Rest::Prefix, Rest::Subset, Rest::Torn, Rest::Everything];

/// The crash states of a recording, by the length of the log before them.
pub(super) struct States<'a> {
    recording: &'a Recording,
    crashes: std::iter::Enumerate<std::vec::IntoIter<(usize, Rest)>>,
    /// An image with what was durable at the last crash, from so many entries.
    durable: (File, usize),
    folder: tempfile::TempDir,
}

impl<'a> States<'a> {
    /// So many states, each after a write of the file system, chosen at random.
    pub(super) fn new(recording: &'a Recording, states: u64, dice: &mut Dice) -> Self {
        let writes = recording.log.to_file_system();
        let mut crashes: Vec<_> = (0..states)
            .zip(RESTS.into_iter().cycle())
            .map(|(_, rest)| (1 + writes[dice.index(writes.len())], rest))
            .collect();
        crashes.sort_by_key(|(entries, _)| *entries);
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("durable.img");
        let durable = File::create_new(&image).unwrap();
        durable.set_len(DISK_BYTES).unwrap();
        for (at, content) in &recording.made {
            durable.write_all_at(content, *at).unwrap();
        }
        Self { recording, crashes: crashes.into_iter().enumerate(), durable: (durable, 0), folder }
    }

    /// Builds the next state.
    pub(super) fn next(&mut self, dice: &mut Dice) -> Option<State> {
        let (number, (entries, rest)) = self.crashes.next()?;
        let log = &self.recording.log;
        let durable = log.durable(entries);
        for entry in self.durable.1..durable {
            log.write(entry, &self.durable.0, |_| true);
        }
        self.durable.1 = durable;
        let image = self.folder.path().join("state.img");
        let from = self.folder.path().join("durable.img");
        volume::run("cp", &["--sparse=always", volume::text(&from), volume::text(&image)]);
        let disk = OpenOptions::new().write(true).open(&image).unwrap();
        let prefix = durable + dice.index(entries - durable + 1);
        for entry in durable..entries {
            let chosen: Vec<bool> = (0..log.sectors(entry)).map(|_| dice.below(2) == 0).collect();
            let is_chosen = dice.below(2) == 0;
            log.write(entry, &disk, |sector| match rest {
                Rest::Nothing => false,
                Rest::Prefix => entry < prefix,
                Rest::Subset => is_chosen,
                Rest::Torn => is_chosen && chosen[sector],
                Rest::Everything => true,
            });
        }
        let heard = log.words(entries);
        // Before its first word it may have written already.
        let heard = if heard.is_empty() { "lives 0\n".to_owned() } else { heard };
        Some(State {
            entries,
            durable,
            rest,
            heard,
            mount: Mount::of(&image, &self.folder.path().join(number.to_string())),
        })
    }
}

/// One state, mounted.
pub(super) struct State {
    entries: usize,
    durable: usize,
    rest: Rest,
    heard: String,
    mount: Mount,
}

impl State {
    /// The root of its file system, whose journal has been replayed.
    pub(super) fn root(&self) -> &Path {
        self.mount.root()
    }

    /// How many entries no flush had made durable.
    pub(super) fn loose(&self) -> usize {
        self.entries - self.durable
    }

    /// What had been said before.
    pub(super) fn heard(&self) -> &str {
        &self.heard
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { entries, durable, rest, .. } = self;
        write!(f, "after {entries} entries, {durable} of them durable, {rest:?} of the rest")
    }
}
