//! What happened between samples: ticks of the clock, starts and stops of the gateway.

use std::collections::VecDeque;
use std::ops::Range;

use arrow_array::Array as _;
use arrow_array::cast::AsArray as _;
use arrow_array::types::TimestampMicrosecondType;
use futures::StreamExt as _;
use pipelines_sql::{Lake, SqlError};
use signals::Timestamp;

use crate::rules::work::TICK;

/// Starts and stops of a gateway within a rehearsal; more are left out, and the newest count.
const MARKS_MAX: usize = 100_000;

/// Something that is no sample.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Mark {
    /// Rules about silence are asked.
    Tick(Timestamp),
    /// The gateway was started.
    Started(Timestamp),
    /// It was stopped, in order: a kill leaves no mark.
    Stopped(Timestamp),
}

impl Mark {
    fn ts(self) -> Timestamp {
        match self {
            Self::Tick(ts) | Self::Started(ts) | Self::Stopped(ts) => ts,
        }
    }
}

/// The time of a rehearsal.
pub(super) struct Timeline {
    marks: VecDeque<Mark>,
    /// What has passed; nothing before the first sample or start.
    now: Option<Timestamp>,
    is_on: bool,
}

impl Timeline {
    /// `marks` are starts and stops, oldest first.
    pub(super) fn new(marks: Vec<Mark>) -> Self {
        Self { marks: marks.into(), now: None, is_on: true }
    }

    /// A sample was taken at `ts`: the gateway was on.
    pub(super) fn reach(&mut self, ts: Timestamp) {
        self.now = self.now.max(Some(ts));
        self.is_on = true;
    }

    /// What comes next before `end`; ticks only when they are wanted.
    ///
    /// Between the last sample before a kill and the next start nobody has asked anything.
    pub(super) fn next(&mut self, end: Timestamp, with_ticks: bool) -> Option<Mark> {
        let mark = self.marks.front().copied().filter(|mark| mark.ts() < end);
        let until = mark.map_or(end, Mark::ts);
        let was_killed = matches!(mark, Some(Mark::Started(_)));
        if let Some(now) = self.now
            && with_ticks
            && self.is_on
            && !was_killed
            && now.plus(TICK) < until
        {
            self.now = Some(now.plus(TICK));
            return Some(Mark::Tick(now.plus(TICK)));
        }
        let mark = mark?;
        self.marks.pop_front();
        self.is_on = matches!(mark, Mark::Started(_));
        self.now = self.now.max(Some(mark.ts()));
        Some(mark)
    }
}

/// Starts and stops of the gateway.
pub(super) async fn marks(lake: &Lake, within: &Range<Timestamp>) -> Result<Vec<Mark>, SqlError> {
    let known = "SELECT 1 FROM information_schema.tables WHERE table_name = '_events'";
    if times(lake, known, |_| None::<()>).await?.1 == 0 {
        return Ok(Vec::new());
    }
    let question = format!(
        "SELECT ts, kind = 'gateway_started' FROM _events \
         WHERE kind IN ('gateway_started', 'gateway_stopped') \
         AND ts >= TIMESTAMP '{}' AND ts < TIMESTAMP '{}' ORDER BY ts DESC LIMIT {MARKS_MAX}",
        within.start, within.end
    );
    let mark = |row: (Timestamp, bool)| match row {
        (ts, true) => Some(Mark::Started(ts)),
        (ts, false) => Some(Mark::Stopped(ts)),
    };
    let (mut marks, _) = times(lake, &question, mark).await?;
    marks.reverse();
    Ok(marks)
}

/// The end of what is known: the newest sample of any signal, and no later than `end`.
pub(super) async fn end_of(lake: &Lake, end: Timestamp) -> Result<Timestamp, SqlError> {
    let newest = |(ts, _): (Timestamp, bool)| Some(ts);
    let (newest, _) = times(lake, "SELECT max(ts), true FROM latest", newest).await?;
    let behind = |ts: &Timestamp| Timestamp::from_micros(ts.micros().saturating_add(1));
    Ok(newest.first().map_or(end, |ts| behind(ts).min(end)))
}

/// Rows of a time and a truth, each made something of, and how many rows there were.
async fn times<T>(
    lake: &Lake,
    question: &str,
    of: impl Fn((Timestamp, bool)) -> Option<T>,
) -> Result<(Vec<T>, usize), SqlError> {
    let (mut made, mut count) = (Vec::new(), 0);
    let mut rows = lake.query(question).await?;
    while let Some(rows) = rows.next().await {
        let rows = rows?;
        count += rows.num_rows();
        let ts = rows.column(0).as_primitive_opt::<TimestampMicrosecondType>();
        let truth = rows.columns().get(1).and_then(|column| column.as_boolean_opt());
        let (Some(ts), Some(truth)) = (ts, truth) else { continue };
        let there = (0..rows.num_rows()).filter(|row| ts.is_valid(*row) && truth.is_valid(*row));
        let row = |row| (Timestamp::from_micros(ts.value(row)), truth.value(row));
        made.extend(there.map(row).filter_map(&of));
    }
    Ok((made, count))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_micros(second * 1_000_000)
    }

    /// What passes until `end`, as text.
    fn passed(timeline: &mut Timeline, end: i64) -> Vec<Mark> {
        std::iter::from_fn(|| timeline.next(at(end), true)).collect()
    }

    #[test]
    fn between_samples_a_second_is_a_tick() {
        let mut timeline = Timeline::new(Vec::new());
        assert_eq!(passed(&mut timeline, 10), [], "nobody asks before the first sample");
        timeline.reach(at(10));
        assert_eq!(passed(&mut timeline, 13), [Mark::Tick(at(11)), Mark::Tick(at(12))]);
        assert_eq!(timeline.next(at(20), false), None, "only when they are wanted");
    }

    #[test]
    fn while_the_gateway_is_off_nobody_asks() {
        let marks = vec![Mark::Stopped(at(12)), Mark::Started(at(20))];
        let mut timeline = Timeline::new(marks.clone());
        timeline.reach(at(10));
        let expected = [Mark::Tick(at(11)), marks[0], marks[1], Mark::Tick(at(21))];
        assert_eq!(passed(&mut timeline, 22), expected);
    }

    #[test]
    fn after_a_kill_nobody_has_asked_since_the_last_sample() {
        let mut timeline = Timeline::new(vec![Mark::Started(at(20))]);
        timeline.reach(at(10));
        assert_eq!(passed(&mut timeline, 22), [Mark::Started(at(20)), Mark::Tick(at(21))]);
    }
}
