//! Reading a configuration: one file, or a folder of `gateway.toml` and `conf.d/*.toml`.
//!
//! A file that is not TOML does not hide the mistakes of the others, nor, as far as its lines
//! stand for themselves, its own.

use std::path::{Path, PathBuf};

use signals::Mistake;
use toml_edit::{Document, TomlError};

use super::LoadError;
use super::node::{Entry, Form, Node, Place};

/// No configuration is greater; what is greater is not a configuration.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// So many syntax mistakes of one file are told; then it is probably not TOML at all.
const SYNTAX_MISTAKES_MAX: usize = 20;

/// What the parser says of a key that stands twice.
const DUPLICATE: &str = "duplicate key";

/// A file as read.
#[derive(Debug)]
pub(crate) struct Source {
    /// What to call it in messages: the path as the operator gave it.
    pub(crate) name: String,
    pub(crate) text: String,
}

impl Source {
    /// Line and column of a byte, both from 1; columns count characters.
    pub(crate) fn line_column(&self, at: usize) -> (usize, usize) {
        let at = (0..=at.min(self.text.len())).rev().find(|at| self.text.is_char_boundary(*at));
        let (before, _) = self.text.split_at(at.unwrap_or(0));
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (line, before.get(start..).map_or(0, |line| line.chars().count()) + 1)
    }
}

/// The tree of all files together, and what was wrong in reading them.
#[derive(Debug)]
pub(crate) struct Merged {
    pub(crate) root: Node,
    /// Tables that were defined a second time: still to be looked at, never used.
    pub(crate) repeated: Vec<Entry>,
    pub(crate) mistakes: Vec<(Place, Mistake)>,
    /// Lines that had to be left out of a file that is not TOML.
    pub(crate) unreadable: Vec<Place>,
    /// Whether a file could not be read to its end.
    pub(crate) cut_short: bool,
}

/// The files of `path`, and the folder that relative paths in them start from.
pub(crate) fn read(path: &Path) -> Result<(Vec<Source>, PathBuf), LoadError> {
    let found = std::fs::metadata(path).map_err(|err| LoadError::read(path, err))?;
    if !found.is_dir() {
        let base = path.parent().unwrap_or(Path::new("")).to_owned();
        return Ok((vec![read_file(path)?], base));
    }
    let mut files = vec![read_file(&path.join("gateway.toml"))?];
    for part in parts(&path.join("conf.d"))? {
        files.push(read_file(&part)?);
    }
    Ok((files, path.to_owned()))
}

/// The trees of the files as one: lists of tables are joined, other tables stand once.
pub(crate) fn merge(files: &[Source]) -> Merged {
    let mut merged = Merged {
        root: Node::empty(),
        repeated: Vec::new(),
        mistakes: Vec::new(),
        unreadable: Vec::new(),
        cut_short: false,
    };
    let mut together: Vec<Entry> = Vec::new();
    for (number, file) in files.iter().enumerate() {
        let root = parse(file, number, &mut merged);
        let Form::Table(entries) = root.form else { continue };
        for entry in entries {
            let Some(first) = together.iter_mut().find(|known| known.name == entry.name) else {
                together.push(entry);
                continue;
            };
            match (&mut first.node.form, entry.node.form) {
                (Form::List(joined), Form::List(more)) => joined.extend(more),
                (_, form) => {
                    let node = Node { place: entry.node.place, form };
                    merged.mistakes.push(repeated(first, node.place, files));
                    merged.repeated.push(Entry { node, ..entry });
                }
            }
        }
    }
    merged.root.form = Form::Table(together);
    merged
}

fn repeated(first: &Entry, place: Place, files: &[Source]) -> (Place, Mistake) {
    let at = match files.get(first.node.place.file) {
        Some(file) => {
            let (line, column) = file.line_column(first.node.place.at);
            format!("{}:{line}:{column}", file.name)
        }
        None => "another file".to_owned(),
    };
    let problem = format!("`{}` is defined here and at {at}", first.name);
    (place, Mistake::new(first.name.clone(), problem, "keep one of the two"))
}

fn parts(folder: &Path) -> Result<Vec<PathBuf>, LoadError> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(err) => return Err(LoadError::read(folder, err)),
    };
    let mut parts = Vec::new();
    for entry in entries {
        let path = entry.map_err(|err| LoadError::read(folder, err))?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden && path.extension().is_some_and(|end| end == "toml") {
            parts.push(path);
        }
    }
    parts.sort();
    Ok(parts)
}

fn read_file(path: &Path) -> Result<Source, LoadError> {
    let found = std::fs::metadata(path).map_err(|err| LoadError::read(path, err))?;
    if found.len() > FILE_BYTES_MAX {
        return Err(LoadError::TooLarge { path: path.to_owned(), bytes_max: FILE_BYTES_MAX });
    }
    let bytes = std::fs::read(path).map_err(|err| LoadError::read(path, err))?;
    // What is not UTF-8 stays visible as U+FFFD, which `parse` reports with its place.
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok(Source { name: path.display().to_string(), text })
}

/// The tree of one file. Lines that are wrong by themselves are left out and read over, so that
/// the file's other mistakes come to light in the same run.
fn parse(file: &Source, number: usize, merged: &mut Merged) -> Node {
    let mut text = file.text.clone();
    if let Some(at) = text.find('\u{FFFD}') {
        let place = Place { file: number, at };
        let mistake = Mistake::new("", "is not UTF-8 text", "save the file as UTF-8");
        merged.mistakes.push((place, mistake));
        merged.unreadable.push(place);
    }
    for _ in 0..SYNTAX_MISTAKES_MAX {
        let error = match Document::parse(text.as_str()) {
            Ok(document) => return Node::of_document(&document, number),
            Err(error) => error,
        };
        let at = place_of(&error, &text);
        let place = Place { file: number, at };
        merged.mistakes.push((place, syntax(&error)));
        if error.message() != DUPLICATE {
            // Of two equal keys the first still stands.
            merged.unreadable.push(place);
        }
        match without_line(&text, at, &error) {
            Some(rest) => text = rest,
            None => break,
        }
    }
    merged.cut_short = true;
    Node::empty()
}

/// Where the text stops making sense; the end of the last line counts as that line.
fn place_of(error: &TomlError, text: &str) -> usize {
    let at = error.span().map_or(0, |span| span.start).min(text.len());
    if at == text.len() { text.trim_end().len() } else { at }
}

fn syntax(error: &TomlError) -> Mistake {
    let message = error.message();
    let remedy = match message {
        DUPLICATE => "keep one of the two",
        _ if message.contains("quoted") => "put text in quotes: key = \"text\"",
        _ if message.contains("string") => "close the quotes",
        _ if message.contains("table") => "write headers as [name] or [[name]]",
        _ if message.contains("array") => "separate with commas and close the bracket",
        _ => "write one `key = value` per line",
    };
    Mistake::new("", format!("not TOML: {message}"), remedy)
}

/// The text with the line at `at` blanked, if that line is to blame all by itself.
fn without_line(text: &str, at: usize, error: &TomlError) -> Option<String> {
    let (before, after) = text.split_at_checked(at)?;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let end = after.find('\n').map_or(text.len(), |newline| at + newline);
    let line = text.get(start..end)?;
    let header = line.trim_start().starts_with('[');
    let alone = error.message() == DUPLICATE || Document::parse(line).is_err();
    if header || !alone || line.trim().is_empty() || line.contains("\"\"\"") {
        return None;
    }
    let blank = " ".repeat(end - start);
    Some(format!("{}{blank}{}", text.get(..start)?, text.get(end..)?))
}
