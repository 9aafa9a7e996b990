//! What a table may hold, and the walk that holds a file against it.
//!
//! In: the tree as written. Out: the same as plain values, without whatever is wrong, and a
//! mistake for each thing that was. So the checks that follow see only keys they know, of types
//! they expect, and report on the rest of the file in the same pass.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Map, Value as Plain};
use signals::Mistake;

use super::node::{Entry, Form, Node, Place, join};
use super::{nearest, units};

/// A table: what people call it, and its keys.
#[derive(Debug)]
pub(crate) struct Shape {
    /// For messages: `a device`.
    pub(crate) called: &'static str,
    /// Every key it may have.
    pub(crate) keys: &'static [Key],
}

/// A key of a table.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// What is written for it when it is required, for the remedy; `None` when it is optional.
    pub(crate) example: Option<&'static str>,
}

/// What a key takes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Text,
    /// Text or a whole number, which is taken as text.
    Word,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A whole number within both ends.
    Integer(i64, i64),
    /// Any finite number.
    Number,
    Bool,
    /// `"1 s"`, within both ends.
    Span(Duration, Duration),
    /// `"1 MiB"` or bytes, within both ends.
    Size(u64, u64),
    /// `"file:…"`, `"env:…"` or `"credential:…"`; what was written is never repeated.
    Secret,
    TextList,
    NumberList,
    /// Any keys, all with text.
    TextMap,
    Table(&'static Shape),
    Tables(&'static Shape),
}

/// What the walk found.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// Mistakes and where they stand.
    pub(crate) mistakes: Vec<(Place, Mistake)>,
    /// Required keys that are not there, and the table they are missing in.
    pub(crate) missing: Vec<(Place, Mistake)>,
    /// Keys left out because of a mistake already reported: nobody is told twice.
    pub(crate) left_out: BTreeSet<String>,
}

/// A table being held against its shape.
struct Within<'a> {
    node: &'a Node,
    shape: &'a Shape,
    path: &'a str,
}

impl Findings {
    /// Holds a table against its shape; gives what is right of it.
    pub(crate) fn table(&mut self, node: &Node, shape: &Shape, path: &str) -> Map<String, Plain> {
        let mut kept = Map::new();
        for entry in node.entries() {
            let key = join(path, &entry.name);
            let Some(known) = shape.keys.iter().find(|known| known.name == entry.name) else {
                self.unknown(entry, &Within { node, shape, path });
                continue;
            };
            match self.value(&entry.node, known.kind, &key) {
                Some(value) => drop(kept.insert(entry.name.clone(), value)),
                None => drop(self.left_out.insert(key)),
            }
        }
        for known in shape.keys {
            let key = join(path, known.name);
            let Some(example) = known.example else { continue };
            if has(node, known.name) || !self.left_out.insert(key.clone()) {
                continue;
            }
            let problem = format!("{} needs `{}`", shape.called, known.name);
            let remedy = format!("add {example}");
            self.missing.push((node.place, Mistake { key, problem, remedy }));
        }
        kept
    }

    /// Holds one table of the top level against its shape, for its mistakes alone.
    pub(crate) fn top_level(&mut self, entry: &Entry, root: &Shape) {
        if let Some(known) = root.keys.iter().find(|known| known.name == entry.name) {
            drop(self.value(&entry.node, known.kind, &entry.name));
        }
    }

    fn report(&mut self, place: Place, key: &str, wrong: (String, String)) {
        self.mistakes.push((place, Mistake::new(key, wrong.0, wrong.1)));
    }

    fn unknown(&mut self, entry: &Entry, within: &Within<'_>) {
        let Within { node, shape, path } = *within;
        let names = shape.keys.iter().map(|known| known.name);
        let free = names.clone().filter(|name| !has(node, name));
        let meant = nearest::nearest(&entry.name, free);
        let remedy = match (meant, nearest::nearest(&entry.name, names.clone())) {
            (Some(meant), _) | (None, Some(meant)) => format!("did you mean \"{meant}\"?"),
            (None, None) => format!("take it out, or {}", nearest::offer(&entry.name, names)),
        };
        let problem = format!("{} has no key `{}`", shape.called, entry.name);
        self.report(entry.place, &join(path, &entry.name), (problem, remedy));
        // A misspelt key is one mistake, not also a missing one; what stands in it is checked.
        if let Some(known) = shape.keys.iter().find(|known| Some(known.name) == meant) {
            self.left_out.insert(join(path, known.name));
            drop(self.value(&entry.node, known.kind, &join(path, &entry.name)));
        }
    }

