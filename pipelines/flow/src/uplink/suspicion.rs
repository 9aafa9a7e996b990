//! Suspicion: which message a broker ends connections over. Pure.
//!
//! A connection that ends with a message unacknowledged says little: networks do that. When the
//! same message was the oldest on its way twice, it goes on trial: it is sent alone, after the
//! broker has acknowledged something else and the connection has held for a while. When three
//! trials in a row end that connection, the message is the cause.

use signals::Offset;

/// Ends with the same oldest message before it goes on trial.
const ENDS: u32 = 2;
/// Trials in a row that prove it.
const TRIALS: u32 = 3;
/// Messages set aside without one delivered in between: more, and it is the broker that refuses
/// everything. Nothing is set aside then; the stream waits for a person.
const IN_A_ROW_MAX: u32 = 8;

/// Stream, by its place in the uplink's list, and place in it.
pub(super) type Suspect = (usize, Offset);

/// What is known against a message.
#[derive(Debug, Default)]
pub(super) struct Suspicion {
    suspect: Option<Suspect>,
    ends: u32,
    trials: u32,
    set_aside: u32,
}

impl Suspicion {
    /// A connection has ended with `oldest` unacknowledged; `was_alone` when it was on trial and
    /// nothing else was on its way.
    pub(super) fn ended(&mut self, oldest: Option<Suspect>, was_alone: bool) {
        let Some(oldest) = oldest else { return };
        if self.suspect != Some(oldest) {
            (self.suspect, self.ends, self.trials) = (Some(oldest), 0, 0);
        }
        self.ends = self.ends.saturating_add(1);
        self.trials += u32::from(was_alone);
    }

    /// A message was acknowledged.
    pub(super) fn delivered(&mut self, message: Suspect) {
        self.set_aside = 0;
        if self.suspect == Some(message) {
            *self = Self::default();
        }
    }

    /// The message that the next connection has to put on trial.
    pub(super) fn on_trial(&self) -> Option<Suspect> {
        self.suspect.filter(|_| self.ends >= ENDS)
    }

    /// The message that is proven to end connections; it has to be set aside.
    pub(super) fn proven(&self) -> Option<Suspect> {
        self.suspect.filter(|_| self.trials >= TRIALS && self.set_aside < IN_A_ROW_MAX)
    }

    /// Whether the broker refuses whatever it is sent.
    pub(super) fn refuses_everything(&self) -> bool {
        self.set_aside >= IN_A_ROW_MAX
    }

    /// The proven message has been set aside.
    pub(super) fn acquit(&mut self) {
        *self = Self { set_aside: self.set_aside + 1, ..Self::default() };
    }
}

#[cfg(test)]
mod tests;
