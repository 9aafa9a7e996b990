//! A peer made of fuzz input, and what any accepted answer must have been.
//!
//! Input: one byte that picks the request, one that cuts the rest into pieces, then what the peer
//! sends. Between pieces it pauses for longer than a lull where the cut says so.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::{Builder, Runtime};
use tokio::time::{Sleep, sleep};
use tokio_modbus::{Request, Response};

/// What the peer sends, in pieces; then it is silent.
#[derive(Debug)]
pub struct Peer {
    pieces: VecDeque<Vec<u8>>,
    pauses: bool,
    pause: Option<Pin<Box<Sleep>>>,
}

impl Peer {
    /// `cut` is the length of the pieces, and in its highest bit whether there are pauses.
    #[must_use]
    pub fn new(sent: &[u8], cut: u8) -> Self {
        let length = usize::from(cut & 0x7F).max(1);
        let pieces = sent.chunks(length).map(<[u8]>::to_vec).collect();
        Self { pieces, pauses: cut & 0x80 != 0, pause: None }
    }
}

impl AsyncRead for Peer {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(pause) = &mut self.pause {
            std::task::ready!(pause.as_mut().poll(context));
            self.pause = None;
        }
        let Some(mut piece) = self.pieces.pop_front() else { return Poll::Pending };
        let rest = piece.split_off(piece.len().min(room.remaining()));
        room.put_slice(&piece);
        if !rest.is_empty() {
            self.pieces.push_front(rest);
        } else if self.pauses {
            self.pause = Some(Box::pin(sleep(Duration::from_millis(60))));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Peer {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A runtime whose clock runs only while everybody waits.
#[must_use]
pub fn runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O needs nothing of the system")
}

/// The request that a byte picks.
#[must_use]
pub fn request(pick: u8) -> Request<'static> {
    match pick % 10 {
        0 => Request::ReadHoldingRegisters(0x6B, 3),
        1 => Request::ReadInputRegisters(0, 125),
        2 => Request::ReadCoils(0, 19),
        3 => Request::ReadDiscreteInputs(7, 1),
        4 => Request::WriteSingleRegister(1, 3),
        5 => Request::WriteSingleCoil(0xAC, true),
        6 => Request::WriteMultipleRegisters(1, vec![10, 258].into()),
        7 => Request::MaskWriteRegister(4, 0xF2, 0x25),
        8 => Request::ReadWriteMultipleRegisters(3, 6, 14, vec![0xFF; 3].into()),
        _ => Request::WriteMultipleCoils(0x13, vec![true; 10].into()),
    }
}

/// The PDU that alone may have been accepted as this response; `None` when the response is not
/// one to the request at all. Written apart from the engines, from the standard's clause 6.
#[must_use]
pub fn only_answer(request: &Request<'_>, response: &Response) -> Option<Vec<u8>> {
    let words = |function: u8, words: &[u16], count: u16| {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
        let whole = words.len() == usize::from(count);
        whole.then(|| [&[function, u8::try_from(bytes.len()).unwrap_or(0)], &*bytes].concat())
    };
    let echo = |function: u8, words: &[u16]| {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
        [&[function], &*bytes].concat()
    };
    match (request, response) {
        (Request::ReadHoldingRegisters(_, count), Response::ReadHoldingRegisters(got)) => {
            words(3, got, *count)
        }
        (Request::ReadInputRegisters(_, count), Response::ReadInputRegisters(got)) => {
            words(4, got, *count)
        }
        (
            Request::ReadWriteMultipleRegisters(_, count, _, _),
            Response::ReadWriteMultipleRegisters(got),
        ) => words(23, got, *count),
        (Request::WriteSingleRegister(at, word), Response::WriteSingleRegister(a, w)) => {
            (at == a && word == w).then(|| echo(6, &[*at, *word]))
        }
        (Request::WriteSingleCoil(at, _), Response::WriteSingleCoil(a, true)) => {
            (at == a).then(|| echo(5, &[*at, 0xFF00]))
        }
        (Request::WriteMultipleRegisters(at, values), Response::WriteMultipleRegisters(a, n)) => {
            (at == a && values.len() == usize::from(*n)).then(|| echo(16, &[*at, *n]))
        }
        (Request::WriteMultipleCoils(at, values), Response::WriteMultipleCoils(a, n)) => {
            (at == a && values.len() == usize::from(*n)).then(|| echo(15, &[*at, *n]))
        }
        (Request::MaskWriteRegister(at, and, or), Response::MaskWriteRegister(..)) => {
            Some(echo(22, &[*at, *and, *or]))
        }
        _ => None,
    }
}

/// Bits of an answer's bytes, as many as were asked for: padding bits may be anything.
#[must_use]
pub fn bits(pdu: &[u8], count: u16) -> Vec<bool> {
    let values = pdu.get(2..).unwrap_or_default();
    let all = values.iter().flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1 == 1));
    all.take(usize::from(count)).collect()
}

/// Whether some PDU among `answers` justifies the response.
pub fn justified<'a>(
    request: &Request<'_>,
    response: &Response,
    mut answers: impl Iterator<Item = &'a [u8]>,
) -> bool {
    match (request, response) {
        (Request::ReadCoils(_, count), Response::ReadCoils(got)) => {
            answers.any(|pdu| holds_bits(pdu, 1, *count, got))
        }
        (Request::ReadDiscreteInputs(_, count), Response::ReadDiscreteInputs(got)) => {
            answers.any(|pdu| holds_bits(pdu, 2, *count, got))
        }
        _ => {
            let Some(only) = only_answer(request, response) else { return false };
            answers.any(|pdu| pdu == only)
        }
    }
}

fn holds_bits(pdu: &[u8], function: u8, count: u16, got: &[bool]) -> bool {
    let bytes = count.div_ceil(8);
    pdu.len() == 2 + usize::from(bytes)
        && pdu.first() == Some(&function)
        && pdu.get(1).is_some_and(|stated| u16::from(*stated) == bytes)
        && bits(pdu, count) == got
}
