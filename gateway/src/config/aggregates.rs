//! Checks of `[[aggregate]]`.

use std::time::Duration;

use pipelines_flow::aggregate::{LATENESS, STEPS_MAX, WindowSettings, WindowShape};
use pipelines_flow::window::{Function, QUANTILES_MAX};
use signals::{Mistake, duration};

use super::identity::span;
use super::nearest;
use super::raw::RawAggregate;

/// However short windows are, they may wait so long: steps of a clock do not become shorter.
const LATENESS_SHORT: Duration = Duration::from_secs(10);

pub(crate) fn check(raw: &[RawAggregate], mistakes: &mut Vec<Mistake>) -> Vec<WindowSettings> {
    let mut checked: Vec<(usize, WindowSettings)> = Vec::new();
    for (index, aggregate) in raw.iter().enumerate() {
        let mut found = Vec::new();
        let shape = shape(aggregate, &mut found);
        let functions = functions(aggregate.functions.as_deref(), &mut found);
        let twin = |shape| checked.iter().find(|(_, known)| known.shape == shape);
        if let Some((first, _)) = shape.and_then(twin) {
            let shown = [aggregate.window.as_deref(), aggregate.every.as_deref()];
            let shown = shown.into_iter().map(span);
            let shown: Vec<String> = shown.flatten().map(duration::show).collect();
            let problem =
                format!("{} is the window of aggregate[{first}] too", shown.join(" every "));
            found.push(Mistake::new("window", problem, "keep one of the two"));
        } else if let Some(shape) = shape {
            let lateness = span(aggregate.lateness.as_deref()).unwrap_or(LATENESS);
            if lateness > shape.length.max(LATENESS_SHORT) {
                let [late, window] = [lateness, shape.length].map(duration::show);
                let problem =
                    format!("windows of {window} would be kept for {late} after their end");
                let most = duration::show(shape.length.max(LATENESS_SHORT));
                found.push(Mistake::new("lateness", problem, format!("use at most {most}")));
            }
            checked.push((index, WindowSettings { shape, lateness, functions }));
        }
        mistakes.extend(found.into_iter().map(|m| m.below(&format!("aggregate[{index}]"))));
    }
    checked.into_iter().map(|(_, settings)| settings).collect()
}

/// Windows start at full hours, so only what divides an hour has windows of equal length.
fn shape(raw: &RawAggregate, mistakes: &mut Vec<Mistake>) -> Option<WindowShape> {
    let length = span(raw.window.as_deref())?;
    if !is_part(length, Duration::from_hours(1)) {
        let problem = format!("{} does not divide an hour", duration::show(length));
        let remedy = closest(length, Duration::from_hours(1));
        mistakes.push(Mistake::new("window", problem, remedy));
        return None;
    }
    let Some(every) = span(raw.every.as_deref()) else {
        return Some(WindowShape::tumbling(length));
    };
    if !is_part(every, length) {
        let (step, window) = (duration::show(every), duration::show(length));
        let problem = format!("{step} does not divide the window of {window}");
        mistakes.push(Mistake::new("every", problem, closest(every, length)));
        return None;
    }
    let steps = length.as_micros() / every.as_micros();
    if steps > u128::from(STEPS_MAX) {
        let problem = format!("{steps} windows would overlap at any time");
        let least = duration::show(length / STEPS_MAX);
        let remedy = format!("use at least {least}: {STEPS_MAX} steps of a window are kept");
        mistakes.push(Mistake::new("every", problem, remedy));
        return None;
    }
    Some(WindowShape { length, every })
}

/// What is told: the usual, or what is named.
fn functions(named: Option<&[String]>, mistakes: &mut Vec<Mistake>) -> Vec<Function> {
    let Some(named) = named else { return Function::USUAL.to_vec() };
    let mut wrong = |problem: String, remedy: String| {
        mistakes.push(Mistake::new("functions", problem, remedy));
    };
    let usual = Function::USUAL.map(|function| function.to_string());
    let words = || usual.iter().map(String::as_str);
    let mut functions: Vec<Function> = Vec::new();
    for name in named {
        match Function::parse(name) {
            Some(function) if functions.contains(&function) => {
                wrong(format!("\"{name}\" stands twice"), "take one of the two out".to_owned());
            }
            Some(function) => functions.push(function),
            None => {
                let problem = format!("\"{name}\" is no function of a window");
                let remedy = match nearest::nearest(name, words()) {
                    Some(meant) => format!("did you mean \"{meant}\"?"),
                    None => format!("{}, or a quantile: \"p95\"", nearest::offer(name, words())),
                };
                wrong(problem, remedy);
            }
        }
    }
    let quantiles = functions.iter().filter(|f| matches!(f, Function::Quantile(_))).count();
    if quantiles > QUANTILES_MAX {
        wrong(
            format!("{quantiles} quantiles are more than {QUANTILES_MAX}"),
            "take some out".to_owned(),
        );
    }
    if named.is_empty() {
        wrong("name nothing to tell".to_owned(), "name one, or leave the key out".to_owned());
    }
    functions
}

/// Whole seconds that go into `whole` without a rest.
fn is_part(part: Duration, whole: Duration) -> bool {
    part.subsec_nanos() == 0 && !part.is_zero() && whole.as_secs().is_multiple_of(part.as_secs())
}

fn closest(span: Duration, whole: Duration) -> String {
    let legal = |s: &u64| is_part(Duration::from_secs(*s), whole);
    let (seconds, most) = (span.as_secs(), whole.as_secs());
    let show = |s: u64| duration::show(Duration::from_secs(s));
    let below = (1..=seconds.min(most)).rev().find(legal).map(show);
    let above = (seconds.saturating_add(1)..=most).find(legal).map(show);
    match (below, above) {
        (Some(below), Some(above)) => format!("use {below} or {above}"),
        (Some(one), None) | (None, Some(one)) => format!("use {one}"),
        (None, None) => "use 1 s to 1 h".to_owned(),
    }
}
