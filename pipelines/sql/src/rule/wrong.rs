//! What is wrong with a rule's text: the place, the problem and the remedy.

use datafusion::sql::sqlparser::parser::ParserError;
use datafusion::sql::sqlparser::tokenizer::Span;

use super::{Part, RuleMistake};

/// Line and column of the first text in single quotes behind FROM.
pub(super) fn place_of_asset(sql: &str) -> Option<(u64, u64)> {
    let from = sql.to_ascii_lowercase().find("from")?;
    let (before, _) = sql.split_at_checked(from + sql.get(from..)?.find('\'')?)?;
    Some(end_of(before))
}

/// Line and column behind a text.
fn end_of(text: &str) -> (u64, u64) {
    let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    let last = text.rsplit('\n').next().unwrap_or_default();
    (count(text.matches('\n').count() + 1), count(last.chars().count() + 1))
}

pub(super) fn mistake(part: Part, span: Span, problem: &str, remedy: &str) -> RuleMistake {
    let at = (span.start.line > 0).then_some((span.start.line, span.start.column));
    RuleMistake { part, at, problem: problem.to_owned(), remedy: remedy.to_owned() }
}

/// What the parser says ends with the place: ` at Line: 1, Column: 23`.
pub(super) fn not_sql(part: Part, written: &str, err: ParserError) -> RuleMistake {
    let text = match err {
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => text,
        ParserError::RecursionLimitExceeded => "it is nested too deep".to_owned(),
    };
    let (problem, place) = text.split_once(" at Line: ").unwrap_or((&text, ""));
    let at = place.split_once(", Column: ").and_then(|(line, column)| {
        let column: String = column.chars().take_while(char::is_ascii_digit).collect();
        Some((line.parse().ok()?, column.parse().ok()?))
    });
    RuleMistake {
        part,
        // Where it ends too early, it has no place of its own.
        at: at.or_else(|| Some(end_of(written))),
        problem: format!("not SQL: {problem}"),
        remedy: "check the spelling there; quote names with \" and texts with '".to_owned(),
    }
}

/// `did you mean "x"?`, or else `otherwise`.
pub(super) fn offer(written: &str, names: &[String], otherwise: &str) -> String {
    let alike =
        names.iter().map(|name| (strsim::normalized_damerau_levenshtein(written, name), name));
    let best = alike.filter(|(alike, _)| *alike > 0.6).max_by(|(a, _), (b, _)| a.total_cmp(b));
    best.map_or_else(|| otherwise.to_owned(), |(_, name)| format!("did you mean \"{name}\"?"))
}
