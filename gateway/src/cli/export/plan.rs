//! What is to be exported, from the arguments and the tables there are: every mistake at once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use arrow_schema::SchemaRef;
use signals::Timestamp;

use super::{ExportArgs, Format};
use crate::cli::time;
use crate::config::offer;

/// Columns that come with every signal of their table.
const ALWAYS: [&str; 4] = ["ts", "q", "ts_err", "sa"];

/// The arguments, and the tables with their columns; `None` when they cannot be read.
pub(super) struct Wish<'a> {
    pub(super) args: &'a ExportArgs,
    pub(super) schemas: Option<&'a BTreeMap<String, SchemaRef>>,
}

/// What is to be written.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) format: Format,
    pub(super) from: Option<Timestamp>,
    pub(super) to: Option<Timestamp>,
    pub(super) parts: Vec<TablePart>,
}

/// One file.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct TablePart {
    pub(super) table: String,
    pub(super) columns: Vec<String>,
    pub(super) target: PathBuf,
}

impl Wish<'_> {
    /// The plan, or every mistake as a sentence with its remedy.
    pub(super) fn plan(&self) -> Result<Plan, Vec<String>> {
        let mut mistakes = Vec::new();
        let (format, is_file) = self.format(&mut mistakes);
        let from = time("--from", self.args.from.as_deref(), &mut mistakes);
        let to = time("--to", self.args.to.as_deref(), &mut mistakes);
        if let (Some(from), Some(to)) = (from, to)
            && from >= to
        {
            mistakes.push(format!("--to: {to} is not after --from, {from}; give a later time"));
        }
        let tables = self.tables(&mut mistakes);
        let parts = self.parts(&tables, (format, is_file), &mut mistakes);
        if mistakes.is_empty() { Ok(Plan { format, from, to, parts }) } else { Err(mistakes) }
    }

    /// How files are written, and whether `--out` is one.
    fn format(&self, mistakes: &mut Vec<String>) -> (Format, bool) {
        let out = &self.args.out;
        let ending = out.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        let named = Format::ALL.into_iter().find(|(_, known)| ending.eq_ignore_ascii_case(known));
        let Some((named, _)) = named.filter(|_| !out.is_dir()) else {
            if out.is_file() {
                let shown = out.display();
                mistakes.push(format!(
                    "--out: {shown} is a file whose name is none of an export; name a folder, or \
                     a file that ends with .parquet, .csv, .arrow or .jsonl"
                ));
            }
            return (self.args.format.unwrap_or(Format::Parquet), false);
        };
        match self.args.format {
            Some(format) if format != named => {
                mistakes.push(format!(
                    "--format: {} does not go with --out {}; leave --format out, or name a file \
                     that ends with .{}",
                    format.ending(),
                    out.display(),
                    format.ending()
                ));
            }
            Some(_) | None => {}
        }
        (named, true)
    }

    /// Names of the tables that are asked for.
    fn tables(&self, mistakes: &mut Vec<String>) -> BTreeSet<String> {
        let Some(schemas) = self.schemas else { return BTreeSet::new() };
        if schemas.is_empty() {
            mistakes.push("--data: nothing has been recorded there yet; wait, or check it".into());
            return BTreeSet::new();
        }
        if self.args.tables.is_empty() {
            return schemas.keys().cloned().collect();
        }
        let mut chosen = BTreeSet::new();
        for pattern in &self.args.tables {
            let found: Vec<_> = schemas.keys().filter(|name| matches(pattern, name)).collect();
            if found.is_empty() {
                let remedy = offer(pattern, schemas.keys().map(String::as_str));
                mistakes.push(format!("no table is called \"{pattern}\"; {remedy}"));
            }
            chosen.extend(found.into_iter().cloned());
        }
        chosen
    }

    fn parts(
        &self,
        tables: &BTreeSet<String>,
        (format, is_file): (Format, bool),
        mistakes: &mut Vec<String>,
    ) -> Vec<TablePart> {
        let Some(schemas) = self.schemas else { return Vec::new() };
        let mut unmet: BTreeSet<&str> = self.args.signals.iter().map(String::as_str).collect();
        let mut parts = Vec::new();
        for table in tables {
            let Some(schema) = schemas.get(table) else { continue };
            let columns = columns(schema, &self.args.signals, &mut unmet);
            if columns.is_empty() {
                continue;
            }
            let out = &self.args.out;
            let in_folder = || out.join(format!("{table}.{}", format.ending()));
            let target = if is_file { out.clone() } else { in_folder() };
            parts.push(TablePart { table: table.clone(), columns, target });
        }
        for pattern in unmet.into_iter().filter(|_| !tables.is_empty()) {
            let known: BTreeSet<&str> =
                tables.iter().filter_map(|table| schemas.get(table)).flat_map(names).collect();
            let remedy = offer(pattern, known.iter().copied());
            mistakes.push(format!("--signals: none is called \"{pattern}\"; {remedy}"));
        }
        if is_file && parts.len() > 1 {
            mistakes.push(format!(
                "--out: {} is one file, and {} tables are asked for ({}, {} …); name a folder, or \
                 one table",
                self.args.out.display(),
                parts.len(),
                parts.first().map_or("", |part| part.table.as_str()),
                parts.get(1).map_or("", |part| part.table.as_str()),
            ));
            return Vec::new();
        }
        self.targets_are_free(&parts, mistakes);
        parts
    }

    /// Nothing that is there is replaced unless that is asked for.
    fn targets_are_free(&self, parts: &[TablePart], mistakes: &mut Vec<String>) {
        let is_there = |path: &Path| path.try_exists().unwrap_or(true);
        for target in parts.iter().map(|part| &part.target).filter(|target| is_there(target)) {
            let shown = target.display();
            if target.is_dir() {
                mistakes.push(format!("--out: {shown} is a folder; name another place"));
            } else if !self.args.overwrite {
                mistakes.push(format!(
                    "--out: {shown} is there already; name another place, or add --overwrite"
                ));
            }
        }
    }
}

/// Columns of a table that are asked for, with those that go with them; empty when none is.
fn columns<'a>(
    schema: &SchemaRef,
    patterns: &'a [String],
    unmet: &mut BTreeSet<&'a str>,
) -> Vec<String> {
    if patterns.is_empty() {
        return schema.fields().iter().map(|field| field.name().clone()).collect();
    }
    let mut is_met = false;
    let mut chosen = Vec::new();
    for field in schema.fields() {
        let path = field.metadata().get("path");
        if path.is_none() && ALWAYS.contains(&field.name().as_str()) {
            chosen.push(field.name().clone());
            continue;
        }
        let mut is_asked = false;
        for pattern in patterns {
            if matches(pattern, field.name()) || path.is_some_and(|path| matches(pattern, path)) {
                unmet.remove(pattern.as_str());
                is_asked = true;
            }
        }
        is_met |= is_asked;
        chosen.extend(is_asked.then(|| field.name().clone()));
    }
    if is_met { chosen } else { Vec::new() }
}

/// What the columns of a table may be called in `--signals`.
fn names(schema: &SchemaRef) -> impl Iterator<Item = &str> {
    schema
        .fields()
        .iter()
        .map(|field| field.metadata().get("path").unwrap_or(field.name()).as_str())
}

/// Whether a name is like a pattern, in which `*` stands for any letters, none too.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let mut last = None;
    for part in parts {
        if let Some(middle) = last.replace(part) {
            let Some(at) = rest.find(middle) else { return false };
            rest = rest.get(at + middle.len()..).unwrap_or_default();
        }
    }
    match last {
        Some(last) => rest.ends_with(last),
        None => rest.is_empty(),
    }
}
