//! The last frames of a line, for a person who looks for a fault.
//!
//! A wire writes through its [`TraceTap`]; whoever serves the operator reads the same
//! [`FrameTrace`] from another thread.
//! Tr-1 It holds at most 200 frames of at most 260 bytes: about 60 kB.
//! Tr-2 A frame costs one copy and no memory: the ring has all it may need from the start on.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use signals::Timestamp;
use tokio::time::Instant;

/// Frames that are kept.
pub(super) const FRAMES_MAX: usize = 200;
/// Bytes of a frame that are kept: the longest MBAP frame.
pub(super) const FRAME_BYTES_MAX: usize = 260;

/// What became of a frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fate {
    /// We sent it.
    Sent,
    /// It came, and was taken as the answer to a request; what it says is judged afterwards.
    Answer,
    /// It came after its request had been given up.
    Late,
    /// It came a second time.
    Duplicate,
    /// It came, and nothing had asked for it.
    Foreign,
    /// These bytes came, and are no frame.
    Garbage,
}

/// How the frames of a line are framed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Framing {
    /// Header with transaction id and length: TCP and TLS.
    #[default]
    Mbap,
    /// Unit id in front, checksum behind.
    Rtu,
}

/// The last frames of one line. Shared between the wire and whoever shows it.
pub struct FrameTrace {
    ring: Mutex<Ring>,
}

struct Ring {
    framing: Framing,
    frames: VecDeque<Kept>,
    bytes: VecDeque<u8>,
    /// Frames since the line started, those that have been overwritten among them.
    seen: u64,
}

#[derive(Clone, Copy)]
struct Kept {
    at: Instant,
    fate: Fate,
    /// Bytes it had, of which `bytes` are in the ring.
    length: u32,
    bytes: u16,
}

/// A wire's end of a [`FrameTrace`]; does nothing until there is one.
#[derive(Clone, Debug, Default)]
pub struct TraceTap {
    trace: Option<Arc<FrameTrace>>,
}

impl TraceTap {
    /// A tap into `trace`, which is told how the frames of this wire are framed.
    #[must_use]
    pub fn new(trace: Arc<FrameTrace>, framing: Framing) -> Self {
        trace.lock().framing = framing;
        Self { trace: Some(trace) }
    }

    /// Whether anybody keeps the frames.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.trace.is_some()
    }

    /// Keeps one frame; does nothing when nobody wants it.
    pub fn note(&self, at: Instant, fate: Fate, frame: &[u8]) {
        if let Some(trace) = &self.trace {
            trace.lock().keep(at, fate, frame);
        }
    }
}

impl FrameTrace {
    /// An empty ring.
    #[must_use]
    pub fn new() -> Self {
        Self {
            ring: Mutex::new(Ring {
                framing: Framing::default(),
                frames: VecDeque::with_capacity(FRAMES_MAX),
                bytes: VecDeque::with_capacity(FRAMES_MAX * FRAME_BYTES_MAX),
                seen: 0,
            }),
        }
    }

    /// Frames seen since the line started; the last 200 of them are kept.
    #[must_use]
    pub fn seen(&self) -> u64 {
        self.lock().seen
    }

    /// The frames as text that `text2pcap -D -t %s.%f` reads, oldest first.
    ///
    /// `now` and `wall` are one moment on both clocks; times of frames are reckoned back from it.
    /// Before each frame stands what became of it; `O` is sent by us, `I` received.
    #[must_use]
    pub fn to_text(&self, now: Instant, wall: Timestamp) -> String {
        Shown { ring: &self.lock(), now, wall }.to_string()
    }

    fn lock(&self) -> MutexGuard<'_, Ring> {
        // A panic elsewhere leaves at worst a frame without its bytes; the ring is only shown.
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    fn keep(&mut self, at: Instant, fate: Fate, frame: &[u8]) {
        if self.frames.len() == FRAMES_MAX
            && let Some(oldest) = self.frames.pop_front()
        {
            self.bytes.drain(..usize::from(oldest.bytes).min(self.bytes.len()));
        }
        let kept = frame.get(..FRAME_BYTES_MAX).unwrap_or(frame);
        self.bytes.extend(kept);
        self.frames.push_back(Kept {
            at,
            fate,
            length: u32::try_from(frame.len()).unwrap_or(u32::MAX),
            bytes: u16::try_from(kept.len()).unwrap_or_default(),
        });
        self.seen += 1;
    }
}

/// The ring as text, at one moment on both clocks.
struct Shown<'a> {
    ring: &'a Ring,
    now: Instant,
    wall: Timestamp,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let link = match self.ring.framing {
            Framing::Mbap => "Modbus TCP (text2pcap -D -t %s.%f -T 1502,502)",
            Framing::Rtu => "Modbus RTU (text2pcap -D -t %s.%f -l 147)",
        };
        let (kept, seen) = (self.ring.frames.len(), self.ring.seen);
        writeln!(f, "# {link}; the last {kept} of {seen} frames")?;
        let mut bytes = self.ring.bytes.iter();
        for frame in &self.ring.frames {
            self.put_head(f, frame)?;
            for (place, byte) in bytes.by_ref().take(usize::from(frame.bytes)).enumerate() {
                if place % 16 == 0 {
                    write!(f, "\n{place:06x}")?;
                }
                write!(f, " {byte:02x}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

impl Shown<'_> {
    fn put_head(&self, f: &mut fmt::Formatter<'_>, frame: &Kept) -> fmt::Result {
        let (direction, fate) = match frame.fate {
            Fate::Sent => ('O', "sent"),
            Fate::Answer => ('I', "answer"),
            Fate::Late => ('I', "late, dropped"),
            Fate::Duplicate => ('I', "duplicate, dropped"),
            Fate::Foreign => ('I', "foreign, dropped"),
            Fate::Garbage => ('I', "garbage, dropped"),
        };
        let age = self.now.saturating_duration_since(frame.at);
        let micros = self.wall.minus(age).micros();
        let (seconds, micros) = (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
        writeln!(f, "# {fate}, {} bytes, {:.6} s ago", frame.length, age.as_secs_f64())?;
        write!(f, "{direction} {seconds}.{micros:06}")
    }
}

impl Default for FrameTrace {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for FrameTrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameTrace").field("seen", &self.seen()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
