//! Requests of one command, with the pause between them and how each went.

use std::borrow::Cow;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_modbus::Request;

use super::coding::Coded;
use super::rule::WritableTag;
use crate::area::Area;
use crate::scan::{Point, Read};
use crate::wire::{Fault, Turn, Wire};

/// What carrying out a command did on the line, for whoever keeps the state of its units.
#[derive(Clone, Debug, Default)]
pub struct Errand {
    /// Unit id and outcome of each request, in order; at most five.
    pub exchanges: Vec<(u8, Result<(), Fault>)>,
}

/// The wire while a command is carried out.
pub(super) struct Talk<'w> {
    wire: &'w mut Wire,
    gap: Duration,
    errand: Errand,
}

impl<'w> Talk<'w> {
    pub(super) fn new(wire: &'w mut Wire, gap: Duration) -> Self {
        Self { wire, gap, errand: Errand::default() }
    }

    pub(super) fn errand(self) -> Errand {
        self.errand
    }

    pub(super) fn is_broken(&self) -> bool {
        self.wire.is_broken()
    }

    /// The words of a point.
    pub(super) async fn read(
        &mut self,
        (unit, timeout): (u8, Duration),
        point: &Point,
    ) -> Result<Vec<u16>, Fault> {
        let count = point.format.words();
        let read = Read { area: point.address.area, start: point.address.offset, count };
        self.pause().await;
        let mut words = Vec::with_capacity(usize::from(count));
        let turn = Turn { unit, deadline: Instant::now() + timeout };
        let outcome = self.wire.read(turn, read, &mut words).await;
        self.errand.exchanges.push((unit, outcome));
        outcome.map(|()| words)
    }

    /// Writes all words of a value in one request: function 5 or 6 for one, 15 or 16 for several
    /// or where `multiple` says so.
    pub(super) async fn write(
        &mut self,
        tag: &WritableTag,
        words: &[u16],
        multiple: bool,
    ) -> Result<(), Fault> {
        let start = tag.point.address.offset;
        let request = match (tag.point.address.area, words) {
            (Area::Coil, [bit]) if !multiple => Request::WriteSingleCoil(start, *bit != 0),
            (Area::Coil, bits) => {
                let bits: Vec<bool> = bits.iter().map(|bit| *bit != 0).collect();
                Request::WriteMultipleCoils(start, Cow::Owned(bits))
            }
            (_, [word]) if !multiple => Request::WriteSingleRegister(start, *word),
            (_, words) => Request::WriteMultipleRegisters(start, Cow::Borrowed(words)),
        };
        self.ask(tag, &request).await
    }

    /// Writes the bits of a value and leaves the others (clause 6.16).
    pub(super) async fn mask_write(
        &mut self,
        tag: &WritableTag,
        coded: &Coded,
    ) -> Result<(), Fault> {
        let or = coded.put_into(0);
        let request = Request::MaskWriteRegister(tag.point.address.offset, !coded.mask, or);
        self.ask(tag, &request).await
    }

    async fn ask(&mut self, tag: &WritableTag, request: &Request<'_>) -> Result<(), Fault> {
        self.pause().await;
        let turn = Turn { unit: tag.unit, deadline: Instant::now() + tag.timeout };
        let outcome = self.wire.ask(turn, request).await.map(|_| ());
        self.errand.exchanges.push((tag.unit, outcome));
        outcome
    }

    async fn pause(&mut self) {
        if !self.gap.is_zero() && !self.errand.exchanges.is_empty() {
            sleep(self.gap).await;
        }
    }
}
