//! Pass marks: what each key of `expect` measures. A key that nobody measures fails its scenario.

mod times;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;
use signals::{QualityClass, Reason};

use crate::case::Scenario;
use crate::oracle::Asked;
use crate::rig::{Cell, Row};

/// A unit that answers again must be good within this, in milliseconds.
const RETURN_MS_MAX: f64 = 35_000.0;
/// What a key that is not known gets.
const UNMEASURED: &str = "nobody measures this key";

/// Everything that is known of a run when it is over. Times of the wall clock in microseconds.
pub(crate) struct Run<'a> {
    pub(crate) scenario: &'a Scenario,
    pub(crate) rows: &'a [Row],
    pub(crate) journal: &'a [Asked],
    /// The server's `/stats`.
    pub(crate) stats: &'a Json,
    /// When the line started: second 0 of the script.
    pub(crate) began: i64,
    pub(crate) ended: i64,
    /// Second 0 of the server, which its rules count from.
    pub(crate) server_began: i64,
    pub(crate) wrong: usize,
    /// Outcomes of the writes of the script.
    pub(crate) writes: Vec<String>,
}

/// One mark, measured.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    pub(crate) key: String,
    pub(crate) measured: String,
    pub(crate) is_met: bool,
}

impl Mark {
    /// Whether a machine that stands still now and then can be the reason that it is missed.
    pub(crate) fn is_of_time(&self) -> bool {
        let others = ["wrong_values", "max_open_connections", "bad_tags", "write_requests_max"];
        let is_other = others.contains(&self.key.as_str()) || self.key == "times_rise";
        !is_other && self.key != "ran" && self.measured != UNMEASURED
    }
}

