//! Tag lists in CSV, for those who keep them in a spreadsheet.
//!
//! In: the text of a file. The first row names the columns, each further row is a tag; empty cells
//! are left out. The separator is the comma, or the semicolon where a comma is the decimal mark.

use std::collections::BTreeMap;
use std::rc::Rc;

use signals::Mistake;

use super::notes::nearest;
use super::{RangeConfig, TagConfig};

/// No plant has more tags in one device; what is longer is not a tag list.
const ROWS_MAX: usize = 100_000;

/// A list as read: where its columns are, for messages.
#[derive(Debug)]
pub(super) struct Sheet {
    /// Key of the configuration that names the file: `device[0].tags`.
    pub(super) key: String,
    /// The file as the configuration names it.
    pub(super) file: String,
    /// Names of the columns, in their order.
    columns: Vec<String>,
}

/// A row of a list.
#[derive(Debug)]
pub(super) struct Row {
    /// Line in the file, from 1.
    pub(super) line: u64,
    pub(super) tag: TagConfig,
}

/// Columns, in the order of the manual.
const COLUMNS: [&str; 23] = [
    "name",
    "at",
    "type",
    "order",
    "length",
    "encoding",
    "bit",
    "scale",
    "offset",
    "scale_tag",
    "not_implemented",
    "coherent",
    "unit",
    "description",
    "every",
    "range_low",
    "range_high",
    "range_outside",
    "labels",
    "sentinels",
    "under_range_raw",
    "over_range_raw",
    "comment",
];

impl Sheet {
    /// A mistake of a row as one of the key that names the file.
    pub(super) fn told(&self, line: u64, mistake: Mistake) -> Mistake {
        let column = mistake.key.replace('.', "_");
        let number = self.columns.iter().position(|name| *name == column);
        let place = match number {
            Some(number) => format!("{}:{line}, column {} ({column})", self.file, number + 1),
            None if column.is_empty() => format!("{}:{line}", self.file),
            None => format!("{}:{line}, {column}", self.file),
        };
        Mistake::new(&self.key, format!("{place}: {}", mistake.problem), mistake.remedy)
    }
}

/// The tags in `text`; what is wrong with the list itself goes to `mistakes`.
pub(super) fn read(
    key: &str,
    file: &str,
    text: &str,
    mistakes: &mut Vec<Mistake>,
) -> (Rc<Sheet>, Vec<Row>) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let header = text.lines().next().unwrap_or_default();
    let separator =
        if header.matches(';').count() > header.matches(',').count() { b';' } else { b',' };
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(separator)
        .flexible(true)
        .trim(csv::Trim::All)
        .comment(Some(b'#'))
        .from_reader(text.as_bytes());
    let columns = match reader.headers() {
        Ok(names) => names.iter().map(str::to_lowercase).collect(),
        Err(_) => Vec::new(),
    };
    let sheet = Rc::new(Sheet { key: key.to_owned(), file: file.to_owned(), columns });
    check_columns(&sheet, mistakes);
    let mut rows = Vec::new();
    for (place, record) in reader.records().enumerate() {
        let record = match record {
            Ok(record) => record,
            Err(err) => {
                let line = err.position().map_or(0, csv::Position::line);
                let wrong = Mistake::new("", format!("is not CSV: {err}"), "close the quotes");
                mistakes.push(sheet.told(line, wrong));
                break;
            }
        };
        let line = record.position().map_or(0, csv::Position::line);
        if place >= ROWS_MAX {
            let wrong = Mistake::new("", format!("more than {ROWS_MAX} tags"), "split the list");
            mistakes.push(sheet.told(line, wrong));
            break;
        }
        if record.iter().all(str::is_empty) {
            continue;
        }
        let mut cells = Cells { sheet: &sheet, record: &record, line, separator, mistakes };
        cells.check_width();
        rows.push(Row { line, tag: cells.tag() });
    }
    (sheet, rows)
}

