//! The tree of a configuration as written, where every key and value knows its place.

use toml_edit::{Document, Item, TableLike, Value};

/// A place in one of the files: which file, and the byte in it.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Place {
    /// Number of the file, in the order they were read.
    pub(crate) file: usize,
    /// Byte offset in that file.
    pub(crate) at: usize,
}

/// A value and its place.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// A value's first byte; a table's header; an inline table's brace.
    pub(crate) place: Place,
    /// What it is.
    pub(crate) form: Form,
}

/// What a value is.
#[derive(Clone, Debug)]
pub(crate) enum Form {
    Text(String),
    Integer(i64),
    Number(f64),
    Bool(bool),
    /// TOML dates and times: no key of ours takes one.
    Time(String),
    List(Vec<Node>),
    Table(Vec<Entry>),
}

/// One key of a table.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) name: String,
    /// Where the key stands.
    pub(crate) place: Place,
    pub(crate) node: Node,
}

impl Node {
    /// The tree of a parsed file.
    pub(crate) fn of_document(document: &Document<&str>, file: usize) -> Self {
        table(document.as_table(), Place { file, at: 0 })
    }

    /// An empty table at the start of the first file.
    pub(crate) fn empty() -> Self {
        Self { place: Place::default(), form: Form::Table(Vec::new()) }
    }

    /// The keys of a table; none for anything else.
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.form {
            Form::Table(entries) => entries,
            Form::Text(_)
            | Form::Integer(_)
            | Form::Number(_)
            | Form::Bool(_)
            | Form::Time(_)
            | Form::List(_) => &[],
        }
    }

    /// Place of the value at `key` (`device[1].tag[3].at`), or of the nearest table above it when
    /// there is none.
    pub(crate) fn locate(&self, key: &str) -> Place {
        let mut here = self;
        for step in key.split(['.', '[']).filter(|step| !step.is_empty()) {
            let next = match step.strip_suffix(']').map(str::parse::<usize>) {
                Some(Ok(index)) => here.element(index),
                Some(Err(_)) | None => here.child(step),
            };
            match next {
                Some(node) => here = node,
                None => break,
            }
        }
        here.place
    }

    /// The path of the innermost table with a header at or before `place`: `device[1].tag[3]`.
    pub(crate) fn table_around(&self, place: Place) -> String {
        let mut found = (Place { file: place.file, at: 0 }, String::new());
        self.visit_tables("", &mut |path, header| {
            let before = header.file == place.file && header.at <= place.at;
            if before && header.at >= found.0.at && !path.is_empty() {
                found = (header, path.to_owned());
            }
        });
        found.1
    }

    /// Goes through all places, keys and values.
    pub(crate) fn each_place(&mut self, change: &mut impl FnMut(&mut Place)) {
        change(&mut self.place);
        match &mut self.form {
            Form::Table(entries) => {
                for entry in entries {
                    change(&mut entry.place);
                    entry.node.each_place(change);
                }
            }
            Form::List(elements) => {
                for element in elements {
                    element.each_place(change);
                }
            }
            Form::Text(_) | Form::Integer(_) | Form::Number(_) | Form::Bool(_) | Form::Time(_) => {}
        }
    }

    fn visit_tables(&self, path: &str, visit: &mut impl FnMut(&str, Place)) {
        match &self.form {
            Form::Table(entries) => {
                visit(path, self.place);
                for entry in entries {
                    entry.node.visit_tables(&join(path, &entry.name), visit);
                }
            }
            Form::List(elements) => {
                for (index, element) in elements.iter().enumerate() {
                    element.visit_tables(&format!("{path}[{index}]"), visit);
                }
            }
            Form::Text(_) | Form::Integer(_) | Form::Number(_) | Form::Bool(_) | Form::Time(_) => {}
        }
    }

    fn child(&self, name: &str) -> Option<&Self> {
        self.entries().iter().find(|entry| entry.name == name).map(|entry| &entry.node)
    }

    /// Element of a list; `[device]` written for `[[device]]` counts as a list of one.
    fn element(&self, index: usize) -> Option<&Self> {
        match &self.form {
            Form::List(elements) => elements.get(index),
            Form::Table(_) if index == 0 => Some(self),
            Form::Table(_)
            | Form::Text(_)
            | Form::Integer(_)
            | Form::Number(_)
            | Form::Bool(_)
            | Form::Time(_) => None,
        }
    }
}

/// `key` below `path`.
pub(crate) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn table(written: &dyn TableLike, place: Place) -> Node {
    let mut entries = Vec::new();
    for (name, item) in written.iter() {
        let span = written.get_key_value(name).and_then(|(key, _)| key.span());
        let key_place = Place { at: span.map_or(place.at, |span| span.start), ..place };
        if let Some(node) = item_node(item, key_place) {
            entries.push(Entry { name: name.to_owned(), place: key_place, node });
        }
    }
    Node { place, form: Form::Table(entries) }
}

/// `fallback` is the place of the key: tables that only dotted keys imply have no place of theirs.
fn item_node(item: &Item, fallback: Place) -> Option<Node> {
    let at = item.span().filter(|span| !span.is_empty()).map_or(fallback.at, |span| span.start);
    let place = Place { at, ..fallback };
    match item {
        Item::None => None,
        Item::Value(value) => Some(value_node(value, place)),
        Item::Table(written) => Some(table(written, place)),
        Item::ArrayOfTables(tables) => {
            let element = |written: &toml_edit::Table| {
                let at = written.span().map_or(place.at, |span| span.start);
                table(written, Place { at, ..place })
            };
            Some(Node { place, form: Form::List(tables.iter().map(element).collect()) })
        }
    }
}

fn value_node(value: &Value, place: Place) -> Node {
    let form = match value {
        Value::String(text) => Form::Text(text.value().clone()),
        Value::Integer(number) => Form::Integer(*number.value()),
        Value::Float(number) => Form::Number(*number.value()),
        Value::Boolean(flag) => Form::Bool(*flag.value()),
        Value::Datetime(time) => Form::Time(time.value().to_string()),
        Value::InlineTable(written) => return table(written, place),
        Value::Array(array) => Form::List(
            array
                .iter()
                .map(|element| {
                    let at = element.span().map_or(place.at, |span| span.start);
                    value_node(element, Place { at, ..place })
                })
                .collect(),
        ),
    };
    Node { place, form }
}
