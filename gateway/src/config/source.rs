//! Reading a configuration: one file, or a folder of `gateway.toml` and `conf.d/*.toml`.
//!
//! A file that is not TOML does not hide the mistakes of the others, nor, as far as its lines
//! stand for themselves, its own.

use std::path::{Path, PathBuf};

use signals::Mistake;
use toml_edit::Document;

use super::LoadError;
use super::mend::{DUPLICATE, Mend, Mended};
use super::node::{Entry, Form, Node, Place};

/// No configuration is greater; what is greater is not a configuration.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// So many syntax mistakes of one file are told; then it is probably not TOML at all.
const SYNTAX_MISTAKES_MAX: usize = 20;

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
        self.lines().line_column(at)
    }

    /// Where its lines begin, for many places.
    pub(crate) fn lines(&self) -> Lines<'_> {
        let after = self.text.match_indices('\n').map(|(newline, _)| newline + 1);
        Lines { text: &self.text, starts: std::iter::once(0).chain(after).collect() }
    }
}

/// The lines of a file.
#[derive(Debug)]
pub(crate) struct Lines<'a> {
    text: &'a str,
    /// First byte of each line; the first is 0.
    starts: Vec<usize>,
}

impl Lines<'_> {
    /// Line and column of a byte, both from 1; columns count characters.
    pub(crate) fn line_column(&self, at: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|start| *start <= at);
        let start = line.checked_sub(1).and_then(|before| self.starts.get(before));
        let before = start.and_then(|start| self.text.get(*start..)).unwrap_or_default();
        let start = start.copied().unwrap_or(0);
        let column = before.char_indices().take_while(|(offset, _)| start + offset < at).count();
        (line, column + 1)
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
    let mut mended = Mended::new(&file.text);
    if let Some(at) = file.text.find('\u{FFFD}') {
        let place = Place { file: number, at };
        let mistake = Mistake::new("", "is not UTF-8 text", "save the file as UTF-8");
        merged.mistakes.push((place, mistake));
        merged.unreadable.push(place);
    }
    for _ in 0..SYNTAX_MISTAKES_MAX {
        let error = match Document::parse(mended.text()) {
            Ok(document) => {
                let mut root = Node::of_document(&document, number);
                root.each_place(&mut |place| place.at = mended.original(place.at));
                return root;
            }
            Err(error) => error,
        };
        let at = error.span().map_or(0, |span| span.start).min(mended.text().len());
        // The end of the text is told as the end of its last line.
        let shown = if at == mended.text().len() { mended.text().trim_end().len() } else { at };
        let place = Place { file: number, at: mended.original(shown) };
        let mend = mended.mend(at, error.message());
        let problem = format!("not TOML: {}", error.message());
        merged.mistakes.push((place, Mistake::new("", problem, remedy(error.message(), mend))));
        match mend {
            Some(Mend::Header | Mend::Repeated) => {}
            Some(Mend::LineLost) => merged.unreadable.push(place),
            None => break,
        }
    }
    merged.cut_short = true;
    Node::empty()
}

fn remedy(message: &str, mend: Option<Mend>) -> &'static str {
    match (message, mend) {
        (_, Some(Mend::Header)) => "write headers as [name] or [[name]]",
        (DUPLICATE, _) => "keep one of the two",
        _ if message.contains("quoted") => "put text in quotes: key = \"text\"",
        _ if message.contains("string") => "close the quotes",
        _ if message.contains("table") => "write tables as { key = value, key = value }",
        _ if message.contains("array") => "separate with commas and close the bracket",
        _ => "write one `key = value` per line",
    }
}
