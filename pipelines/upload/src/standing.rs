//! Since when an upload fails, and who has been told.

use std::time::{Duration, Instant};

/// Failing for less than this is told in the log and on the page only: a link that flaps must not
/// fill the journal with events.
pub(crate) const TOLD_AFTER: Duration = Duration::from_secs(30);

/// How an upload stands.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    /// First of the failures without a success between them.
    failing_since: Option<Instant>,
    is_told: bool,
}

impl Standing {
    /// An attempt failed; true when that is to be told, once until all is well again.
    pub(crate) fn failed(&mut self, now: Instant) -> bool {
        let since = *self.failing_since.get_or_insert(now);
        let is_news = !self.is_told && now.saturating_duration_since(since) >= TOLD_AFTER;
        self.is_told |= is_news;
        is_news
    }

    /// All is well; how long it was not, when that had been told.
    pub(crate) fn went_well(&mut self, now: Instant) -> Option<Duration> {
        let Self { failing_since, is_told } = std::mem::take(self);
        let since = failing_since.filter(|_| is_told)?;
        Some(now.saturating_duration_since(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_for_long_is_told_once_and_its_end_too() {
        let (begin, mut standing) = (Instant::now(), Standing::default());
        let at = |s| begin + Duration::from_secs(s);
        assert!(!standing.failed(at(0)));
        assert!(!standing.failed(at(29)));
        assert!(standing.failed(at(30)));
        assert!(!standing.failed(at(300)), "once");
        assert_eq!(standing.went_well(at(360)), Some(Duration::from_secs(360)));
        assert_eq!(standing.went_well(at(370)), None, "once");
    }

    #[test]
    fn a_link_that_flaps_tells_nobody() {
        let (begin, mut standing) = (Instant::now(), Standing::default());
        for s in (0..3_600).step_by(10) {
            let now = begin + Duration::from_secs(s);
            assert!(!standing.failed(now));
            assert_eq!(standing.went_well(now + Duration::from_secs(5)), None);
        }
    }
}
