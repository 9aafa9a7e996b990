//! Marks of time: intervals between requests, deaths and returns of units, ends of faults.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use signals::QualityClass;

use super::{Mark, RETURN_MS_MAX, Run, at_most, count, micros, seconds};
use crate::case::{Act, Death};
use crate::rig::{Cell, Row};

const MINUTE_S: f64 = 60.0;
/// Late intervals that are shown of a mark that is missed.
const LATE_SHOWN: usize = 12;

impl Run<'_> {
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
    pub(super) fn interval_error(&self) -> f64 {
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
    ///
    /// Over all of them, not of the worst unit: in 98 s at 1 s a unit has 97 intervals, and the
    /// 99th percentile of 97 is the longest of all. That one is told beside it.
    pub(super) fn live_intervals(&self, key: &str, limit_ms: f64) -> Mark {
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
        let p99 = p99_ms(spans.iter().map(|span| span.0));
        let mut mark = at_most(key, p99, limit_ms);
        let mut worst: BTreeMap<u8, Vec<i64>> = BTreeMap::new();
        for (span, _, unit) in &spans {
            worst.entry(*unit).or_default().push(*span);
        }
        let worst = worst.into_values().map(|spans| p99_ms(spans.into_iter())).fold(0.0, f64::max);
        mark.measured = format!("{}, worst unit {worst:.0}", mark.measured);
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
    pub(super) fn dead_per_minute(&self, key: &str, limit: f64) -> Mark {
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
    pub(super) fn bad_within(&self, key: &str, limit_ms: f64) -> Mark {
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
    pub(super) fn returned_ms(&self) -> Option<f64> {
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
}

/// 99th percentile of spans in rising order, in milliseconds.
fn p99_ms(spans: impl ExactSizeIterator<Item = i64>) -> f64 {
    let place = (spans.len() * 99).div_ceil(100).saturating_sub(1);
    let mut spans = spans;
    spans.nth(place).map_or(f64::INFINITY, |span| seconds(span) * 1000.0)
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
