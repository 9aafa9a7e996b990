//! What a check has found so far, and the questions every check asks.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use signals::{Mistake, duration};

/// Collects mistakes below one key.
pub(super) struct Notes<'a> {
    list: &'a mut Vec<Mistake>,
    at: String,
}

impl<'a> Notes<'a> {
    pub(super) fn new(list: &'a mut Vec<Mistake>, at: impl Into<String>) -> Self {
        Self { list, at: at.into() }
    }

    /// Notes below a key of this element.
    pub(super) fn below(&mut self, key: &str) -> Notes<'_> {
        let at = self.key(key);
        Notes { list: self.list, at }
    }

    pub(super) fn add(&mut self, key: &str, problem: impl Into<String>, remedy: impl Into<String>) {
        let key = self.key(key);
        self.list.push(Mistake::new(key, problem, remedy));
    }

    /// Mistakes whose keys stand from the top.
    pub(super) fn extend(&mut self, mistakes: impl IntoIterator<Item = Mistake>) {
        self.list.extend(mistakes);
    }

    /// The text at `key`, which must be there and not be blank.
    pub(super) fn required(
        &mut self,
        key: &str,
        text: Option<String>,
        remedy: &str,
    ) -> Option<String> {
        let text = text.filter(|text| !text.trim().is_empty());
        if text.is_none() {
            self.add(key, "is missing", remedy);
        }
        text
    }

    /// The duration at `key`, within `limits`; `None` when it is not there or wrong.
    pub(super) fn duration(
        &mut self,
        key: &str,
        text: Option<&str>,
        limits: RangeInclusive<Duration>,
    ) -> Option<Duration> {
        let text = text?;
        match duration::parse(text) {
            Ok(span) if limits.contains(&span) => return Some(span),
            Ok(_) => {
                let (low, high) = (duration::show(*limits.start()), duration::show(*limits.end()));
                let problem = format!("\"{text}\" is out of range");
                self.add(key, problem, format!("write a time from {low} to {high}"));
            }
            Err(problem) => {
                let (what, remedy) = problem.split_once("; ").unwrap_or((&problem, "write `1 s`"));
                self.add(key, what, remedy);
            }
        }
        None
    }

    /// The number at `key`, within `limits`; `None` when it is not there or wrong.
    pub(super) fn number(
        &mut self,
        key: &str,
        number: Option<i64>,
        limits: RangeInclusive<u16>,
    ) -> Option<u16> {
        let number = number?;
        let fitting = u16::try_from(number).ok().filter(|number| limits.contains(number));
        if fitting.is_none() {
            let remedy = format!("write a number from {} to {}", limits.start(), limits.end());
            self.add(key, format!("{number} is out of range"), remedy);
        }
        fitting
    }

    fn key(&self, key: &str) -> String {
        match (self.at.as_str(), key) {
            ("", key) => key.to_owned(),
            (at, "") => at.to_owned(),
            (at, key) => format!("{at}.{key}"),
        }
    }
}

/// What to do about a name that is none of `names`: the nearest one, or all of them.
pub(crate) fn nearest<N: AsRef<str> + Display>(
    name: &str,
    names: impl IntoIterator<Item = N>,
) -> String {
    let names: Vec<String> = names.into_iter().map(|name| name.to_string()).collect();
    let lower = name.to_lowercase();
    let close = names
        .iter()
        .map(|known| (strsim::damerau_levenshtein(&lower, &known.to_lowercase()), known))
        .filter(|(distance, known)| *distance <= known.len().max(3) / 2)
        .min_by_key(|(distance, _)| *distance);
    match close {
        Some((_, known)) => format!("did you mean \"{known}\"?"),
        None if names.is_empty() => "there is none yet; add one".to_owned(),
        None => format!("use one of {}", names.join(", ")),
    }
}
