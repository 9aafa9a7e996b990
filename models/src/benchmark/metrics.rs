//! How good scores and alarms are, against labels: range-aware precision and recall, pointwise
//! errors, events. Never point-adjusted.

#![expect(
    clippy::indexing_slicing,
    reason = "every index comes from the length of the list it goes into"
)]

use signals::Timestamp;

/// Widest range around an event in which a score still counts in part, in rows.
pub const VUS_ROWS: usize = 100;
/// Thresholds at which precision and recall are taken, spaced by rank.
const THRESHOLDS: usize = 250;
/// Alarms closer than this are one episode.
const MERGED_S: f64 = 60.0;

/// First and last row of each stretch of `true`.
#[must_use]
pub fn stretches(flags: &[bool]) -> Vec<(usize, usize)> {
    let mut found: Vec<(usize, usize)> = Vec::new();
    for (row, _) in flags.iter().enumerate().filter(|(_, flag)| **flag) {
        match found.last_mut().filter(|(_, last)| last + 1 == row) {
            Some((_, last)) => *last = row,
            None => found.push((row, row)),
        }
    }
    found
}

/// Volume under the surface of range-aware precision and recall (Paparrizos et al., PVLDB 15,
/// 2022), over ranges of 0..=`rows_max` rows. `None` without an event or without anything else.
#[must_use]
pub fn vus_pr(scores: &[f64], labels: &[bool], rows_max: usize) -> Option<f64> {
    let events = stretches(labels);
    if events.is_empty() || labels.iter().all(|label| *label) {
        return None;
    }
    let surface = Surface::new(scores, labels, events, rows_max);
    let areas = (0..=rows_max).map(|range| surface.area(range));
    Some(areas.sum::<f64>() / crate::real(rows_max + 1))
}

struct Surface<'a> {
    scores: &'a [f64],
    labels: &'a [bool],
    events: Vec<(usize, usize)>,
    /// Rows by falling score.
    order: Vec<usize>,
    thresholds: Vec<f64>,
    /// Rows at or above each threshold.
    above: Vec<usize>,
    /// Rows within the widest range around an event.
    near: Vec<bool>,
}

impl<'a> Surface<'a> {
    fn new(
        scores: &'a [f64],
        labels: &'a [bool],
        events: Vec<(usize, usize)>,
        rows_max: usize,
    ) -> Self {
        let count = scores.len();
        let mut order: Vec<usize> = (0..count).collect();
        order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b)));
        let falling: Vec<f64> = order.iter().map(|&row| scores[row]).collect();
        let rank = |place: usize| place * (count - 1) / (THRESHOLDS - 1);
        let thresholds: Vec<f64> = (0..THRESHOLDS).map(|place| falling[rank(place)]).collect();
        let above = |threshold: &f64| falling.partition_point(|score| score >= threshold);
        let above = thresholds.iter().map(above).collect();
        let mut surface =
            Self { scores, labels, events, order, thresholds, above, near: vec![false; count] };
        for (from, to) in surface.merged(rows_max) {
            surface.near[from..=to].fill(true);
        }
        surface
    }

    /// Events with half a range on either side; those that meet are one.
    fn merged(&self, range: usize) -> Vec<(usize, usize)> {
        let half = range / 2;
        let last = self.labels.len() - 1;
        let mut found: Vec<(usize, usize)> = Vec::new();
        for (from, to) in &self.events {
            let (wide_from, wide_to) = (from.saturating_sub(half), (to + half).min(last));
            match found.last_mut().filter(|(_, end)| *end >= wide_from) {
                Some((_, end)) => *end = wide_to,
                None => found.push((wide_from, wide_to)),
            }
        }
        found
    }

    /// How much each row counts as part of an event.
    fn weights(&self, range: usize) -> Vec<f64> {
        let count = self.labels.len();
        let mut weights: Vec<f64> =
            self.labels.iter().map(|label| f64::from(u8::from(*label))).collect();
        let half = range / 2;
        let slope = |away: usize| (1.0 - crate::real(away) / crate::real(range)).sqrt();
        for (from, to) in &self.events {
            for away in 1..=half {
                if to + away < count {
                    weights[to + away] += slope(away);
                }
                if let Some(row) = from.checked_sub(away) {
                    weights[row] += slope(away);
                }
            }
        }
        for (weight, near) in weights.iter_mut().zip(&self.near) {
            *weight = if *near { weight.min(1.0) } else { 0.0 };
        }
        weights
    }

    /// Area under precision and recall for one range.
    fn area(&self, range: usize) -> f64 {
        let weights = self.weights(range);
        let (mut hits, mut soft) = (vec![0.0], vec![0.0]);
        for &row in &self.order {
            hits.push(hits[hits.len() - 1] + weights[row]);
            let extra = if self.labels[row] { 0.0 } else { weights[row] };
            soft.push(soft[soft.len() - 1] + extra);
        }
        let positives = crate::real(self.labels.iter().filter(|label| **label).count());
        let peak = |(from, to): &(usize, usize)| {
            self.scores[*from..=*to].iter().copied().fold(f64::NEG_INFINITY, f64::max)
        };
        let peaks: Vec<f64> = self.merged(range).iter().map(peak).collect();
        let (mut area, mut before) = (0.0, 0.0);
        for (threshold, above) in self.thresholds.iter().zip(&self.above) {
            let seen = peaks.iter().filter(|peak| *peak >= threshold).count();
            let existence = crate::real(seen) / crate::real(peaks.len());
            let recall = (hits[*above] / (positives + 0.5 * soft[*above])).min(1.0) * existence;
            area += (recall - before) * hits[*above] / crate::real(*above);
            before = recall;
        }
        area
    }
}