    fn value(&mut self, node: &Node, kind: Kind, key: &str) -> Option<Plain> {
        match (kind, &node.form) {
            (Kind::Table(shape), Form::Table(_)) => {
                Some(Plain::Object(self.table(node, shape, key)))
            }
            (Kind::Tables(shape), Form::List(elements)) => self.tables(elements, shape, key),
            (Kind::Tables(shape), Form::Table(_)) => {
                let last = key.rsplit('.').next().unwrap_or(key);
                let problem = format!("`{last}` is a list of tables, not one table");
                let remedy = format!("write the header with double brackets: [[{}]]", plain(key));
                self.report(node.place, key, (problem, remedy));
                let only = self.table(node, shape, &format!("{key}[0]"));
                Some(Plain::Array(vec![Plain::Object(only)]))
            }
            (Kind::TextList, Form::List(elements)) => self.list(elements, Kind::Text, key),
            (Kind::NumberList, Form::List(elements)) => self.list(elements, Kind::Number, key),
            (Kind::TextMap, Form::Table(entries)) => Some(self.text_map(entries, key)),
            _ => self.single(node, kind, key),
        }
    }

    /// The elements, all of one kind; the first that is not is told.
    fn list(&mut self, elements: &[Node], kind: Kind, key: &str) -> Option<Plain> {
        let mut kept = Vec::with_capacity(elements.len());
        for (index, element) in elements.iter().enumerate() {
            kept.push(self.single(element, kind, &format!("{key}[{index}]"))?);
        }
        Some(Plain::Array(kept))
    }

    fn tables(&mut self, elements: &[Node], shape: &'static Shape, key: &str) -> Option<Plain> {
        let mut kept = Vec::with_capacity(elements.len());
        let before = self.mistakes.len();
        for (index, element) in elements.iter().enumerate() {
            let key = format!("{key}[{index}]");
            if matches!(element.form, Form::Table(_)) {
                kept.push(Plain::Object(self.table(element, shape, &key)));
            } else {
                self.wrong_type(element, Kind::Table(shape), &key);
            }
        }
        // Places count: a list with a hole would shift every place after it.
        (kept.len() == elements.len() || self.mistakes.len() == before)
            .then_some(Plain::Array(kept))
    }

    fn text_map(&mut self, entries: &[Entry], key: &str) -> Plain {
        let mut kept = Map::new();
        for entry in entries {
            match text(&entry.node) {
                Some(value) => drop(kept.insert(entry.name.clone(), Plain::from(value))),
                None => self.wrong_type(&entry.node, Kind::Text, &join(key, &entry.name)),
            }
        }
        Plain::Object(kept)
    }

    /// A value that holds no others.
    fn single(&mut self, node: &Node, kind: Kind, key: &str) -> Option<Plain> {
        let checked = match (kind, &node.form) {
            (Kind::Text | Kind::Word, Form::Text(text)) => Ok(Plain::from(text.as_str())),
            (Kind::Word, Form::Integer(number)) => Ok(Plain::from(number.to_string())),
            (Kind::Choice(words), Form::Text(text)) => choice(text, words),
            (Kind::Integer(low, high), Form::Integer(number)) => integer(*number, low, high),
            #[expect(clippy::cast_precision_loss, reason = "beyond 2^53 nobody writes settings")]
            (Kind::Number, Form::Integer(number)) => Ok(Plain::from(*number as f64)),
            (Kind::Number, Form::Number(number)) => finite(*number),
            (Kind::Bool, Form::Bool(flag)) => Ok(Plain::from(*flag)),
            (Kind::Span(low, high), Form::Text(text)) => units::span_text(text, low, high),
            (Kind::Size(low, high), Form::Text(text)) => units::size_text(text, low, high),
            (Kind::Size(low, high), Form::Integer(number)) => {
                units::size_text(&format!("{number} B"), low, high)
            }
            (Kind::Secret, Form::Text(text)) => secret(text, key),
            _ => {
                self.wrong_type(node, kind, key);
                return None;
            }
        };
        match checked {
            Ok(value) => Some(value),
            Err(wrong) => {
                self.report(node.place, key, wrong);
                None
            }
        }
    }

    fn wrong_type(&mut self, node: &Node, kind: Kind, key: &str) {
        let secret = matches!(kind, Kind::Secret);
        let problem = format!("is {}, not {}", shown(node, secret), wanted(kind));
        self.report(node.place, key, (problem, retype(node, kind)));
    }
}

/// A value, or what is wrong with it and what to do.
pub(crate) type Checked = Result<Plain, (String, String)>;

fn has(node: &Node, name: &str) -> bool {
    node.entries().iter().any(|entry| entry.name == name)
}

fn text(node: &Node) -> Option<&str> {
    if let Form::Text(text) = &node.form { Some(text) } else { None }
}

/// `device[1].tag` as a header writes it: `device.tag`.
fn plain(key: &str) -> String {
    let mut inside = false;
    let outside = |c: &char| {
        inside = (inside || *c == '[') && *c != ']';
        !inside && *c != ']'
    };
    key.chars().filter(outside).collect()
}