fn check_columns(sheet: &Sheet, mistakes: &mut Vec<Mistake>) {
    let mut seen: Vec<&str> = Vec::new();
    for name in &sheet.columns {
        let wrong = if seen.contains(&name.as_str()) && !name.is_empty() {
            Some(("stands here twice".to_owned(), "remove one of them".to_owned()))
        } else if name.is_empty() || COLUMNS.contains(&name.as_str()) {
            None
        } else {
            Some((format!("there is no column \"{name}\""), nearest(name, COLUMNS)))
        };
        seen.push(name);
        if let Some((problem, remedy)) = wrong {
            mistakes.push(sheet.told(1, Mistake::new(name.clone(), problem, remedy)));
        }
    }
    for needed in ["name", "at", "type"] {
        if !seen.contains(&needed) {
            let problem = format!("has no column \"{needed}\"");
            let remedy = "name the columns in the first row, for example name,at,type,scale,unit";
            mistakes.push(sheet.told(1, Mistake::new("", problem, remedy)));
        }
    }
}

/// The cells of one row.
struct Cells<'a> {
    sheet: &'a Sheet,
    record: &'a csv::StringRecord,
    line: u64,
    separator: u8,
    mistakes: &'a mut Vec<Mistake>,
}

impl Cells<'_> {
    fn tag(&mut self) -> TagConfig {
        TagConfig {
            name: self.text("name"),
            at: self.text("at"),
            r#type: self.text("type"),
            order: self.text("order"),
            length: self.whole("length"),
            encoding: self.text("encoding"),
            bit: self.whole("bit"),
            scale: self.number("scale"),
            offset: self.number("offset"),
            scale_tag: self.text("scale_tag"),
            not_implemented: self.text("not_implemented"),
            coherent: self.text("coherent"),
            write: None,
            unit: self.text("unit"),
            description: self.text("description"),
            every: self.text("every"),
            range: self.range(),
            labels: self.map("labels"),
            sentinels: self.map("sentinels"),
            under_range_raw: self.whole("under_range_raw"),
            over_range_raw: self.whole("over_range_raw"),
        }
    }

    /// Cells behind the last column come from a separator too many: their tag is not trusted.
    fn check_width(&mut self) {
        let surplus = self.record.iter().skip(self.sheet.columns.len());
        if surplus.clone().any(|cell| !cell.is_empty()) {
            let remedy = "put cells that hold the separator in quotes";
            self.wrong("", "has more cells than there are columns", remedy);
        }
    }

    fn text(&self, column: &str) -> Option<String> {
        let number = self.sheet.columns.iter().position(|name| name == column)?;
        self.record.get(number).filter(|cell| !cell.is_empty()).map(str::to_owned)
    }

    fn whole(&mut self, column: &str) -> Option<i64> {
        let text = self.text(column)?;
        let number = text.parse().ok();
        if number.is_none() {
            let problem = format!("\"{text}\" is not a whole number");
            self.wrong(column, &problem, "write digits only");
        }
        number
    }

    fn number(&mut self, column: &str) -> Option<f64> {
        let text = self.text(column)?;
        // With a semicolon between cells a comma is the decimal mark.
        let plain = if self.separator == b';' { text.replace(',', ".") } else { text.clone() };
        let number = plain.parse().ok().filter(|number: &f64| number.is_finite());
        if number.is_none() {
            let problem = format!("\"{text}\" is not a number");
            self.wrong(column, &problem, "write a plain number, for example 0.1");
        }
        number
    }

    fn range(&mut self) -> Option<RangeConfig> {
        let range = RangeConfig {
            low: self.number("range_low"),
            high: self.number("range_high"),
            outside: self.text("range_outside"),
        };
        let is_given = range.low.is_some() || range.high.is_some() || range.outside.is_some();
        is_given.then_some(range)
    }

    /// `0=off | 1=on`, also separated by semicolons or commas where those do not end the cell.
    fn map(&mut self, column: &str) -> BTreeMap<String, String> {
        let mut map = BTreeMap::new();
        let text = self.text(column).unwrap_or_default();
        for pair in text.split(['|', ';']).map(str::trim).filter(|pair| !pair.is_empty()) {
            if let Some((raw, name)) = pair.split_once('=') {
                map.insert(raw.trim().to_owned(), name.trim().to_owned());
            } else {
                let problem = format!("\"{pair}\" names no value");
                self.wrong(column, &problem, "write for example 0=off | 1=on");
            }
        }
        map
    }

    fn wrong(&mut self, column: &str, problem: &str, remedy: &str) {
        self.mistakes.push(self.sheet.told(self.line, Mistake::new(column, problem, remedy)));
    }
}

#[cfg(test)]
mod tests;
