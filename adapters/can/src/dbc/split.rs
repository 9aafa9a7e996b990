//! Splits a database into its statements, so that a bad one costs only itself.

/// Keywords a statement starts with, and whether its strings may run over several lines.
const KEYWORDS: [&str; 33] = [
    "VERSION",
    "NS_",
    "BS_",
    "BU_",
    "BO_",
    "SG_",
    "CM_",
    "BA_DEF_",
    "BA_",
    "VAL_",
    "VAL_TABLE_",
    "SIG_GROUP_",
    "SIG_VALTYPE_",
    "BO_TX_BU_",
    "BA_DEF_REL_",
    "BA_REL_",
    "BA_DEF_DEF_REL_",
    "BA_DEF_DEF_",
    "SG_MUL_VAL_",
    "EV_",
    "ENVVAR_DATA_",
    "CAT_DEF_",
    "CAT_",
    "FILTER",
    "EV_DATA_",
    "SGTYPE_",
    "SGTYPE_VAL_",
    "BA_DEF_SGTYPE_",
    "BA_SGTYPE_",
    "SIG_TYPE_REF_",
    "SIGTYPE_VALTYPE_",
    "NS_DESC_",
    "BU_SG_REL_",
];

/// A statement as it stands in the file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Statement<'a> {
    /// Line of its first character, from 1.
    pub(super) line: u32,
    /// Its keyword; empty for text that belongs to no statement.
    pub(super) keyword: &'static str,
    /// Its text, all lines of it.
    pub(super) text: &'a str,
}

/// The statements of a database in order. Linear in the length of the text.
pub(super) fn split(text: &str) -> Vec<Statement<'_>> {
    let mut splitter = Splitter { statements: Vec::new(), text, open: None, quoting: Quoting::Off };
    let mut at = 0;
    let mut line = 0_u32;
    let mut resume = None;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let end = at + rest.find('\n').map_or(rest.len(), |place| place + 1);
        line = line.saturating_add(1);
        let opened = splitter.open.map(|open| open.start);
        splitter.line(at, end, line);
        if splitter.open.map(|open| open.start) != opened {
            resume = Some((end, line));
        }
        at = end;
        // A quotation mark that nothing closes: go back to where it began, trust line starts only.
        if at >= text.len() && splitter.quoting == Quoting::Open {
            splitter.quoting = Quoting::Ignored;
            (at, line) = resume.take().unwrap_or((text.len(), line));
        }
    }
    splitter.close(text.len());
    splitter.statements
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Quoting {
    Off,
    Open,
    Ignored,
}

#[derive(Clone, Copy)]
struct Open {
    start: usize,
    line: u32,
    keyword: &'static str,
    ended: bool,
}

struct Splitter<'a> {
    statements: Vec<Statement<'a>>,
    text: &'a str,
    open: Option<Open>,
    quoting: Quoting,
}

impl Splitter<'_> {
    fn line(&mut self, start: usize, end: usize, number: u32) {
        let line = self.text.get(start..end).unwrap_or_default();
        if self.quoting != Quoting::Open
            && let Some(keyword) = self.begins(line)
        {
            self.close(start);
            self.open = Some(Open { start, line: number, keyword, ended: false });
        }
        if self.quoting != Quoting::Ignored {
            self.follow_quotes(line);
        }
    }

    /// The keyword of the statement that begins with this line; empty for stray text.
    fn begins(&self, line: &str) -> Option<&'static str> {
        let line = line.trim();
        if line.is_empty() || line.starts_with("//") {
            return None;
        }
        let word = line.split([' ', '\t', ':']).next().unwrap_or_default();
        let keyword = KEYWORDS.iter().find(|k| **k == word).copied();
        let open = self.open.map_or("", |open| open.keyword);
        // The list of symbols after NS_ consists of keywords that stand alone on their line.
        if open == "NS_" && !line.contains([' ', '\t', ':', '"', ';']) {
            return None;
        }
        match keyword {
            Some("SG_") if open == "BO_" => None,
            Some(keyword) => Some(keyword),
            None if self.open.is_none_or(|open| open.ended) => Some(""),
            None => None,
        }
    }

    fn follow_quotes(&mut self, line: &str) {
        let mut escaped = false;
        let mut slash = false;
        for byte in line.bytes() {
            match (self.quoting, byte) {
                (Quoting::Open, b'"') if !escaped => self.quoting = Quoting::Off,
                (Quoting::Off, b'"') => self.quoting = Quoting::Open,
                (Quoting::Off, b'/') if slash => return,
                (Quoting::Off, b';') => {
                    if let Some(open) = &mut self.open {
                        open.ended = true;
                    }
                }
                (Quoting::Off | Quoting::Open | Quoting::Ignored, _) => {}
            }
            escaped = byte == b'\\';
            slash = byte == b'/';
        }
        // Units stand on one line: a mark that is missing there must not swallow what follows.
        if self.open.is_some_and(|open| open.keyword == "BO_") {
            self.quoting = Quoting::Off;
        }
    }

    fn close(&mut self, end: usize) {
        let Some(open) = self.open.take() else { return };
        let text = self.text.get(open.start..end).unwrap_or_default();
        self.statements.push(Statement { line: open.line, keyword: open.keyword, text });
    }
}
