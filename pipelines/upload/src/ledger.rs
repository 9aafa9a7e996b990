//! What has been uploaded and verified, kept over restarts: lines of JSON that are only added to,
//! written anew at each start.

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use signals::disk::replace;
use signals::{Disk, DiskFile};

/// A file that is there.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Done {
    /// `<table>/date=…/<first-ts>_<seq>.parquet`.
    pub(crate) name: String,
    pub(crate) table: String,
    pub(crate) date: String,
    /// First and last journal offset with rows in it.
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) bytes: u64,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    /// Where everything before the next such line is.
    To(String),
    Done(Done),
    Gone(String),
}

/// Lines beyond one for each file that is there at which the ledger is written anew.
const SPARE_LINES: usize = 4_096;

/// The ledger of one place.
pub(crate) struct Ledger {
    place: String,
    /// Lines since it was written anew.
    lines: usize,
    done: BTreeMap<String, Done>,
    path: PathBuf,
    disk: Arc<dyn Disk>,
    file: Option<Box<dyn DiskFile>>,
}

impl Ledger {
    /// What is known to be at `place`; nothing when the ledger is of another one. A line that a
    /// crash has cut is left out: its file is looked at again.
    ///
    /// # Errors
    /// What the operating system says.
    pub(crate) fn open(path: &Path, place: &str, disk: Arc<dyn Disk>) -> io::Result<Self> {
        let mut text = String::new();
        match disk.open(path) {
            Ok(mut file) => drop(file.read_to_string(&mut text)?),
            Err(err) if err.kind() == io::ErrorKind::NotFound => {}
            Err(err) => return Err(err),
        }
        let mut done = BTreeMap::new();
        let mut is_here = false;
        for line in text.lines().filter_map(|line| serde_json::from_str(line).ok()) {
            match line {
                Line::To(other) => is_here = other == place,
                Line::Done(file) if is_here => drop(done.insert(file.name.clone(), file)),
                Line::Gone(name) if is_here => drop(done.remove(&name)),
                Line::Done(_) | Line::Gone(_) => {}
            }
        }
        let (place, path) = (place.to_owned(), path.to_owned());
        let mut ledger = Self { place, lines: 0, done, path, disk, file: None };
        ledger.write_anew()?;
        Ok(ledger)
    }

    fn write_anew(&mut self) -> io::Result<()> {
        let mut kept = written(&Line::To(self.place.clone()))?;
        for file in self.done.values() {
            kept.extend(written(&Line::Done(file.clone()))?);
        }
        (self.file, self.lines) = (None, 0);
        replace(&*self.disk, &self.path, &kept)
    }

    /// The file of a name.
    pub(crate) fn get(&self, name: &str) -> Option<&Done> {
        self.done.get(name)
    }

    /// All files.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Done> {
        self.done.values()
    }

    /// A file is there; durable afterwards.
    ///
    /// # Errors
    /// What the operating system says.
    pub(crate) fn put(&mut self, file: Done) -> io::Result<()> {
        self.add(&Line::Done(file.clone()))?;
        self.done.insert(file.name.clone(), file);
        self.trim()
    }

    /// A file is there no longer, or nobody asks for it any more; durable afterwards.
    ///
    /// # Errors
    /// What the operating system says.
    pub(crate) fn forget(&mut self, name: &str) -> io::Result<()> {
        self.add(&Line::Gone(name.to_owned()))?;
        self.done.remove(name);
        self.trim()
    }

    fn trim(&mut self) -> io::Result<()> {
        if self.lines > SPARE_LINES + self.done.len() { self.write_anew() } else { Ok(()) }
    }

    fn add(&mut self, line: &Line) -> io::Result<()> {
        let mut file = match self.file.take() {
            Some(file) => file,
            None => self.disk.append(&self.path)?,
        };
        // After an error the file is not written again: the next one begins with a line of its own.
        file.write_all(&written(line)?)?;
        file.sync()?;
        self.file = Some(file);
        self.lines += 1;
        Ok(())
    }
}

/// With a line end on both sides: a line that was cut does not take the next one with it.
fn written(line: &Line) -> io::Result<Vec<u8>> {
    let mut text = b"\n".to_vec();
    serde_json::to_writer(&mut text, line)?;
    text.push(b'\n');
    Ok(text)
}
