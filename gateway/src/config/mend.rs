//! Reading on behind a line that is not TOML.
//!
//! The parser stops at the first thing it does not understand. Where one line alone is to blame,
//! the line is blanked, or the missing bracket of a header added, and the rest read as well: one
//! lost quote hides no other mistake.

use toml_edit::Document;

/// What the parser says of a key that stands twice.
pub(crate) const DUPLICATE: &str = "duplicate key";

/// A text that may differ from the file in lines that were not TOML.
#[derive(Debug)]
pub(crate) struct Mended {
    text: String,
    /// Places of bytes that the file does not have.
    added: Vec<usize>,
}

/// How a place was mended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mend {
    /// A header has its brackets again.
    Header,
    /// A key that stood twice stands once.
    Repeated,
    /// A line is missing now.
    LineLost,
}

impl Mended {
    pub(crate) fn new(text: &str) -> Self {
        Self { text: text.to_owned(), added: Vec::new() }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The byte of the file that stands at `at` in the text.
    pub(crate) fn original(&self, at: usize) -> usize {
        at - self.added.iter().filter(|added| **added < at).count()
    }

    /// Mends what the parser did not understand at `at`; `None` when more than one line is wrong.
    pub(crate) fn mend(&mut self, at: usize, message: &str) -> Option<Mend> {
        let (before, after) = self.text.split_at_checked(at)?;
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let end = after.find('\n').map_or(self.text.len(), |newline| at + newline);
        let line = self.text.get(start..end)?;
        if line.trim().is_empty() || line.contains("\"\"\"") {
            return None;
        }
        if let Some((offset, brackets)) = missing_brackets(line) {
            self.insert(start + offset, brackets);
            return Some(Mend::Header);
        }
        let duplicate = message == DUPLICATE;
        let header = line.trim_start().starts_with('[');
        if header || !(duplicate || Document::parse(line).is_err()) {
            return None;
        }
        let blank = " ".repeat(end - start);
        self.text.replace_range(start..end, &blank);
        // Of two equal keys the first still stands.
        Some(if duplicate { Mend::Repeated } else { Mend::LineLost })
    }

    fn insert(&mut self, at: usize, brackets: &str) {
        self.text.insert_str(at, brackets);
        for added in &mut self.added {
            if *added >= at {
                *added += brackets.len();
            }
        }
        self.added.extend((at..).take(brackets.len()));
    }
}

/// The brackets a header lacks, and where: `[[line]` lacks `]` at its end.
fn missing_brackets(line: &str) -> Option<(usize, &'static str)> {
    let header = line.split('#').next().unwrap_or(line).trim_end();
    let indent = header.len() - header.trim_start().len();
    let name = header.trim().trim_matches(['[', ']']);
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if name.is_empty() || !name.chars().all(legal) {
        return None;
    }
    let open = header.trim().chars().take_while(|c| *c == '[').count();
    let closed = header.trim().chars().rev().take_while(|c| *c == ']').count();
    match (open, closed) {
        (2, 1) | (1, 0) => Some((header.len(), "]")),
        (2, 0) => Some((header.len(), "]]")),
        (1, 2) | (0, 1) => Some((indent, "[")),
        (0, 2) => Some((indent, "[[")),
        _ => None,
    }
}
