//! Checks of `[[rule]]`.

use std::sync::Arc;
use std::time::Duration;

use pipelines_flow::aggregate::WindowSettings;
use pipelines_flow::trigger::TriggerSettings;
use pipelines_sql::rule::{Kind, Rule, RuleMistake, RuleSignals, RuleText, Window};
use signals::{Mistake, ValueType};

use super::detectors::Catalog;
use super::identity::{is_id, span};
use super::raw::{RawAlarm, RawDetector, RawRule};
use super::settings::{AlarmSettings, Priority, RuleSettings, RuleWords};

/// Rules there may be: with ten thousand signals a row a second, a tenth of a core.
const RULES_MAX: usize = 10_000;
/// Fast enough to tell a dead device soon, slow enough for signals that are read each ten seconds.
const AGE_MAX_DEFAULT: Duration = Duration::from_secs(30);

/// What is known when rules are checked.
pub(crate) struct Known<'a> {
    /// Signals of lines and buses.
    pub(crate) catalog: &'a Catalog,
    /// Detectors, whose scores are signals too.
    pub(crate) detectors: &'a [RawDetector],
    /// Windows of aggregates.
    pub(crate) windows: &'a [WindowSettings],
}

/// The rules without a mistake; the mistakes of the others.
pub(crate) fn check(
    raw: &[RawRule],
    known: &Known<'_>,
    mistakes: &mut Vec<Mistake>,
) -> Vec<RuleSettings> {
    if raw.len() > RULES_MAX {
        let problem = format!("{} rules are more than {RULES_MAX}", raw.len());
        let remedy = "make one rule of those that are alike, with OR";
        mistakes.push(Mistake::new(format!("rule[{RULES_MAX}]"), problem, remedy));
        return Vec::new();
    }
    let mut checked = Vec::with_capacity(raw.len());
    for (index, rule) in raw.iter().enumerate() {
        let mut found = Vec::new();
        checked.extend(one(rule, known, &mut found));
        mistakes.extend(found.into_iter().map(|m| m.below(&format!("rule[{index}]"))));
    }
    checked
}

fn one(raw: &RawRule, known: &Known<'_>, mistakes: &mut Vec<Mistake>) -> Option<RuleSettings> {
    let name = raw.name.clone().unwrap_or_default();
    if raw.name.is_some() && !is_id(&name) {
        let remedy = "use 1 to 64 letters, digits, - or _, starting with a letter or digit";
        mistakes.push(Mistake::new("name", format!("\"{name}\" is not a name"), remedy));
    }
    let alarm = raw.alarm.as_ref().map(alarm);
    if alarm.is_none() && raw.suppress.is_some() {
        let problem = "has no effect: the rule raises no alarm";
        mistakes.push(Mistake::new("suppress", problem, "add [rule.alarm], or take it out"));
    }
    let sql = raw.sql.clone()?;
    let (clear, suppress) = (raw.clear.clone(), raw.suppress.clone());
    let text = RuleText { sql: &sql, clear: clear.as_deref(), suppress: suppress.as_deref() };
    let plan = match Rule::plan(text, known) {
        Ok(plan) => Arc::new(plan),
        Err(found) => {
            mistakes.extend(found.into_iter().map(located));
            return None;
        }
    };
    let zero_or = |text: Option<&str>| span(text).unwrap_or(Duration::ZERO);
    let age_max = span(raw.age_max.as_deref()).unwrap_or(AGE_MAX_DEFAULT);
    let words = RuleWords {
        name,
        description: raw.description.clone(),
        sql,
        clear,
        suppress,
        trigger: TriggerSettings {
            on_for: zero_or(raw.r#for.as_deref()),
            off_for: zero_or(raw.clear_for.as_deref()),
            unknown_max: age_max,
        },
        alarm,
    };
    Some(RuleSettings { words, plan })
}

fn alarm(raw: &RawAlarm) -> AlarmSettings {
    AlarmSettings {
        priority: raw.priority.as_deref().and_then(Priority::named).unwrap_or_default(),
        message: raw.message.clone(),
        latches: raw.latched.unwrap_or(false),
        cause: raw.cause.clone(),
        consequence: raw.consequence.clone(),
        action: raw.action.clone(),
        respond_within: span(raw.respond_within.as_deref()),
    }
}

/// The file's own place is that of the text; where in the text it is stands in front.
fn located(mistake: RuleMistake) -> Mistake {
    let RuleMistake { part, at, problem, remedy } = mistake;
    let problem = match at {
        Some((1, column)) => format!("character {column}: {problem}"),
        Some((line, column)) => format!("line {line}, character {column}: {problem}"),
        None => problem,
    };
    Mistake::new(part.key(), problem, remedy)
}

impl Known<'_> {
    /// What a detector's scores are called, when `path` is one of them.
    fn is_score(&self, path: &str) -> Option<Kind> {
        let (detector, column) = path.strip_prefix("detector/")?.split_once('/')?;
        self.detectors.iter().find(|known| known.name.as_deref() == Some(detector))?;
        match column {
            "score" | "p" => Some(Kind::Number),
            "alarm" => Some(Kind::Truth),
            _ => None,
        }
    }
}

impl RuleSignals for Known<'_> {
    fn kind(&self, path: &str) -> Option<Kind> {
        if let Some(kind) = self.is_score(path) {
            return Some(kind);
        }
        match self.catalog.paths.get(path) {
            Some(Some(ValueType::Bool)) => Some(Kind::Truth),
            Some(Some(ValueType::Text)) => Some(Kind::Text),
            Some(Some(ValueType::Bytes)) => None,
            Some(_) => Some(Kind::Number),
            // Known only when all is right: not a mistake of the rule.
            None => self.catalog.has(path).then_some(Kind::Number),
        }
    }

    fn below(&self, prefix: &str) -> Vec<String> {
        let is_below = |path: &&String| {
            prefix.is_empty() || path.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('/'))
        };
        let scores = self.detectors.iter().filter_map(|detector| detector.name.as_deref());
        let scores: Vec<String> = scores.map(|name| format!("detector/{name}/score")).collect();
        let open = self.catalog.open.iter().map(|path| format!("{path}/…")).collect::<Vec<_>>();
        let all = self.catalog.paths.keys().chain(&scores).chain(&open);
        all.filter(is_below).cloned().collect()
    }

    fn windows(&self) -> Vec<Window> {
        let window = |settings: &WindowSettings| Window {
            name: settings.shape.label(),
            functions: settings.functions.iter().map(ToString::to_string).collect(),
        };
        self.windows.iter().map(window).collect()
    }
}
