//! What is known of a unit: whether it answers, and when to ask it again if not. Pure.

use std::time::Duration;

/// Unanswered requests in a row after which a unit is demoted.
pub(super) const TIMEOUTS_MAX: u32 = 3;
/// Pauses before the probes of a unit; the last one stays. Four probes in the first minute at
/// most, and with a tenth of jitter and a wait for slack a unit that returns is asked within 35 s.
const PAUSES: [Duration; 4] = [
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(12),
    Duration::from_secs(29),
];
/// Shortest probe: below this a busy line looks dead.
const PROBE_MIN: Duration = Duration::from_millis(20);

/// Whether a unit answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum State {
    /// It answered last time, or was never asked.
    Ok,
    /// It left this many requests in a row unanswered.
    Suspect(u32),
    /// It is asked only now and then.
    Demoted {
        /// When to ask, on the monotonic clock.
        probe_at: Duration,
        /// Probes left unanswered.
        probes: u32,
    },
}

/// One unit id on the line.
#[derive(Clone, Debug)]
pub(super) struct Unit {
    state: State,
    has_answered: bool,
    jitter: Jitter,
}

impl Unit {
    /// A unit nothing is known of. Equal seeds give equal jitter.
    pub(super) fn new(seed: u64) -> Self {
        Self { state: State::Ok, has_answered: false, jitter: Jitter::new(seed) }
    }

    pub(super) fn state(&self) -> State {
        self.state
    }

    pub(super) fn is_ok(&self) -> bool {
        self.state == State::Ok
    }

    /// It left the last request unanswered, and is not demoted.
    pub(super) fn is_suspect(&self) -> bool {
        matches!(self.state, State::Suspect(_))
    }

    /// Whether it ever answered.
    pub(super) fn has_answered(&self) -> bool {
        self.has_answered
    }

    pub(super) fn is_demoted(&self) -> bool {
        matches!(self.state, State::Demoted { .. })
    }

    /// It answered, be it with a refusal: it lives.
    pub(super) fn answered(&mut self) {
        self.state = State::Ok;
        self.has_answered = true;
    }

    /// It did not answer. `company`: others on the line answer, whom it must not hold up.
    ///
    /// Without company it is asked on: there is nobody to protect, and it is back at once.
    pub(super) fn timed_out(&mut self, now: Duration, company: bool) {
        let probes = match self.state {
            State::Ok => {
                self.state = State::Suspect(1);
                return;
            }
            State::Suspect(timeouts) if timeouts + 1 < TIMEOUTS_MAX || !company => {
                self.state = State::Suspect(timeouts.saturating_add(1));
                return;
            }
            State::Suspect(_) => 0,
            State::Demoted { probes, .. } => probes.saturating_add(1),
        };
        let last = PAUSES.len() - 1;
        let place = usize::try_from(probes).unwrap_or(last).min(last);
        let pause = PAUSES.get(place).copied().unwrap_or_default();
        self.state = State::Demoted { probe_at: now + self.jitter.around(pause), probes };
    }

    /// The connection is new: a demoted unit deserves a probe at once.
    pub(super) fn reconnected(&mut self, now: Duration) {
        if let State::Demoted { probe_at, .. } = &mut self.state {
            *probe_at = now;
        }
    }

    /// When it wants to be probed.
    pub(super) fn probe_at(&self) -> Option<Duration> {
        match self.state {
            State::Demoted { probe_at, .. } => Some(probe_at),
            State::Ok | State::Suspect(_) => None,
        }
    }
}

/// Round trips of a line: smoothed for people, the slow end for time-outs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RoundTrips {
    smooth: Option<Duration>,
    slow: Option<Duration>,
}

impl RoundTrips {
    /// Takes one round trip in.
    pub(super) fn note(&mut self, trip: Duration) {
        // 1/8 as in RFC 6298; the slow end falls by 1/64 a request, so that it forgets in minutes.
        self.smooth = Some(self.smooth.map_or(trip, |smooth| smooth / 8 * 7 + trip / 8));
        self.slow = Some(self.slow.map_or(trip, |slow| trip.max(slow / 64 * 63)));
    }

    /// Smoothed round trip, `None` before the first.
    pub(super) fn smooth(self) -> Option<Duration> {
        self.smooth
    }

    /// How long to wait for a probe: three slow round trips, at most the unit's own timeout.
    ///
    /// A unit that answers later is noticed all the same: its late answer shows that it lives.
    pub(super) fn probe_timeout(self, own: Duration) -> Duration {
        self.slow.map_or(own, |slow| (slow * 3).max(PROBE_MIN)).min(own)
    }
}

/// Repeatable scatter: many lines that lost one switch must not come back in one instant.
#[derive(Clone, Debug)]
pub(super) struct Jitter(u64);

impl Jitter {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// `span` ± 10 %.
    pub(super) fn around(&mut self, span: Duration) -> Duration {
        // xorshift64 (Marsaglia 2003).
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let permille = u32::try_from(self.0 % 201).unwrap_or(100);
        span * (900 + permille) / 1000
    }
}

/// A seed of a name: FNV-1a.
pub(super) fn seed(name: &str) -> u64 {
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    name.bytes().fold(0xcbf2_9ce4_8422_2325, mix)
}

#[cfg(test)]
mod tests;
