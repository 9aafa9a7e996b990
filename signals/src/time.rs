//! Time: UTC microseconds, and the one port through which wall time enters the gateway.

use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

use serde::{Deserialize, Serialize};

const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;

/// Microseconds since 1970-01-01T00:00:00Z, leap seconds ignored, as Parquet stores them.
#[derive(
    Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The instant `micros` microseconds after the Unix epoch.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the Unix epoch.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// This instant moved later by `span`; saturates at the end of time.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(micros_of(span)))
    }

    /// This instant moved earlier by `span`; saturates at the beginning of time.
    #[must_use]
    pub fn minus(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(micros_of(span)))
    }

    /// The span from `earlier` to this instant; zero when `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The last multiple of `step` at or before this instant. `step` below 1 µs counts as 1 µs.
    #[must_use]
    pub fn floor(self, step: Duration) -> Self {
        let step = micros_of(step).max(1);
        Self(self.0.div_euclid(step) * step)
    }

    /// Reads what [`Timestamp`] prints: RFC 3339 in UTC, with up to six digits of a second.
    ///
    /// `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
        let mut date = date.splitn(3, '-').map(str::parse::<i64>);
        let (year, month, day) = (date.next()?.ok()?, date.next()?.ok()?, date.next()?.ok()?);
        let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
        let mut time = time.splitn(3, ':').map(str::parse::<i64>);
        let (hour, minute, second) = (time.next()?.ok()?, time.next()?.ok()?, time.next()?.ok()?);
        let in_range = (1..=12).contains(&month)
            && (1..=31).contains(&day)
            && (0..24).contains(&hour)
            && (0..60).contains(&minute)
            && (0..60).contains(&second)
            && (1..=6).contains(&fraction.len());
        if !in_range {
            return None;
        }
        let micros: i64 = format!("{fraction:0<6}").parse().ok()?;
        let seconds =
            days_from_civil(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
        Some(Self(seconds * MICROS_PER_SECOND + micros))
    }

    /// The UTC calendar date, `YYYY-MM-DD`: the value of a lake's `date` partition.
    #[must_use]
    pub fn date(self) -> String {
        let (year, month, day) = civil_from_days(self.0.div_euclid(MICROS_PER_DAY));
        format!("{year:04}-{month:02}-{day:02}")
    }
}

/// RFC 3339 in UTC with microseconds: `2026-10-25T01:30:15.000250Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of_day = self.0.rem_euclid(MICROS_PER_DAY);
        let seconds = of_day / MICROS_PER_SECOND;
        write!(
            f,
            "{}T{:02}:{:02}:{:02}.{:06}Z",
            self.date(),
            seconds / 3600,
            seconds / 60 % 60,
            seconds % 60,
            of_day % MICROS_PER_SECOND
        )
    }
}

fn micros_of(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

/// Proleptic Gregorian date of a day number, 0 = 1970-01-01.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    // Years are counted from March so that the leap day is the last of its year.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// Day number of a proleptic Gregorian date, 0 = 1970-01-01.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Whether the wall clock can be trusted at the time a sample was stamped.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClockState {
    /// A time source has set the clock since boot.
    #[default]
    Synced,
    /// Nobody has vouched for the clock yet; samples carry this until somebody does.
    Unsynced,
}

/// The only way wall time enters the gateway.
///
/// The real one reads the operating system; [`ManualClock`] is its simulated twin.
pub trait Clock: Send + Sync {
    /// Wall time, UTC. May step in either direction.
    fn now(&self) -> Timestamp;
    /// Time since an arbitrary start; never steps. Schedules and time-outs use this.
    fn monotonic(&self) -> Duration;
    /// Whether [`Clock::now`] can be trusted.
    fn state(&self) -> ClockState;
}

/// A clock that moves only when told to: for tests and simulation.
#[derive(Debug)]
pub struct ManualClock {
    hands: Mutex<(Timestamp, Duration)>,
}

impl ManualClock {
    /// A stopped clock that shows `start`.
    #[must_use]
    pub fn new(start: Timestamp) -> Self {
        Self { hands: Mutex::new((start, Duration::ZERO)) }
    }

    /// Lets `span` pass on both the wall and the monotonic clock.
    pub fn advance(&self, span: Duration) {
        let mut hands = self.hands();
        hands.0 = hands.0.plus(span);
        hands.1 += span;
    }

    /// Steps the wall clock alone, as a time server or an operator does.
    pub fn step_to(&self, wall: Timestamp) {
        self.hands().0 = wall;
    }

    fn hands(&self) -> std::sync::MutexGuard<'_, (Timestamp, Duration)> {
        self.hands.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.hands().0
    }

    fn monotonic(&self) -> Duration {
        self.hands().1
    }

    fn state(&self) -> ClockState {
        ClockState::Synced
    }
}

#[cfg(test)]
mod tests;