impl Run<'_> {
    /// Every mark of the scenario, and those that hold for all.
    pub(crate) fn marks(&self) -> Vec<Mark> {
        let expect = &self.scenario.expect;
        let mut marks: Vec<Mark> =
            expect.iter().map(|(key, wanted)| self.mark(key, wanted)).collect();
        if !expect.contains_key("wrong_values") {
            marks.push(self.mark("wrong_values", &Json::from(0)));
        }
        let returned = self.returned_ms();
        if let Some(slowest) = returned {
            marks.push(at_most("returned_ms_max", slowest, RETURN_MS_MAX));
        }
        let rising = self.rows.iter().map(|row| (row.unit, row.period, row.ts));
        let mut last = BTreeMap::new();
        let falls = rising.filter(|(unit, period, ts)| {
            last.insert((*unit, *period), *ts).is_some_and(|before| before >= *ts)
        });
        let falls = falls.count();
        if falls > 0 {
            marks.push(Mark {
                key: "times_rise".into(),
                measured: falls.to_string(),
                is_met: false,
            });
        }
        marks
    }

    fn mark(&self, key: &str, wanted: &Json) -> Mark {
        let limit = || wanted.as_f64().unwrap_or_else(|| panic!("{key} is a number"));
        let bad_tags = self.bad_tags();
        match key {
            "wrong_values" => at_most(key, count(self.wrong), limit()),
            "good_share_min" => at_least(key, self.good_share(|_| true, |_| true), limit()),
            "good_share_other_min" => {
                let other = |cell: &Cell| !bad_tags.contains(&(cell.tag.address, cell.tag.words));
                at_least(key, self.good_share(|_| true, other), limit())
            }
            "good_share_min_after_s" => {
                let from = self.began + micros(wanted[0].as_f64().expect("a second"));
                let share = self.good_share(|row| row.ts >= from, |_| true);
                at_least(key, share, wanted[1].as_f64().expect("a share"))
            }
            "live_units_good_share_min" => {
                let dead = self.dead_units();
                let share = self.good_share(|row| !dead.contains(&row.unit), |_| true);
                at_least(key, share, limit())
            }
            "bad_tags" => self.bad_tags_mark(key),
            "bad_reason" => self.bad_reason(key, wanted.as_str().expect("a reason")),
            "bad_within_ms" => self.bad_within(key, limit()),
            "recover_ms_max" => at_most(key, self.recover_ms(), limit()),
            "reconnects_max" => at_most(key, (self.counter("accepted") - 1.0).max(0.0), limit()),
            "connect_attempts_max" => at_most(key, self.counter("accepted"), limit()),
            "max_open_connections" => at_most(key, self.counter("max_open_connections"), limit()),
            "gap_violations_max" => at_most(key, self.counter("gap_violation"), limit()),
            "mean_interval_error_max" => at_most(key, self.interval_error(), limit()),
            "live_units_interval_p99_ms_max" => self.live_intervals(key, limit()),
            "dead_unit_requests_per_min_max" => self.dead_per_minute(key, limit()),
            "settle_requests_max" => at_most(key, self.settle_requests(), limit()),
            "write_requests_max" => {
                let writes = [5, 6, 15, 16, 22, 23];
                let asked = self.journal.iter().filter(|asked| writes.contains(&asked.function));
                at_most(key, count(asked.count()), limit())
            }
            "write_result" => {
                let is_met = !self.writes.is_empty()
                    && self.writes.iter().all(|result| Some(result.as_str()) == wanted.as_str());
                Mark { key: key.to_owned(), measured: self.writes.join(","), is_met }
            }
            unknown => {
                Mark { key: unknown.to_owned(), measured: UNMEASURED.to_owned(), is_met: false }
            }
        }
    }

    /// Good values by all values of the rows that count, a row that is missing counting as bad.
    pub(crate) fn good_share(
        &self,
        counts: impl Fn(&Row) -> bool,
        cell_counts: impl Fn(&Cell) -> bool,
    ) -> f64 {
        let mut tables: BTreeMap<_, Vec<&Row>> = BTreeMap::new();
        for row in self.rows.iter().filter(|row| counts(row)) {
            tables.entry((row.unit, row.period)).or_default().push(row);
        }
        let (mut good, mut all) = (0.0, 0.0);
        for ((_, period), rows) in tables {
            let cells = rows[0].cells.iter().filter(|cell| cell_counts(cell)).count();
            let span_s = seconds(self.ended - rows[0].ts);
            let slots = (span_s / period.as_secs_f64()).floor().max(count(rows.len()));
            all += slots * count(cells);
            let cells = rows.iter().flat_map(|row| &row.cells).filter(|cell| cell_counts(cell));
            good += count(cells.filter(|cell| cell.quality.is_good()).count());
        }
        if all > 0.0 { good / all } else { 0.0 }
    }

    fn bad_tags(&self) -> BTreeSet<(u16, u16)> {
        let listed = self.scenario.expect.get("bad_tags").and_then(Json::as_array);
        let whole = |value: &Json| u16::try_from(value.as_u64().unwrap()).unwrap();
        listed.into_iter().flatten().map(|pair| (whole(&pair[0]), whole(&pair[1]))).collect()
    }

    /// These tags are there and never have a value.
    fn bad_tags_mark(&self, key: &str) -> Mark {
        let bad = self.bad_tags();
        let cells = self.rows.iter().flat_map(|row| &row.cells);
        let cells = cells.filter(|cell| bad.contains(&(cell.tag.address, cell.tag.words)));
        let (mut all, mut without) = (0, 0);
        for cell in cells {
            all += 1;
            let is_bad = cell.quality.class == QualityClass::Bad && cell.number.is_none();
            without += usize::from(is_bad);
        }
        let measured = format!("{without} of {all} bad");
        Mark { key: key.to_owned(), measured, is_met: all > 0 && without == all }
    }

    /// What is not good is bad for this reason; a first row that waits for its answer may be.
    fn bad_reason(&self, key: &str, wanted: &str) -> Mark {
        let reasons = self.reasons();
        let others: Vec<String> = reasons
            .iter()
            .filter(|(reason, _)| reason.as_str() != wanted)
            .map(|(reason, times)| format!("{reason} {times}"))
            .collect();
        let times = reasons.get(wanted).copied().unwrap_or(0);
        let mut measured = format!("{wanted} {times}");
        if !others.is_empty() {
            measured = format!("{measured}, but {}", others.join(", "));
        }
        Mark { key: key.to_owned(), measured, is_met: times > 0 && others.is_empty() }
    }

    /// Reasons of what is not good, with their numbers.
    pub(crate) fn reasons(&self) -> BTreeMap<String, usize> {
        let mut reasons = BTreeMap::new();
        for cell in self.rows.iter().flat_map(|row| &row.cells) {
            if cell.quality.reason != Reason::None {
                *reasons.entry(cell.quality.reason.to_string()).or_insert(0) += 1;
            }
        }
        reasons
    }

    fn dead_units(&self) -> BTreeSet<u8> {
        self.scenario.deaths().iter().map(|death| death.unit).collect()
    }

    fn counter(&self, name: &str) -> f64 {
        self.stats["counters"][name].as_f64().unwrap_or(0.0)
    }

    /// Requests that are not those of the plan that was found in the end.
    fn settle_requests(&self) -> f64 {
        let last = self.journal.last().map_or(0, |asked| asked.wall);
        let key = |asked: &Asked| (asked.unit, asked.function, asked.address, asked.count);
        let settled_from = last - micros(3.0);
        let settled: BTreeSet<_> =
            self.journal.iter().filter(|asked| asked.wall >= settled_from).map(key).collect();
        count(self.journal.iter().filter(|asked| !settled.contains(&key(asked))).count())
    }
}

fn at_most(key: &str, measured: f64, limit: f64) -> Mark {
    Mark { key: key.to_owned(), measured: shown(measured, limit), is_met: measured <= limit }
}

fn at_least(key: &str, measured: f64, limit: f64) -> Mark {
    Mark { key: key.to_owned(), measured: shown(measured, limit), is_met: measured >= limit }
}

fn shown(measured: f64, limit: f64) -> String {
    format!("{} of {limit}", (measured * 1e5).round() / 1e5)
}

#[expect(clippy::cast_precision_loss, reason = "counts of a short run")]
fn count(number: usize) -> f64 {
    number as f64
}

#[expect(clippy::cast_precision_loss, reason = "spans of a short run")]
pub(crate) fn seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}

#[expect(clippy::cast_possible_truncation, reason = "spans of a short run")]
pub(crate) fn micros(seconds: f64) -> i64 {
    (seconds * 1e6) as i64
}
