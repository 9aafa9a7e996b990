//! The fence: one harmless question that tells whether an old answer may still come.
//!
//! A device answers one request after the other. Once it has answered "return query data" with
//! the token it was sent (function 8, sub-function 0; Modbus Application Protocol V1.1b3, clause
//! 6.8), or refused it, whatever was asked before has been answered or never will be. Devices
//! that are silent to it are given time instead.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::shape::Shape;
use super::{Fault, RtuWire, Unanswered, crc};

/// Function code of the fence.
pub(super) const FUNCTION: u8 = 8;
/// How long the answer of a device without fence is waited for at least, from its request on.
const LATE_MAX: Duration = Duration::from_secs(1);
/// Occasions after which a device that was silent to the fence is tried again.
const MUTE_FOR: u8 = 16;

/// What is known of a unit.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Fence {
    /// Nothing.
    #[default]
    Untried,
    /// It was silent once; it may have been busy.
    Failed,
    /// It has answered it.
    Answers,
    /// It is silent to it; so many occasions are left to do without.
    Mute(u8),
}

impl Fence {
    const fn failed(self) -> Self {
        match self {
            Self::Untried => Self::Failed,
            Self::Failed | Self::Mute(_) => Self::Mute(MUTE_FOR),
            Self::Answers => Self::Answers,
        }
    }
}

/// Until when the answer to an unanswered request is waited for where there is no fence.
pub(super) fn late_until(sent: Instant, deadline: Instant, longest: Duration) -> Instant {
    let waited = deadline.saturating_duration_since(sent);
    (deadline + waited.max(longest)).max(sent + LATE_MAX)
}

impl<S: AsyncRead + AsyncWrite + Unpin> RtuWire<S> {
    /// Makes sure that no answer to an older request can pass for one of this shape.
    ///
    /// `false` when that takes waiting until the time in [`RtuWire::late_of`].
    pub(super) async fn fence(&mut self, shape: &Shape, by: Instant) -> Result<bool, Fault> {
        if self.late_of(shape).is_none() {
            return Ok(true);
        }
        if let Some(Fence::Mute(left)) = self.fences.get(usize::from(shape.unit)).copied() {
            if !std::mem::replace(&mut self.waits, true) {
                let next = left.checked_sub(1).map_or(Fence::Untried, Fence::Mute);
                self.learn(shape.unit, next);
            }
            return Ok(false);
        }
        let request = self.put_fence(shape.unit);
        let fence = Shape::of(shape.unit, self.asked())?;
        let answer = self.exchange(&fence, by).await;
        self.outbox = request;
        match answer {
            Ok(answer) => {
                self.inbox.take(&answer);
                self.learn(shape.unit, Fence::Answers);
                self.unanswered.retain(|request| request.shape.unit != shape.unit);
                Ok(true)
            }
            Err(fault) => {
                let known = self.fences.get(usize::from(shape.unit)).copied().unwrap_or_default();
                self.learn(shape.unit, known.failed());
                Err(fault)
            }
        }
    }

    /// Until when the answer to an older request may pass for one of this shape.
    pub(super) fn late_of(&self, shape: &Shape) -> Option<Instant> {
        let same = |request: &&Unanswered| {
            request.shape.unit == shape.unit && request.shape.function == shape.function
        };
        self.unanswered.iter().filter(same).map(|request| request.until).max()
    }

    /// Puts the fence into the outbox, and gives what was there.
    fn put_fence(&mut self, unit: u8) -> Vec<u8> {
        self.token = self.token.wrapping_add(1);
        let [high, low] = self.token.to_be_bytes();
        let mut frame = vec![unit, FUNCTION, 0, 0, high, low];
        frame.extend_from_slice(&crc::crc(&frame).to_le_bytes());
        std::mem::replace(&mut self.outbox, frame)
    }

    fn learn(&mut self, unit: u8, fence: Fence) {
        if let Some(known) = self.fences.get_mut(usize::from(unit)) {
            *known = fence;
        }
    }
}
