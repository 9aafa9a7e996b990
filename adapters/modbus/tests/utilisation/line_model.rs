//! An RTU device at the far end of a pseudo terminal, which has no speed of its own: the times of
//! a real line are kept here.
//!
//! An exchange takes: the request's characters, t3.5, the turnaround, the answer's characters, t3.5
//! (Modbus over Serial Line V1.02, clause 2.5.1.1; 11 bits a character). A pseudo terminal hands a
//! request over when its first character would begin; the answer is handed over when its last one
//! would have come. The t3.5 behind the answer is the master's to keep.

use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use serial2::SerialPort;

/// Bits of a character: start, 8, parity, stop.
const BITS: u32 = 11;
/// Length of a request to read.
const REQUEST: usize = 8;
/// Exchanges that may wait to be looked at.
const EXCHANGES_MAX: usize = 10_000;
/// How early the model wakes for an answer; the rest it waits actively.
const EARLY: Duration = Duration::from_micros(300);

/// The far end of a line.
pub(crate) struct LineModel {
    /// The port to open.
    pub(crate) path: PathBuf,
    times: Times,
    exchanges: Receiver<Exchange>,
    /// Keeps the near end open between two owners.
    _near: SerialPort,
}

/// One exchange as the line saw it.
#[derive(Clone, Copy, Debug)]
struct Exchange {
    /// When the request began.
    begun: Instant,
    /// When its answer should have been complete, and when it was handed over.
    planned: Instant,
    ended: Instant,
}

/// What came of a line's time.
pub(crate) struct Used {
    pub(crate) exchanges: usize,
    /// What one exchange takes at least, both t3.5 included.
    pub(crate) exchange: Duration,
    pub(crate) share: f64,
    /// How long after the line was free the next request began.
    pub(crate) late_median: Duration,
    pub(crate) late_max: Duration,
    /// Requests that began before the line was free.
    pub(crate) gaps_short: usize,
    pub(crate) model_late_max: Duration,
}

/// Times of a line.
#[derive(Clone, Copy)]
pub(crate) struct Times {
    char_time: Duration,
    gap: Duration,
    turnaround: Duration,
}

impl Times {
    pub(crate) fn of(baud: u32, turnaround: Duration) -> Self {
        let char_time = Duration::from_secs(1) * BITS / baud;
        // Above 19,200 it is fixed (clause 2.5.1.1).
        let fixed = Duration::from_micros(1750);
        let gap = if baud > 19_200 { fixed } else { char_time * 7 / 2 };
        Self { char_time, gap, turnaround }
    }

    /// An exchange with an answer of so many bytes, to the moment the next one may begin.
    pub(crate) fn whole(&self, answer: usize) -> Duration {
        self.exchange(answer) + self.gap
    }

    /// From the beginning of a request to the end of an answer of so many bytes.
    fn exchange(&self, answer: usize) -> Duration {
        let chars = u32::try_from(REQUEST + answer).expect("frames are short");
        self.char_time * chars + self.gap + self.turnaround
    }
}

impl LineModel {
    /// A device on a line of this rate; every register holds 7.
    pub(crate) fn start(baud: u32, turnaround: Duration) -> Self {
        let (far, near) = SerialPort::pair().expect("there are pseudo terminals");
        let fd = std::os::fd::AsRawFd::as_raw_fd(&near);
        let path = std::fs::read_link(format!("/proc/self/fd/{fd}")).expect("it has a name");
        let (sender, exchanges) = sync_channel(EXCHANGES_MAX);
        let times = Times::of(baud, turnaround);
        std::thread::spawn(move || serve(far, times, &sender));
        Self { path, times, exchanges, _near: near }
    }

    /// Watches the line for a while.
    pub(crate) fn watch(&self, span: Duration) -> Used {
        let first = self.exchanges.recv_timeout(Duration::from_secs(20));
        let mut seen = vec![first.expect("the line is polled")];
        while seen[0].begun + span > seen[seen.len() - 1].ended {
            let next = self.exchanges.recv_timeout(Duration::from_secs(5));
            seen.push(next.expect("the line is polled on"));
        }
        used(&seen, self.times)
    }
}

/// Time used of all time: that in which the model overslept belongs to neither.
fn used(seen: &[Exchange], times: Times) -> Used {
    let busy: Duration = seen.iter().map(|e| e.planned.duration_since(e.begun) + times.gap).sum();
    let slept: Duration = seen.iter().map(|e| e.ended.duration_since(e.planned)).sum();
    let all = seen[seen.len() - 1].ended.duration_since(seen[0].begun) + times.gap;
    let all = all.saturating_sub(slept);
    let free = seen.windows(2).map(|pair| (pair[0].ended + times.gap, pair[1].begun));
    // When the last byte really left is between `planned` and `ended`, which is noted behind it.
    let certain = seen.windows(2).map(|pair| (pair[0].planned + times.gap, pair[1].begun));
    let mut late: Vec<Duration> =
        free.map(|(free, begun)| begun.saturating_duration_since(free)).collect();
    late.sort_unstable();
    Used {
        exchanges: seen.len(),
        exchange: seen[0].planned.duration_since(seen[0].begun) + times.gap,
        share: busy.as_secs_f64() / all.as_secs_f64(),
        late_median: late[late.len() / 2],
        late_max: late[late.len() - 1],
        gaps_short: certain.filter(|(free, begun)| begun < free).count(),
        model_late_max: seen
            .iter()
            .map(|e| e.ended.duration_since(e.planned))
            .max()
            .expect("some were seen"),
    }
}

/// Answers until the port is closed.
fn serve(far: SerialPort, times: Times, exchanges: &SyncSender<Exchange>) -> io::Result<()> {
    let mut far = far;
    far.set_read_timeout(Duration::from_secs(60))?;
    let mut request = [0; REQUEST];
    loop {
        far.read_exact(&mut request)?;
        let begun = Instant::now();
        let count = u16::from_be_bytes([request[4], request[5]]);
        let answer = answer(request[0], count);
        let planned = begun + times.exchange(answer.len());
        wait_until(planned);
        far.write_all(&answer)?;
        if exchanges.try_send(Exchange { begun, planned, ended: Instant::now() }).is_err() {
            return Ok(());
        }
    }
}

/// Sleeps, and waits actively where sleeping is too coarse.
fn wait_until(moment: Instant) {
    std::thread::sleep(moment.saturating_duration_since(Instant::now()).saturating_sub(EARLY));
    while Instant::now() < moment {
        std::hint::spin_loop();
    }
}

/// An answer with registers that all hold 7.
fn answer(unit: u8, count: u16) -> Vec<u8> {
    let bytes = u8::try_from(2 * count).expect("at most 125 registers are read");
    let mut frame = vec![unit, 3, bytes];
    frame.extend((0..count).flat_map(|_| [0, 7]));
    frame.extend(crc(&frame).to_le_bytes());
    frame
}

/// Checksum of a frame (Modbus over Serial Line V1.02, clause 6.2.2).
fn crc(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF, |crc, byte| {
        (0..8).fold(
            crc ^ u16::from(*byte),
            |crc, _| {
                if crc & 1 == 1 { crc >> 1 ^ 0xA001 } else { crc >> 1 }
            },
        )
    })
}
