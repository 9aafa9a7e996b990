//! What one frame costs in memory, whatever it is: at most as many bytes as the longest frame has.
//!
//! A peer sends frames of every unit, function and length, right and damaged, asked for and not; the
//! allocator counts all that is taken between one frame and the next, be it given back at once.

#![expect(clippy::print_stdout, reason = "a test without a harness says what it measured")]

use std::alloc::System;
use std::collections::VecDeque;
use std::io::Result;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use adapters_modbus::area::Area;
use adapters_modbus::scan::Read;
use adapters_modbus::wire::{FrameTrace, RtuWire, TcpWire, Timing, Turn};
use cap::Cap;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, timeout};

/// Counts what is allocated.
#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

/// The most that a frame may take.
const FRAME_MAX: usize = 260;

/// What the peer sends next: at once, or as the answer to what it is sent.
#[derive(Clone, Default)]
struct Peer(Arc<Mutex<Sent>>);

#[derive(Default)]
struct Sent {
    bytes: VecDeque<u8>,
    waits: bool,
}

impl Peer {
    fn sends(&self, frame: &[u8], waits: bool) {
        let mut sent = self.sent();
        sent.bytes.clear();
        sent.bytes.extend(frame);
        sent.waits = waits;
    }

    fn sent(&self) -> MutexGuard<'_, Sent> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsyncRead for Peer {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        let mut sent = self.sent();
        if sent.waits || sent.bytes.is_empty() {
            // What ends the wait is the timer.
            return Poll::Pending;
        }
        while room.remaining() > 0
            && let Some(byte) = sent.bytes.pop_front()
        {
            room.put_slice(&[byte]);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Peer {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        self.sent().waits = false;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The checksum of RTU, bit by bit.
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

/// PDUs of every kind and length, legal and not.
fn pdus() -> Vec<Vec<u8>> {
    let counted = |function: u8| {
        let lengths = [0, 1, 2, 3, 4, 9, 63, 64, 65, 100, 127, 128, 200, 248, 249, 250];
        lengths.map(|count| [vec![function, count], vec![7; count.into()]].concat())
    };
    let mut all: Vec<Vec<u8>> =
        [1, 2, 3, 4, 12, 17, 20, 23].into_iter().flat_map(counted).collect();
    let echoes = [5, 6, 8, 11, 15, 16].map(|function| vec![function, 0, 1, 0, 2]);
    let refusals =
        (0x81..=0xAB).flat_map(|function| [1, 2, 11, 99].map(|code| vec![function, code]));
    all.extend(echoes.into_iter().chain(refusals));
    all.push(vec![22, 0, 4, 0, 0xF2, 0, 0x25]);
    all.push([vec![43, 0x0E, 1, 1, 0, 0, 1, 0, 200], vec![b'x'; 200]].concat());
    all
}

/// With unit and checksum; every ninth is damaged.
fn rtu_frames(unit: u8) -> Vec<Vec<u8>> {
    let frame = |(place, pdu): (usize, Vec<u8>)| {
        let body = [&[unit], pdu.as_slice()].concat();
        let sum = crc(&body) ^ u16::from(place % 9 == 8);
        [body.as_slice(), &sum.to_le_bytes()].concat()
    };
    pdus().into_iter().enumerate().map(frame).collect()
}

/// With headers of several ids, and with lengths that are not theirs.
fn tcp_frames() -> Vec<Vec<u8>> {
    let frame = |(place, pdu): (usize, Vec<u8>)| {
        let right = u16::try_from(pdu.len() + 1).expect("a short PDU");
        let length = match place % 13 {
            0 => 0,
            1 => 255,
            2 => 60_000,
            3 => right + 1,
            _ => right,
        };
        let id = u16::try_from(place % 5).expect("below 5");
        let head = [id.to_be_bytes(), [0, u8::from(place % 11 == 10)], length.to_be_bytes()];
        [head.as_flattened(), &[UNIT], &pdu].concat()
    };
    pdus().into_iter().enumerate().map(frame).collect()
}

/// The most of what is taken while frames are received, each by itself.
#[derive(Default)]
struct Most {
    bytes: usize,
    frames: usize,
    /// Frames that were taken as answers.
    answers: usize,
}

impl Most {
    /// `receive` says whether the frame was an answer.
    async fn receive(&mut self, frame: &[u8], receive: impl AsyncFnOnce() -> bool) {
        let before = HEAP.total_allocated();
        self.answers += usize::from(receive().await);
        let took = HEAP.total_allocated() - before;
        assert!(took <= FRAME_MAX, "{took} bytes for {frame:02x?}");
        self.bytes = self.bytes.max(took);
        self.frames += 1;
    }
}

const UNIT: u8 = 0x11;
const PATIENCE: Duration = Duration::from_millis(2);
const READ: Read = Read { area: Area::Holding, start: 0, count: 125 };

fn turn() -> Turn {
    Turn { unit: UNIT, deadline: Instant::now() + PATIENCE }
}

/// Receives unasked; nothing of it is an answer.
async fn idle(receives: impl Future) -> bool {
    timeout(PATIENCE, receives).await.is_err_and(|_| false)
}

async fn rtu() -> Most {
    let (peer, trace) = (Peer::default(), Arc::new(FrameTrace::new()));
    let mut wire = RtuWire::new(peer.clone(), Timing::over_tcp());
    wire.trace_into(Arc::clone(&trace));
    let mut most = Most::default();
    let mut words = Vec::with_capacity(256);
    for unit in 0..=u8::MAX {
        // What the unit is remembered with is taken when it is asked, not when a frame comes. And
        // the bytes that may come unasked are counted from here.
        words.clear();
        assert!(wire.read(turn(), READ, &mut words).await.is_err(), "nobody answers");
        for frame in rtu_frames(unit) {
            peer.sends(&frame, false);
            most.receive(&frame, async || idle(wire.idle()).await).await;
        }
        wire.take_late_units();
    }
    for frame in rtu_frames(UNIT) {
        let mut wire = RtuWire::new(peer.clone(), Timing::over_tcp());
        wire.trace_into(Arc::clone(&trace));
        peer.sends(&[], false);
        let one = Read { count: 1, ..READ };
        assert!(wire.read(turn(), one, &mut words).await.is_err(), "nobody answers");
        words.clear();
        peer.sends(&frame, true);
        most.receive(&frame, async || wire.read(turn(), READ, &mut words).await.is_ok()).await;
    }
    assert!(!wire.is_broken() && trace.seen() > 10_000, "{} frames seen", trace.seen());
    most
}

async fn tcp() -> Most {
    let trace = Arc::new(FrameTrace::new());
    let mut most = Most::default();
    let mut words = Vec::with_capacity(256);
    for frame in tcp_frames() {
        let peer = Peer::default();
        let mut wire = TcpWire::new(peer.clone(), 0);
        wire.trace_into(Arc::clone(&trace));
        for _ in 0..3 {
            words.clear();
            peer.sends(&frame, true);
            most.receive(&frame, async || wire.read(turn(), READ, &mut words).await.is_ok()).await;
            peer.sends(&frame, false);
            most.receive(&frame, async || idle(wire.idle()).await).await;
        }
    }
    assert!(trace.seen() > 500, "{} frames seen", trace.seen());
    most
}

/// A program of one thread: what another allocates would be counted too.
fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O needs nothing of the system");
    for (name, most) in [("RTU", runtime.block_on(rtu())), ("TCP", runtime.block_on(tcp()))] {
        let Most { bytes, frames, answers } = most;
        println!(
            "{name}: {frames} frames, {answers} of them answers, at most {bytes} bytes for one"
        );
        assert!(frames > 500 && answers > 0, "{name}");
    }
}
