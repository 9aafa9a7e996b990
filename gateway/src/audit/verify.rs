//! Whether the chain holds, and at which record it breaks.

use std::fmt;
use std::io;
use std::path::Path;

use signals::Disk;

use super::chain::{self, Link, Record};

/// What looking through the audit found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Verdict {
    /// Files looked through.
    pub files: usize,
    /// Records that hold, the first and the last of them.
    pub records: Option<(u64, u64)>,
    /// Hash of the last record that holds.
    pub last_hash: String,
    /// Lines at the end of a file that a power cut or a failed disk left: nothing relied on them.
    pub torn: usize,
    /// Where it breaks first.
    pub broken: Option<Break>,
}

/// The first place where the chain does not hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Break {
    /// Number of the record, as it stands or as it should.
    pub record: u64,
    /// File and line.
    pub place: String,
    /// What is wrong there.
    pub problem: &'static str,
}

/// Looks through the audit in `data/audit`, also while a gateway writes to it.
///
/// # Errors
/// When files cannot be read.
pub fn verify(data: &Path, disk: &dyn Disk) -> io::Result<Verdict> {
    let files = chain::files(&data.join("audit"), disk)?;
    let mut verdict = Verdict {
        files: files.len(),
        records: None,
        last_hash: Link::default().hash,
        torn: 0,
        broken: None,
    };
    let first = files.first().and_then(|file| chain::first_of(file));
    for (place, file) in files.iter().enumerate() {
        let (lines, is_torn) = chain::lines(file, disk)?;
        // What stands in the next file again was not kept in this one.
        let next = files.get(place + 1).and_then(|next| chain::first_of(next));
        for (at, line) in lines.iter().enumerate() {
            let record = chain::read(line);
            let superseded = |record: &Record| {
                record.is_whole && next.is_some_and(|next| record.link.number >= next)
            };
            if record.as_ref().is_some_and(superseded) {
                verdict.torn += 1;
                continue;
            }
            if record.is_none() && is_torn && at + 1 == lines.len() {
                verdict.torn += 1;
                continue;
            }
            if let Err((number, problem)) = verdict.add(record, first) {
                let place = format!("{}:{}", file.display(), at + 1);
                verdict.broken = Some(Break { record: number, place, problem });
                return Ok(verdict);
            }
        }
    }
    Ok(verdict)
}

impl Verdict {
    /// Holds a record against the one before it.
    fn add(
        &mut self,
        record: Option<Record>,
        first: Option<u64>,
    ) -> Result<(), (u64, &'static str)> {
        let expected = self.records.map(|(_, last)| last + 1).or(first);
        let Some(record) = record else {
            return Err((expected.unwrap_or(1), "is no record any more"));
        };
        let number = record.link.number;
        if !record.is_whole {
            return Err((
                expected.unwrap_or(number),
                "was changed: its hash is not that of its content",
            ));
        }
        if expected.is_some_and(|expected| number != expected) {
            return Err((expected.unwrap_or(number), "is missing"));
        }
        // Before the first record kept there may have been others.
        let is_linked = self.records.is_some() || number == 1;
        if is_linked && record.previous != self.last_hash {
            return Err((number, "does not follow the record before it"));
        }
        let first = self.records.map_or(number, |(first, _)| first);
        self.records = Some((first, number));
        self.last_hash = record.link.hash;
        Ok(())
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.records {
            None => write!(f, "no records in {} files", self.files)?,
            Some((first, last)) => {
                write!(f, "records {first} to {last} in {} files hold", self.files)?;
                if first > 1 {
                    write!(f, " (those before {first} were removed when 64 MiB were full)")?;
                }
                write!(f, "; last hash {}", self.last_hash)?;
            }
        }
        if self.torn > 0 {
            write!(f, "; {} unfinished lines that nothing relied on", self.torn)?;
        }
        if let Some(broken) = &self.broken {
            let Break { record, place, problem } = broken;
            write!(
                f,
                "\nBROKEN: record {record} {problem} ({place}); keep a copy of the folder and find \
                 out who changed it"
            )?;
        }
        Ok(())
    }
}