fn choice(text: &str, words: &[&'static str]) -> Checked {
    if words.contains(&text) {
        return Ok(Plain::from(text));
    }
    Err((
        format!("\"{text}\" is not one of the choices"),
        nearest::offer(text, words.iter().copied()),
    ))
}

fn integer(number: i64, low: i64, high: i64) -> Checked {
    if (low..=high).contains(&number) {
        return Ok(Plain::from(number));
    }
    Err((format!("{number} is out of range"), format!("use {low} to {high}")))
}

fn finite(number: f64) -> Checked {
    match serde_json::Number::from_f64(number) {
        Some(finite) => Ok(Plain::Number(finite)),
        None => {
            Err((format!("{number} is not a finite number"), "write a plain number".to_owned()))
        }
    }
}

fn secret(text: &str, key: &str) -> Checked {
    let named = super::settings::SecretRef::parse(text).is_some();
    if named {
        return Ok(Plain::from(text));
    }
    let last = key.rsplit('.').next().unwrap_or(key);
    Err((
        "a secret must not stand in the configuration itself".to_owned(),
        format!(
            "refer to it: \"file:/etc/fieldgate/{last}\", \"env:{}\" or \"credential:{last}\"",
            last.to_uppercase()
        ),
    ))
}

fn wanted(kind: Kind) -> &'static str {
    match kind {
        Kind::Text | Kind::Choice(_) => "text",
        Kind::Word => "text or a whole number",
        Kind::NumberList => "a list of numbers",
        Kind::Integer(..) => "a whole number",
        Kind::Number => "a number",
        Kind::Bool => "true or false",
        Kind::Span(..) => "a duration",
        Kind::Size(..) => "a size",
        Kind::Secret => "a reference to a secret",
        Kind::TextList => "a list of text",
        Kind::TextMap | Kind::Table(_) => "a table",
        Kind::Tables(_) => "a list of tables",
    }
}

fn shown(node: &Node, secret: bool) -> String {
    match &node.form {
        Form::Text(_) | Form::Integer(_) | Form::Number(_) | Form::Bool(_) if secret => {
            "a plain value".to_owned()
        }
        Form::Text(text) => format!("the text \"{text}\""),
        Form::Integer(number) => format!("the whole number {number}"),
        Form::Number(number) => format!("the number {number}"),
        Form::Bool(flag) => format!("{flag}"),
        Form::Time(time) => format!("the date or time {time}"),
        Form::List(_) => "a list".to_owned(),
        Form::Table(_) => "a table".to_owned(),
    }
}

/// How to write the value so that it has the type wanted.
fn retype(node: &Node, kind: Kind) -> String {
    match (kind, &node.form) {
        (Kind::Text | Kind::Choice(_), Form::Integer(number)) => {
            format!("put it in quotes: \"{number}\"")
        }
        (Kind::Text | Kind::Choice(_), Form::Number(number)) => {
            format!("put it in quotes: \"{number}\"")
        }
        (Kind::Text | Kind::Choice(_), Form::Bool(flag)) => {
            format!("put it in quotes: \"{flag}\"")
        }
        (Kind::Integer(..), Form::Text(text)) if text.trim().parse::<i64>().is_ok() => {
            format!("take the quotes off: {}", text.trim())
        }
        (Kind::Number, Form::Text(text)) if text.trim().parse::<f64>().is_ok() => {
            format!("take the quotes off: {}", text.trim())
        }
        (Kind::Bool, Form::Text(text)) if matches!(text.trim(), "true" | "false") => {
            format!("take the quotes off: {}", text.trim())
        }
        (Kind::Span(..), Form::Integer(number)) => {
            format!("write it with its unit, in quotes: \"{number} ms\" or \"{number} s\"")
        }
        (Kind::TextList, Form::Text(text)) => format!("put it in brackets: [\"{text}\"]"),
        (Kind::Table(_), Form::List(_)) => "write it once, with single brackets".to_owned(),
        (Kind::Text, _) => "write text in quotes".to_owned(),
        (Kind::Choice(words), _) => format!("use one of {}", words.join(", ")),
        (Kind::Integer(i64::MIN, _), _) => "write a whole number".to_owned(),
        (Kind::Integer(low, high), _) => format!("write a whole number from {low} to {high}"),
        (Kind::Number, _) => "write a plain number, for example 0.1".to_owned(),
        (Kind::Bool, _) => "write true or false, without quotes".to_owned(),
        (Kind::Span(..), _) => "write for example \"500 ms\" or \"1 s\"".to_owned(),
        (Kind::Size(..), _) => "write for example \"64 MiB\"".to_owned(),
        (Kind::Secret, _) => "write for example \"env:MQTT_PASSWORD\"".to_owned(),
        (Kind::Word, _) => "write a whole number, or text in quotes".to_owned(),
        (Kind::NumberList, _) => "write for example [0, 1.5]".to_owned(),
        (Kind::TextList, _) => "write for example [\"a\", \"b\"]".to_owned(),
        (Kind::TextMap, _) => "write for example { 0 = \"off\", 1 = \"on\" }".to_owned(),
        (Kind::Table(_), _) => "write it as a table: { key = value }".to_owned(),
        (Kind::Tables(_), _) => "write each with a header in double brackets".to_owned(),
    }
}
