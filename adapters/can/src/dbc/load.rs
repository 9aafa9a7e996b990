//! Reads the statements of a database one by one with `can-dbc`.

use std::borrow::Cow;

use can_dbc::Dbc;

use super::about::About;
use super::lint::{LintSeverity, Lints, Place};
use super::split::{Statement, split};
use crate::frame::{EXTENDED_ID_MAX, STANDARD_ID_MAX};

/// Bit 31 of an identifier in a database: 29 bits.
const EXTENDED_FLAG: u32 = 0x8000_0000;
/// Signals that belong to no message stand under this name; its identifier is nobody's.
const INDEPENDENT_SIGNALS: &str = "VECTOR__INDEPENDENT_SIG_MSG";
/// What stands where no node is meant; its absence is forgiven.
const NO_NODE: &str = " Vector__XXX\n";

/// Attributes that matter here; values of others are not even parsed, as files may hold 100,000.
const ATTRIBUTES: [&str; 5] = [
    "VFrameFormat",
    "ProtocolType",
    "GenMsgCycleTime",
    "SystemMessageLongSymbol",
    "SystemSignalLongSymbol",
];

/// Everything read from a file that the build needs.
#[derive(Default)]
pub(super) struct Statements {
    pub(super) messages: Vec<RawMessage>,
    pub(super) about: About,
    pub(super) lint: Lints,
    /// Statements with a known keyword.
    pub(super) recognised: usize,
}

/// A message as read, with what `can-dbc` does not keep.
pub(super) struct RawMessage {
    pub(super) line: u32,
    pub(super) message: can_dbc::Message,
    /// Per signal: its line, and whether its multiplexer mark is a bare `m`.
    pub(super) marks: Vec<(u32, bool)>,
}

/// Reads all statements of a file.
pub(super) fn statements(file: &str, text: &str) -> Statements {
    let mut read = Statements::default();
    for statement in split(text) {
        let place = Place::line(file, statement.line);
        if !statement.keyword.is_empty() {
            read.recognised += 1;
        }
        match statement.keyword {
            "BO_" => message(&mut read, file, statement),
            "SG_" => read.lint.add(
                LintSeverity::Error,
                place,
                "a signal outside of any message is left out",
            ),
            "" => read.lint.add(
                LintSeverity::Warning,
                place,
                format!("`{}` is no DBC statement and is left out", shortened(statement.text)),
            ),
            "BA_" if !ATTRIBUTES.iter().any(|name| statement.text.contains(name)) => {}
            "BA_" | "BA_DEF_" | "BA_DEF_DEF_" | "CM_" | "SG_MUL_VAL_" | "SIG_VALTYPE_" | "VAL_" => {
                other(&mut read, place, statement);
            }
            // The remaining sections say nothing about how to decode.
            _ => {}
        }
    }
    read
}

fn other(read: &mut Statements, place: Place<'_>, statement: Statement<'_>) {
    let text = match with_legal_id(statement) {
        Id::Kept => Cow::Borrowed(statement.text),
        Id::Extended(text) => Cow::Owned(text),
        // The message has been reported.
        Id::Impossible(_) => return,
    };
    match parse(&text) {
        Ok(dbc) => read.about.take(statement.line, dbc),
        Err(why) => {
            let text = format!("{} statement is left out: {why}", statement.keyword);
            read.lint.add(LintSeverity::Warning, place, text);
        }
    }
}

fn message(read: &mut Statements, file: &str, statement: Statement<'_>) {
    let place = Place::line(file, statement.line);
    if statement
        .text
        .split_ascii_whitespace()
        .nth(2)
        .is_some_and(|name| name.trim_end_matches(':') == INDEPENDENT_SIGNALS)
    {
        read.lint.add(LintSeverity::Note, place, "signals that belong to no message are left out");
        return;
    }
    let text = match with_legal_id(statement) {
        Id::Kept => Cow::Borrowed(statement.text),
        Id::Extended(text) => {
            let note = "the identifier is above 0x7FF without bit 31; taken as a 29-bit identifier";
            read.lint.add(LintSeverity::Warning, place, note);
            Cow::Owned(text)
        }
        Id::Impossible(id) => {
            let note = format!("identifier {id} has more than 29 bits; the message is left out");
            read.lint.add(LintSeverity::Error, place, note);
            return;
        }
    };
    let mut lines = statement.text.lines().zip(statement.line..);
    let header = lines.next().map_or("", |(line, _)| line);
    let header = match &text {
        Cow::Borrowed(_) => header,
        Cow::Owned(text) => text.lines().next().unwrap_or(header),
    };
    let signals: Vec<(&str, u32)> =
        lines.filter(|(line, _)| line.trim_start().starts_with("SG_")).collect();
    let marks = signals.iter().map(|(line, at)| (*at, has_bare_mark(line))).collect::<Vec<_>>();
    let whole = parse(&text).ok().and_then(|dbc| dbc.messages.into_iter().next());
    match whole {
        Some(message) if message.signals.len() == marks.len() => {
            read.messages.push(RawMessage { line: statement.line, message, marks });
        }
        Some(_) | None => line_by_line(read, place, header, &signals),
    }
}

