//! Which mistakes only follow from others.
//!
//! A key that was left out because it is wrong looks missing to every later check, and what refers
//! to it looks unknown. The operator hears of the cause alone.

use std::collections::BTreeSet;

use signals::Mistake;

use super::source::Merged;

/// What later checks could not see.
#[derive(Debug)]
pub(crate) struct Doubt {
    /// Keys with a mistake already told.
    left_out: BTreeSet<String>,
    /// Tables with a line that could not be read.
    tables: Vec<String>,
    /// Whether a file could not be read to its end.
    cut_short: bool,
}

/// Last parts of keys that other tables refer to.
const NAMING: [&str; 11] =
    ["name", "path", "site", "tag", "tags", "profile", "device", "line", "can", "gateway", "dbc"];

impl Doubt {
    /// What could not be seen of `merged`, besides the keys in `left_out`.
    pub(crate) fn new(merged: &Merged, left_out: BTreeSet<String>) -> Self {
        let around = |place: &super::node::Place| merged.root.table_around(*place);
        let tables = merged.unreadable.iter().map(around).collect();
        Self { left_out, tables, cut_short: merged.cut_short }
    }

    /// Leaves the mistakes of meaning that stand for themselves.
    pub(crate) fn retain(&self, mistakes: &mut Vec<Mistake>) {
        let told: BTreeSet<String> =
            mistakes.iter().map(|m| m.key.clone()).chain(self.left_out.iter().cloned()).collect();
        mistakes.retain(|mistake| {
            let key = mistake.key.as_str();
            let follows =
                causes(key).iter().any(|cause| told.contains(cause) || self.unread(cause));
            !self.cut_short && !self.is_unseen(key) && !follows && !self.refers_to_unseen(key)
        });
    }

    /// Whether a required key that is missing may not simply stand in a line that was not read.
    pub(crate) fn keeps_missing(&self, mistake: &Mistake) -> bool {
        !self.cut_short && !self.unread(&mistake.key)
    }

    fn is_unseen(&self, key: &str) -> bool {
        self.unread(key) || upwards(key).any(|above| self.left_out.contains(above))
    }

    /// Whether `key` may stand in a line that was not read: a key of such a table, not of a table
    /// below it.
    fn unread(&self, key: &str) -> bool {
        let (table, last) = key.rsplit_once('.').unwrap_or(("", key));
        let of_list = last.split('[').next().unwrap_or(last).len() < last.len();
        self.tables.iter().any(|unread| unread == table && (!of_list || !table.is_empty()))
    }

    fn refers_to_unseen(&self, key: &str) -> bool {
        let targets: &[&str] = if key.rsplit_once('.').is_some_and(|(_, last)| last == "line") {
            &["line"]
        } else if key.ends_with("].profile") {
            &["profile"]
        } else if key.starts_with("detector[") && key.contains("].signals[") {
            &["device", "profile", "can", "gateway"]
        } else {
            return false;
        };
        let naming = |key: &&String| {
            let last = key.rsplit('.').next().unwrap_or(key);
            NAMING.contains(&last.split('[').next().unwrap_or(last))
        };
        let named = self.left_out.iter().filter(naming);
        named.chain(&self.tables).any(|unseen| targets.iter().any(|t| is_below(unseen, t)))
    }
}

/// Keys whose own mistakes make `key` look wrong: what it says depends on them.
fn causes(key: &str) -> Vec<String> {
    let (table, last) = key.rsplit_once('.').unwrap_or(("", key));
    let beside = |names: &[&str]| names.iter().map(|name| format!("{table}.{name}")).collect();
    match (last, table.split_once(".tag[")) {
        ("at", Some((device, _))) => vec![format!("{device}.address_style")],
        ("timeout", None) => beside(&["every"]),
        ("replay", None) => beside(&["interface"]),
        ("password", None) => beside(&["username"]),
        ("bytes_max", None) if table == "journal" => beside(&["segment_bytes"]),
        ("segment_bytes", None) => beside(&["bytes_max"]),
        _ => Vec::new(),
    }
}

/// `a[0].b`, `a[0]`, `a`.
fn upwards(key: &str) -> impl Iterator<Item = &str> {
    let ends = key.match_indices(['.', '[']).map(|(end, _)| end);
    std::iter::once(key).chain(ends.filter_map(|end| key.get(..end)))
}

/// Whether `key` is `top` or something in it.
fn is_below(key: &str, top: &str) -> bool {
    key.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}
