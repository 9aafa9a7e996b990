//! What has arrived on a line and is not settled yet: finds frames in noise.
//!
//! In: bytes as they come. Out: the answer, our own echo, frames of others, or that more is needed.
//! I-1 Memory is one array; at most [`FRAME_MAX`] bytes are kept over a scan that found nothing.
//! I-2 Each place is checked against its checksum once: the work per byte is bounded.

use std::ops::Range;

use super::shape::{FRAME_MAX, Frame, Judged, Shape, any_frame};

/// A frame kept and the longest that may come behind it.
const ROOM: usize = 2 * FRAME_MAX + 8;

/// Bytes of one line, oldest first.
#[derive(Debug)]
pub(super) struct Inbox {
    bytes: [u8; ROOM],
    len: usize,
    /// Frames that end up to here have been checked.
    seen: usize,
    /// Bytes that were dropped since [`Inbox::take_dropped`].
    dropped: u64,
}

/// What is looked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    pub(super) shape: &'a Shape,
    /// The request as sent, where its echo may come back.
    pub(super) echo: Option<&'a [u8]>,
    /// The line is silent: what has begun and not ended is noise.
    pub(super) quiet: bool,
}

/// What was found first.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Found {
    /// The answer; it is still there.
    Answer(Range<usize>),
    /// Our own request, taken out.
    Echo,
    /// A frame that is not the answer, and where it begins; it is still there.
    Stray(usize, Frame),
    /// Nothing yet.
    Nothing {
        /// Whether an answer lies inside what seems to have begun: if the line stays silent now,
        /// the beginning was noise.
        blocked: bool,
        /// Answers with a wrong checksum, each told once.
        damaged: u64,
    },
}

impl Inbox {
    pub(super) const fn new() -> Self {
        Self { bytes: [0; ROOM], len: 0, seen: 0, dropped: 0 }
    }

    /// Where new bytes go; never empty after a scan.
    pub(super) fn room(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.len..).unwrap_or_default()
    }

    /// `count` bytes have been put into [`Inbox::room`].
    pub(super) fn came(&mut self, count: usize) {
        self.len = self.len.saturating_add(count).min(ROOM);
    }

    /// The bytes at a place that a scan gave.
    pub(super) fn get(&self, range: Range<usize>) -> &[u8] {
        self.bytes.get(range).unwrap_or_default()
    }

    /// Looks for the answer, or for any frame when nothing is wanted.
    pub(super) fn scan(&mut self, wanted: Option<Wanted<'_>>) -> Found {
        if wanted.is_some_and(|wanted| wanted.quiet) {
            self.seen = 0;
        }
        let (mut begun, mut damaged, mut keep) = (false, 0, self.len);
        // Frames behind what has begun are looked at again when it has turned out to be noise.
        let mut seen = self.len;
        for at in 0..self.len {
            let rest = self.bytes.get(at..self.len).unwrap_or_default();
            let judged = self.seen.saturating_sub(at);
            let mut open = false;
            if let Some(Wanted { shape, echo, quiet }) = wanted {
                match echo.map_or(Echo::No, |echo| echo_in(rest, echo)) {
                    Echo::Whole(length) => {
                        self.forget(at + length, at);
                        return Found::Echo;
                    }
                    Echo::Part if !quiet => open = true,
                    Echo::Part | Echo::No => match shape.judge(rest, judged) {
                        Judged::Answer(length) if !begun => {
                            return Found::Answer(at..at + length);
                        }
                        Judged::Answer(length) => seen = seen.min(at + length - 1),
                        Judged::Other => {}
                        Judged::More if quiet => {}
                        Judged::More => open = true,
                        Judged::Damaged => damaged += u64::from(!quiet),
                    },
                }
                // One or two equal bytes are no beginning yet.
                begun |= open && rest.len() > 2;
            }
            match any_frame(rest, judged) {
                Ok(frame) if !begun => {
                    return Found::Stray(at, frame);
                }
                Ok(_) | Err(false) => {}
                Err(true) => open |= !wanted.is_some_and(|wanted| wanted.quiet),
            }
            if open {
                keep = keep.min(at);
            }
        }
        let blocked = seen < self.len;
        self.seen = seen;
        self.forget(keep, keep);
        Found::Nothing { blocked, damaged }
    }

    /// Takes a frame out; what came before it is dropped.
    pub(super) fn take(&mut self, frame: &Range<usize>) {
        self.forget(frame.end, frame.start);
    }

    /// Drops everything.
    pub(super) fn clear(&mut self) {
        self.forget(self.len, self.len);
    }

    /// Bytes dropped since the last call that belonged to no frame.
    pub(super) fn take_dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }

    /// Removes the first `end` bytes, of which `noise` were no frame.
    fn forget(&mut self, end: usize, noise: usize) {
        let end = end.min(self.len);
        self.bytes.copy_within(end..self.len, 0);
        self.len -= end;
        self.seen = self.seen.saturating_sub(end);
        self.dropped += noise as u64;
    }
}

enum Echo {
    Whole(usize),
    Part,
    No,
}

fn echo_in(bytes: &[u8], sent: &[u8]) -> Echo {
    match bytes.get(..sent.len()) {
        Some(whole) if whole == sent => Echo::Whole(sent.len()),
        None if sent.starts_with(bytes) => Echo::Part,
        Some(_) | None => Echo::No,
    }
}

#[cfg(test)]
mod tests;
