//! Watching a tag that changes with every cycle of the device: RTU answers have no number, and an
//! old one that is sent again looks like a new one in everything but its content.

use super::{Answers, Scan};

/// Polls in a row without a change after which the tag stands still.
const STILL_POLLS: u32 = 3;

/// What the watchdog tag of a scan showed.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    /// Place of the tag in the signals of the scan.
    signal: usize,
    last: Vec<u16>,
    unchanged: u32,
}

impl Watch {
    /// A watch over the signal at this place, which nothing is known of.
    pub(crate) fn new(signal: usize) -> Self {
        Self { signal, last: Vec::new(), unchanged: 0 }
    }

    /// Looks at the answers of one row, and doubts the read in which the tag stands still.
    ///
    /// A row without the tag says nothing.
    pub(crate) fn look(&mut self, scan: &Scan, answers: &mut Answers) {
        let source = scan.sources.get(self.signal).copied();
        let Some((source, point)) = source.zip(scan.points.get(self.signal)) else { return };
        let Ok(words) = answers.words(source, point.format.words()) else { return };
        if self.last == words {
            self.unchanged = self.unchanged.saturating_add(1);
        } else {
            self.last.clear();
            self.last.extend_from_slice(words);
            self.unchanged = 0;
        }
        if self.unchanged >= STILL_POLLS {
            answers.doubt(source.0);
        }
    }
}