/// Reads a message of which not every line is good.
fn line_by_line(read: &mut Statements, place: Place<'_>, header: &str, signals: &[(&str, u32)]) {
    let head = match parse_or_complete(header) {
        Ok(dbc) => dbc.messages.into_iter().next(),
        Err(why) => {
            let text = format!("the message is left out: {why}");
            read.lint.add(LintSeverity::Error, place, text);
            return;
        }
    };
    let Some(mut message) = head else { return };
    let mut marks = Vec::with_capacity(signals.len());
    for (line, at) in signals {
        let parsed = parse_or_complete(&format!("BO_ 0 _: 8 Vector__XXX\n{line}"));
        let signal = parsed.map(|dbc| dbc.messages.into_iter().flat_map(|m| m.signals).next());
        match signal {
            Ok(Some(signal)) => {
                message.signals.push(signal);
                marks.push((*at, has_bare_mark(line)));
            }
            Ok(None) => {}
            Err(why) => {
                let place = Place { line: *at, message: &message.name, ..place };
                let text = format!("the signal is left out: {why}");
                read.lint.add(LintSeverity::Error, place, text);
            }
        }
    }
    read.messages.push(RawMessage { line: place.line, message, marks });
}

/// Parses a line that may lack the node at its end.
fn parse_or_complete(text: &str) -> Result<Dbc, String> {
    parse(text).or_else(|why| parse(&format!("{}{NO_NODE}", text.trim_end())).map_err(|_| why))
}

fn parse(text: &str) -> Result<Dbc, String> {
    let ended =
        if text.ends_with('\n') { Cow::Borrowed(text) } else { Cow::Owned(format!("{text}\n")) };
    Dbc::try_from(&*ended).map_err(|error| {
        let text = error.to_string();
        let why = text.lines().rev().find_map(|line| line.trim().strip_prefix("= "));
        shortened(why.unwrap_or(&text)).into_owned()
    })
}

/// Whether the multiplexer mark is `m` without a number, which `can-dbc` reports as none.
fn has_bare_mark(line: &str) -> bool {
    let before = line.split(':').next().unwrap_or_default();
    before.split_ascii_whitespace().nth(2) == Some("m")
}

enum Id {
    /// Nothing to do.
    Kept,
    /// The statement with bit 31 of its identifier set.
    Extended(String),
    /// The identifier cannot be one.
    Impossible(u64),
}

/// `can-dbc` cuts an identifier above 0x7FF without bit 31 to 16 bits, so bit 31 is set here.
fn with_legal_id(statement: Statement<'_>) -> Id {
    let Some((start, end)) = find_id(statement) else { return Id::Kept };
    let digits = statement.text.get(start..end).unwrap_or_default();
    let Ok(id) = digits.parse::<u64>() else { return Id::Impossible(u64::MAX) };
    let low = id & !u64::from(EXTENDED_FLAG);
    if id > u64::from(u32::MAX) || low > u64::from(EXTENDED_ID_MAX) {
        return Id::Impossible(id);
    }
    if id != low || id <= u64::from(STANDARD_ID_MAX) {
        return Id::Kept;
    }
    let before = statement.text.get(..start).unwrap_or_default();
    let after = statement.text.get(end..).unwrap_or_default();
    Id::Extended(format!("{before}{}{after}", id | u64::from(EXTENDED_FLAG)))
}

/// Where in the statement the identifier of a message stands, as a range of bytes.
fn find_id(statement: Statement<'_>) -> Option<(usize, usize)> {
    let text = statement.text;
    let mut rest = text.trim_start().strip_prefix(statement.keyword)?.trim_start();
    if statement.keyword == "BA_" {
        rest = rest.strip_prefix('"')?.split_once('"')?.1.trim_start();
    }
    let object = ["BO_", "SG_"].iter().find_map(|object| rest.strip_prefix(object));
    rest = match (object, statement.keyword) {
        (Some(rest), "BA_" | "CM_") => rest.trim_start(),
        (None, "BA_") | (Some(_), _) => return None,
        (None, _) => rest,
    };
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let start = text.len() - rest.len();
    (digits > 0).then_some((start, start + digits))
}

fn shortened(text: &str) -> Cow<'_, str> {
    let line = text.trim().lines().next().unwrap_or_default();
    match line.char_indices().nth(100) {
        Some((end, _)) => Cow::Owned(format!("{}…", line.get(..end).unwrap_or_default())),
        None => Cow::Borrowed(line),
    }
}
