//! Checks of `[[reduction]]`.

use std::time::Duration;

use pipelines_flow::forward::Rules;
use pipelines_flow::reduce::{Method, Rule};
use signals::Mistake;

use super::detectors::Catalog;
use super::identity::span;
use super::nearest::offer;
use super::raw::RawReduction;

/// A signal that stands still is seen so often.
const HEARTBEAT_DEFAULT: Duration = Duration::from_mins(10);

pub(crate) fn check(raw: &[RawReduction], catalog: &Catalog, mistakes: &mut Vec<Mistake>) -> Rules {
    let mut rules = Rules::new();
    for (index, reduction) in raw.iter().enumerate() {
        let mut found = Vec::new();
        let rule = rule(reduction, &mut found);
        signals(&reduction.signals, catalog, (&mut rules, rule), &mut found);
        mistakes.extend(found.into_iter().map(|m| m.below(&format!("reduction[{index}]"))));
    }
    rules
}

fn rule(raw: &RawReduction, mistakes: &mut Vec<Mistake>) -> Rule {
    let error = raw.error.unwrap_or_default();
    if error < 0.0 {
        let remedy = "use 0 or more, in the unit of the signals";
        mistakes.push(Mistake::new("error", format!("{error} is below 0"), remedy));
    }
    let method = match raw.method.as_deref() {
        Some("swinging_door") => Method::SwingingDoor,
        Some(_) | None => Method::Deadband,
    };
    Rule { method, error, heartbeat: span(raw.heartbeat.as_deref()).unwrap_or(HEARTBEAT_DEFAULT) }
}

fn signals(
    paths: &[String],
    catalog: &Catalog,
    (rules, rule): (&mut Rules, Rule),
    mistakes: &mut Vec<Mistake>,
) {
    for (index, path) in paths.iter().enumerate() {
        let mut wrong = |problem: String, remedy: &str| {
            mistakes.push(Mistake::new(format!("signals[{index}]"), problem, remedy));
        };
        let kind = catalog.paths.get(path).copied().flatten();
        if rules.contains_key(path) {
            wrong(format!("\"{path}\" is reduced already"), "keep one of the two");
        } else if !catalog.has(path) {
            let remedy = offer(path, catalog.paths.keys().map(String::as_str));
            wrong(format!("there is no signal \"{path}\""), &remedy);
        } else if kind.is_some_and(|kind| !kind.is_numeric()) {
            wrong(format!("\"{path}\" is text, and has no error"), "take it out");
        } else {
            rules.insert(path.clone(), rule);
        }
    }
    if paths.is_empty() {
        mistakes.push(Mistake::new("signals", "names no signal", "list at least one"));
    }
}
