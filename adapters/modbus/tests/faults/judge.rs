//! Pass marks: what each key of `expect` measures. A key that nobody measures fails its scenario.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;
use signals::{QualityClass, Reason};

use crate::case::{Act, Death, Scenario};
use crate::oracle::Asked;
use crate::rig::{Cell, Row};

/// A unit that answers again must be good within this, in milliseconds.
const RETURN_MS_MAX: f64 = 35_000.0;
const MINUTE_S: f64 = 60.0;
/// What a key that is not known gets.
const UNMEASURED: &str = "nobody measures this key";
/// Late intervals that are shown of a mark that is missed.
const LATE_SHOWN: usize = 12;

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

    /// The longest time without good values: after the end of each fault where the scenario says
    /// when that is, else from the first bad row to the next good one.
    pub(crate) fn recover_ms(&self) -> f64 {
        let repairs = self.repairs();
        let bad_tags = self.bad_tags();
        let is_good = |row: &Row| {
            let counts = |cell: &&Cell| !bad_tags.contains(&(cell.tag.address, cell.tag.words));
            row.cells.iter().filter(counts).all(|cell| cell.quality.is_good())
        };
        let mut tables: BTreeMap<_, Vec<&Row>> = BTreeMap::new();
        for row in self.rows {
            tables.entry((row.unit, row.period)).or_default().push(row);
        }
        let mut longest = if tables.is_empty() { seconds(self.ended - self.began) } else { 0.0 };
        for rows in tables.values() {
            for repair in &repairs {
                let next = rows.iter().find(|row| row.begin >= *repair && is_good(row));
                let back = next.map_or(self.ended, |row| row.ts);
                longest = f64::max(longest, seconds(back - repair));
            }
            let mut since = None;
            for row in rows.iter().filter(|_| repairs.is_empty()) {
                since = if is_good(row) { None } else { since.or(Some(row.ts)) };
                longest = f64::max(longest, since.map_or(0.0, |since| seconds(row.ts - since)));
                if since.is_none() {
                    continue;
                }
                let next = rows.iter().find(|later| later.ts > row.ts && is_good(later));
                let back = next.map_or(self.ended, |row| row.ts);
                longest = f64::max(longest, seconds(back - since.unwrap_or(back)));
            }
        }
        longest * 1000.0
    }

    /// Ends of faults.
    fn repairs(&self) -> Vec<i64> {
        let ends = self.scenario.rules.iter().filter_map(|rule| rule["when"]["to_s"].as_f64());
        let mut repairs: Vec<i64> = ends.map(|at_s| self.server_began + micros(at_s)).collect();
        for step in &self.scenario.script {
            let Act::Http(method, path, body) = &step.act else { continue };
            let heals = match path.as_str() {
                "/conn" => matches!(body["action"].as_str(), Some("accept" | "unblackhole")),
                "/faults" => method == "DELETE" || body.as_array().is_some_and(Vec::is_empty),
                _ => false,
            };
            if heals {
                repairs.push(self.began + micros(step.at.as_secs_f64()));
            }
        }
        let returned = self.scenario.deaths().into_iter().map(|death| death.returns_s);
        let returned = returned.filter(|at_s| at_s.is_finite());
        repairs.extend(returned.map(|at_s| self.began + micros(at_s)));
        repairs.retain(|at| *at < self.ended);
        repairs
    }

    fn dead_units(&self) -> BTreeSet<u8> {
        self.scenario.deaths().iter().map(|death| death.unit).collect()
    }

    fn counter(&self, name: &str) -> f64 {
        self.stats["counters"][name].as_f64().unwrap_or(0.0)
    }

    /// Arrivals of each request of the plan, by unit, function and registers.
    fn arrivals(&self) -> BTreeMap<(u8, u8, u16, u16), Vec<i64>> {
        let mut arrivals: BTreeMap<_, Vec<i64>> = BTreeMap::new();
        for asked in self.journal {
            let key = (asked.unit, asked.function, asked.address, asked.count);
            arrivals.entry(key).or_default().push(asked.wall);
        }
        arrivals
    }

    /// How far the mean interval of a request is from its period, as a share of it; the worst.
    fn interval_error(&self) -> f64 {
        let mut worst = 0.0;
        for ((unit, ..), walls) in self.arrivals() {
            let periods = self.rows.iter().filter(|row| row.unit == unit).map(|row| row.period);
            let Some(period) = periods.min() else { continue };
            let slots = seconds(self.ended - self.began) / period.as_secs_f64();
            // What was asked only while the plan was found out has no period.
            if count(walls.len()) < slots / 2.0 || walls.len() < 2 {
                continue;
            }
            let mean = mean_interval(&walls);
            worst = f64::max(worst, (mean / period.as_secs_f64() - 1.0).abs());
        }
        worst
    }

    /// 99th percentile of the intervals of all requests to live units.
    fn live_intervals(&self, key: &str, limit_ms: f64) -> Mark {
        let dead = self.dead_units();
        let slots = |unit: u8| {
            let period =
                self.rows.iter().filter(|row| row.unit == unit).map(|row| row.period).min();
            period
                .map_or(f64::MAX, |period| seconds(self.ended - self.began) / period.as_secs_f64())
        };
        let mut spans: Vec<(i64, i64, u8)> = Vec::new();
        for ((unit, ..), walls) in self.arrivals() {
            // What was asked only while the plan was found out has no period.
            if !dead.contains(&unit) && count(walls.len()) > slots(unit) / 2.0 {
                spans.extend(walls.windows(2).map(|pair| (pair[1] - pair[0], pair[1], unit)));
            }
        }
        spans.sort_unstable();
        let place = (spans.len() * 99).div_ceil(100).saturating_sub(1);
        let p99 = spans.get(place).map_or(f64::INFINITY, |span| seconds(span.0) * 1000.0);
        let mut mark = at_most(key, p99, limit_ms);
        if !mark.is_met {
            let late = spans.iter().rev().take(LATE_SHOWN).map(|(span, at, unit)| {
                let at_s = seconds(at - self.began);
                format!("unit {unit} {:.0} ms at {at_s:.1} s", seconds(*span) * 1000.0)
            });
            let late: Vec<String> = late.collect();
            mark.measured = format!("{} ({})", mark.measured, late.join(", "));
        }
        mark
    }

    /// The most requests to a dead unit in any minute, once it was found out to be dead.
    fn dead_per_minute(&self, key: &str, limit: f64) -> Mark {
        let grace = self.scenario.expect.get("bad_within_ms").and_then(Json::as_f64);
        let grace_s = grace.unwrap_or(3000.0) / 1000.0;
        let (mut most, mut seconds_of_most) = (0, Vec::new());
        for Death { unit, at_s, returns_s } in self.scenario.deaths() {
            let from = self.began + micros(at_s + grace_s);
            let to = self.began + micros(returns_s.min(seconds(self.ended - self.began)));
            let asked = self.journal.iter().filter(|asked| asked.unit == unit);
            let walls: Vec<i64> =
                asked.map(|asked| asked.wall).filter(|at| (from..to).contains(at)).collect();
            for (place, first) in walls.iter().enumerate() {
                let minute = walls[place..].iter().take_while(|at| **at < first + micros(MINUTE_S));
                let minute: Vec<i64> = minute.copied().collect();
                if minute.len() > most {
                    most = minute.len();
                    seconds_of_most = minute;
                }
            }
        }
        let at = |at: &i64| format!("{:.1}", seconds(at - self.began));
        let at: Vec<String> = seconds_of_most.iter().map(at).collect();
        let mut mark = at_most(key, count(most), limit);
        mark.measured = format!("{} (at {} s)", mark.measured, at.join(", "));
        mark
    }

    /// From this many milliseconds after its death on, a dead unit has no good value.
    fn bad_within(&self, key: &str, limit_ms: f64) -> Mark {
        let (mut late_good, mut bad, mut slowest) = (0, 0, 0.0_f64);
        for Death { unit, at_s, returns_s } in self.scenario.deaths() {
            let died = self.began + micros(at_s);
            let returns = self.began + micros(returns_s.min(seconds(self.ended - self.began)));
            let rows = self.rows.iter().filter(|row| row.unit == unit);
            let rows: Vec<&Row> =
                rows.filter(|row| row.begin >= died && row.end < returns).collect();
            let is_bad =
                |row: &&&Row| row.cells.iter().all(|cell| cell.quality.class == QualityClass::Bad);
            bad += rows.iter().filter(is_bad).count();
            let first = rows.iter().find(is_bad).map_or(returns, |row| row.ts);
            slowest = slowest.max(seconds(first - died) * 1000.0);
            let after = rows.iter().filter(|row| row.ts > died + micros(limit_ms / 1000.0));
            late_good += after.filter(|row| !is_bad(row)).count();
        }
        let measured = format!("{slowest:.0}, {bad} bad rows, {late_good} good after");
        Mark {
            key: key.to_owned(),
            measured,
            is_met: slowest <= limit_ms && late_good == 0 && bad > 0,
        }
    }

    /// The slowest return of a dead unit, if one returned for good.
    fn returned_ms(&self) -> Option<f64> {
        let deaths = self.scenario.deaths();
        let mut slowest = None;
        for death in deaths.iter().filter(|death| death.returns_s.is_finite()) {
            let dies_again = |other: &Death| {
                other.unit == death.unit
                    && other.at_s > death.at_s
                    && other.at_s < death.returns_s + RETURN_MS_MAX / 1000.0
            };
            let returned = self.began + micros(death.returns_s);
            if deaths.iter().any(dies_again)
                || returned + micros(RETURN_MS_MAX / 1000.0) > self.ended
            {
                continue;
            }
            let mut rows = self.rows.iter().filter(|row| row.unit == death.unit);
            let is_back = |row: &&Row| {
                row.ts >= returned && row.cells.iter().all(|cell| cell.quality.is_good())
            };
            let back = rows.find(is_back).map_or(self.ended, |row| row.ts);
            let ms = seconds(back - returned) * 1000.0;
            slowest = Some(slowest.map_or(ms, |slowest: f64| slowest.max(ms)));
        }
        slowest
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

/// Seconds between arrivals: the median of the slopes between any two of them (Theil and Sen), which
/// some late arrivals do not turn.
fn mean_interval(arrivals: &[i64]) -> f64 {
    let mut slopes = Vec::new();
    for (first, at) in arrivals.iter().enumerate() {
        let later = arrivals.iter().enumerate().skip(first + 1);
        slopes.extend(later.map(|(last, end)| seconds(end - at) / count(last - first)));
    }
    slopes.sort_by(f64::total_cmp);
    slopes[slopes.len() / 2]
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
