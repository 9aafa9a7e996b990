//! Checks of `[[detector]]`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use signals::{Mistake, ValueType};

use super::identity::{is_id, span};
use super::nearest::offer;
use super::raw::RawDetector;
use super::schema::FAMILIES;
use super::settings::DetectorSettings;

/// One false alarm a week is what operators bear without switching a detector off.
const BUDGET_PER_WEEK_DEFAULT: f64 = 1.0;
/// Most process signals are slow; a row a second is what the models were proven on.
const EVERY_DEFAULT: Duration = Duration::from_secs(1);
/// More signals than this are two assets.
const SIGNALS_MAX: usize = 64;
/// The paths detectors may name.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    /// Paths of signals known by name, with the type of their values as far as it is known.
    pub(crate) paths: BTreeMap<String, Option<ValueType>>,
    /// Paths below which there may be signals that only the first frame makes known.
    pub(crate) open: Vec<String>,
}

impl Catalog {
    /// Whether there is, or may be, such a signal.
    pub(crate) fn has(&self, path: &str) -> bool {
        let below = |open: &String| {
            path.strip_prefix(open.as_str()).is_some_and(|rest| rest.starts_with('/'))
        };
        self.paths.contains_key(path) || self.open.iter().any(below)
    }
}

pub(crate) fn check(
    raw: &[RawDetector],
    catalog: &Catalog,
    mistakes: &mut Vec<Mistake>,
) -> Vec<DetectorSettings> {
    let mut checked = Vec::with_capacity(raw.len());
    for (index, detector) in raw.iter().enumerate() {
        let mut found = Vec::new();
        checked.push(one(detector, catalog, &mut found));
        mistakes.extend(found.into_iter().map(|m| m.below(&format!("detector[{index}]"))));
    }
    checked
}

fn one(raw: &RawDetector, catalog: &Catalog, mistakes: &mut Vec<Mistake>) -> DetectorSettings {
    let name = raw.name.clone().unwrap_or_default();
    if raw.name.is_some() && !is_id(&name) {
        let remedy = "use 1 to 64 letters, digits, - or _, starting with a letter or digit";
        mistakes.push(Mistake::new("name", format!("\"{name}\" is not a name"), remedy));
    }
    signals(&raw.signals, catalog, mistakes);
    let budget_per_week = raw.budget_per_week.unwrap_or(BUDGET_PER_WEEK_DEFAULT);
    if budget_per_week <= 0.0 {
        let problem = format!("{budget_per_week} would allow no alarm at all");
        let remedy = "use more than 0; 0.25 is one false alarm in four weeks";
        mistakes.push(Mistake::new("budget_per_week", problem, remedy));
    }
    let every = span(raw.every.as_deref()).unwrap_or(EVERY_DEFAULT);
    DetectorSettings {
        name,
        family: raw
            .family
            .clone()
            .or_else(|| FAMILIES.first().map(|&f| f.to_owned()))
            .unwrap_or_default(),
        signals: raw.signals.clone(),
        budget_per_week,
        every,
    }
}

fn signals(paths: &[String], catalog: &Catalog, mistakes: &mut Vec<Mistake>) {
    let mut seen = BTreeSet::new();
    for (index, path) in paths.iter().enumerate() {
        let key = format!("signals[{index}]");
        if !seen.insert(path) {
            let problem = format!("\"{path}\" is listed twice");
            mistakes.push(Mistake::new(key, problem, "keep one of the two"));
        } else if !catalog.has(path) {
            let remedy = offer(path, catalog.paths.keys().map(String::as_str));
            mistakes.push(Mistake::new(key, format!("there is no signal \"{path}\""), remedy));
        } else if catalog.paths.get(path).is_some_and(|kind| kind.is_some_and(|k| !k.is_numeric()))
        {
            let problem = format!("\"{path}\" is text, and a detector needs numbers");
            mistakes.push(Mistake::new(key, problem, "take it out"));
        }
    }
    if seen.len() < 2 {
        let problem = format!("{} is too few: it watches how signals move together", seen.len());
        mistakes.push(Mistake::new("signals", problem, "list at least 2"));
    }
    if seen.len() > SIGNALS_MAX {
        let problem = format!("{} signals are too many for one detector", seen.len());
        let remedy = format!("split it by asset, at most {SIGNALS_MAX} in each");
        mistakes.push(Mistake::new("signals", problem, remedy));
    }
}
