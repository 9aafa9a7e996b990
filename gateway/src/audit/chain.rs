//! The chain: one line a record, sealed with a hash over the line and the hash before it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};
use signals::Disk;

/// What stands between a record and its hash.
const SEAL: &str = ",\"hash\":\"";
/// Files that are looked through for writes left open: a start closes what it finds.
const RECENT: usize = 2;

/// Number and hash of a record; of no record: 0 and zeros.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Link {
    pub(super) number: u64,
    /// 64 hexadecimal digits.
    pub(super) hash: String,
}

impl Default for Link {
    fn default() -> Self {
        Self { number: 0, hash: "0".repeat(64) }
    }
}

/// A record read back.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) link: Link,
    /// Hash of the record before it.
    pub(super) previous: String,
    /// Whether its hash is that of its content.
    pub(super) is_whole: bool,
    pub(super) kind: String,
    pub(super) body: Json,
}

/// The end of the chain as a start finds it.
pub(super) struct Found {
    pub(super) last: Link,
    /// Begins without an end, by number.
    pub(super) open: BTreeMap<u64, Json>,
    pub(super) problem: Option<String>,
}

/// The line of the next record, and its link.
///
/// # Errors
/// When the body cannot be written as JSON.
pub(super) fn seal(last: &Link, kind: &str, body: &Json) -> io::Result<(String, Link)> {
    let number = last.number + 1;
    let record = json!({ "n": number, "prev": last.hash, "kind": kind, "body": body });
    let mut line = serde_json::to_string(&record)?;
    let hash = hash_of(line.as_bytes());
    line.pop();
    line.push_str(SEAL);
    line.push_str(&hash);
    line.push_str("\"}\n");
    Ok((line, Link { number, hash }))
}

/// The record in a line; `None` when it is none.
pub(super) fn read(line: &str) -> Option<Record> {
    let (content, rest) = line.rsplit_once(SEAL)?;
    let stated = rest.strip_suffix("\"}")?;
    let content = format!("{content}}}");
    let record: Json = serde_json::from_str(&content).ok()?;
    let text = |key: &str| record.get(key).and_then(Json::as_str).map(str::to_owned);
    Some(Record {
        is_whole: hash_of(content.as_bytes()) == stated,
        link: Link { number: record.get("n")?.as_u64()?, hash: stated.to_owned() },
        previous: text("prev")?,
        kind: text("kind")?,
        body: record.get("body")?.clone(),
    })
}

/// SHA-256 in hexadecimal digits.
pub(crate) fn hash_of(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a string cannot fail.
        let _written = write!(text, "{byte:02x}");
        text
    })
}

/// The files, oldest first.
///
/// # Errors
/// When the folder cannot be listed.
pub(super) fn files(folder: &Path, disk: &dyn Disk) -> io::Result<Vec<PathBuf>> {
    let mut files = disk.list(folder)?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    files.sort();
    Ok(files)
}

/// First record of a file, by its name.
pub(super) fn first_of(file: &Path) -> Option<u64> {
    file.file_stem()?.to_str()?.split_once('_')?.0.parse().ok()
}

/// A name for the file that begins with record `number`: a file that failed keeps its own.
pub(super) fn free_name(folder: &Path, number: u64, files: &[PathBuf]) -> PathBuf {
    let attempt = files.iter().filter(|file| first_of(file) == Some(number)).count();
    folder.join(format!("{number:012}_{attempt:03}.jsonl"))
}

/// Lines of a file, and whether the last of them is torn: not written to its end.
///
/// # Errors
/// When it cannot be read.
pub(super) fn lines(file: &Path, disk: &dyn Disk) -> io::Result<(Vec<String>, bool)> {
    let mut bytes = Vec::new();
    disk.open(file)?.take(64 << 20).read_to_end(&mut bytes)?;
    let is_torn = bytes.last().is_some_and(|byte| *byte != b'\n');
    let text = String::from_utf8_lossy(&bytes);
    Ok((text.lines().map(str::to_owned).collect(), is_torn))
}

/// Where the chain goes on, and what was left open.
///
/// # Errors
/// When files cannot be read.
pub(super) fn find_end(folder: &Path, disk: &dyn Disk) -> io::Result<Found> {
    let files = files(folder, disk)?;
    let mut found = Found { last: Link::default(), open: BTreeMap::new(), problem: None };
    for file in files.iter().skip(files.len().saturating_sub(RECENT)) {
        let (lines, is_torn) = lines(file, disk)?;
        for (place, line) in lines.iter().enumerate() {
            let Some(record) = read(line) else {
                // The tail of a power cut was never returned for: the chain goes on before it.
                if !is_torn || place + 1 < lines.len() {
                    found.problem = Some(format!("{}:{}: no record", file.display(), place + 1));
                }
                continue;
            };
            if !record.is_whole {
                let what = format!("{}:{}: changed", file.display(), place + 1);
                found.problem = Some(what);
            }
            match record.kind.as_str() {
                "begin" => drop(found.open.insert(record.link.number, record.body)),
                "end" => {
                    let begin = record.body.get("begin").and_then(Json::as_u64);
                    begin.map(|begin| found.open.remove(&begin));
                }
                _ => {}
            }
            found.last = record.link;
        }
    }
    Ok(found)
}