/// Area under the pointwise curve of precision and recall; `None` without a labelled row.
#[must_use]
pub fn average_precision(scores: &[f64], labels: &[bool]) -> Option<f64> {
    let positives = labels.iter().filter(|label| **label).count();
    if positives == 0 {
        return None;
    }
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
    let (mut area, mut hits, mut before) = (0.0, 0_usize, 0.0);
    for (place, &row) in order.iter().enumerate() {
        hits += usize::from(labels[row]);
        let next = order.get(place + 1).map(|&row| scores[row]);
        if next.is_some_and(|next| next.total_cmp(&scores[row]).is_eq()) {
            continue;
        }
        let recall = crate::real(hits) / crate::real(positives);
        area += (recall - before) * crate::real(hits) / crate::real(place + 1);
        before = recall;
    }
    Some(area)
}

/// Rows by what was said and what was so.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Points {
    /// Said and so.
    pub hits: usize,
    /// Said, not so.
    pub false_alarms: usize,
    /// Not said, but so.
    pub missed: usize,
    /// Neither.
    pub quiet: usize,
}

impl Points {
    /// Counts the rows of one recording in.
    pub fn add(&mut self, alarms: &[bool], labels: &[bool]) {
        for pair in alarms.iter().zip(labels) {
            match pair {
                (true, true) => self.hits += 1,
                (true, false) => self.false_alarms += 1,
                (false, true) => self.missed += 1,
                (false, false) => self.quiet += 1,
            }
        }
    }

    /// Harmonic mean of precision and recall, 0..=1.
    #[must_use]
    pub fn f1(&self) -> f64 {
        let wrong = crate::real(self.false_alarms + self.missed);
        crate::real(self.hits) / (crate::real(self.hits) + wrong / 2.0).max(1e-9)
    }

    /// Part of the normal rows with an alarm, in percent.
    #[must_use]
    pub fn false_alarm_percent(&self) -> f64 {
        percent(self.false_alarms, self.false_alarms + self.quiet)
    }

    /// Part of the labelled rows without an alarm, in percent.
    #[must_use]
    pub fn missed_percent(&self) -> f64 {
        percent(self.missed, self.missed + self.hits)
    }
}

/// `part` of `whole` in percent; 0 of nothing.
#[must_use]
pub fn percent(part: usize, whole: usize) -> f64 {
    100.0 * crate::real(part) / crate::real(whole.max(1))
}

/// Events and episodes of alarms of one or several recordings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Events {
    /// Labelled events.
    pub events: usize,
    /// Events in which an episode starts.
    pub hits: usize,
    /// Episodes that start in no event.
    pub false_episodes: usize,
    /// Seconds from each hit event's start to its first episode.
    pub delays_s: Vec<f64>,
}

impl Events {
    /// Counts one recording in. An alarm that already stands when an event begins is no hit.
    pub fn add(&mut self, ts: &[Timestamp], alarms: &[bool], labels: &[bool]) {
        let second = |row: usize| crate::micros(ts[row]) / 1e6;
        let mut starts: Vec<f64> = Vec::new();
        let mut last = f64::NEG_INFINITY;
        for (row, _) in alarms.iter().enumerate().filter(|(_, alarm)| **alarm) {
            if second(row) - last > MERGED_S.max(1.5 * period_s(ts)) {
                starts.push(second(row));
            }
            last = second(row);
        }
        let mut used = vec![false; starts.len()];
        for (from, to) in stretches(labels) {
            self.events += 1;
            let inside = |start: &f64| *start >= second(from) && *start <= second(to);
            let mut first = None;
            for (place, start) in starts.iter().enumerate().filter(|(_, start)| inside(start)) {
                used[place] = true;
                first = first.or(Some(start - second(from)));
            }
            self.hits += usize::from(first.is_some());
            self.delays_s.extend(first);
        }
        self.false_episodes += used.iter().filter(|used| !**used).count();
    }

    /// Median delay of the events that were hit.
    #[must_use]
    pub fn delay_s(&self) -> Option<f64> {
        let mut delays = self.delays_s.clone();
        delays.sort_unstable_by(f64::total_cmp);
        crate::scaling::quantile(&delays, 0.5)
    }
}

/// Median distance of rows in seconds.
fn period_s(ts: &[Timestamp]) -> f64 {
    let pairs = ts.iter().zip(ts.iter().skip(1));
    let mut steps: Vec<f64> = pairs.map(|(a, b)| crate::micros(*b) - crate::micros(*a)).collect();
    steps.sort_unstable_by(f64::total_cmp);
    crate::scaling::quantile(&steps, 0.5).map_or(1.0, |step| step / 1e6)
}

#[cfg(test)]
mod tests;
