//! The signals of a table in little memory: a gateway keeps tens of thousands of them for as long
//! as it runs, and looks at their names now and then.
//!
//! - S-1 What comes out is what was put in, and is serialised as a list of [`Signal`] is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};

use super::{Range, Signal, ValueType};

/// The length that says that there is no text at all; a text that is longer is kept apart.
const ABSENT: u16 = u16::MAX;

static NO_LABELS: BTreeMap<i64, String> = BTreeMap::new();

/// Signals in column order: their texts one behind the other, and what few signals have beside.
///
/// A column named as the last part of its path, as most are, takes no room of its own.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(from = "Vec<Signal>")]
pub struct SignalList {
    /// Of each signal path, column, unit, description and source.
    texts: Box<str>,
    entries: Box<[Entry]>,
    /// Signals with a text that is too long for an entry, by place, ascending.
    long: Box<[(u32, Signal)]>,
    /// By place, ascending.
    ranges: Box<[(u32, Range)]>,
    /// By place, ascending.
    labels: Box<[(u32, BTreeMap<i64, String>)]>,
}

/// Where a signal's texts are, as lengths in bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Entry {
    start: u32,
    path: u16,
    column: u16,
    unit: u16,
    description: u16,
    source: u16,
    kind: ValueType,
    /// Whether the column is the end of the path.
    ends_path: bool,
}

/// A signal of a [`SignalList`]; the fields are those of [`Signal`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SignalRef<'a> {
    /// The name people use: `site/line2/pump3/discharge_pressure`. Unique in the catalog.
    pub path: &'a str,
    /// Column in its table: `[a-z0-9_]`, unique there.
    pub column: &'a str,
    /// Type of its values.
    pub kind: ValueType,
    /// Engineering unit; `None` when the signal has none.
    pub unit: Option<&'a str>,
    /// One line for the operator.
    pub description: Option<&'a str>,
    /// Plausible range in engineering units.
    pub range: Option<Range>,
    /// Names of raw values (enumerations).
    pub labels: &'a BTreeMap<i64, String>,
    /// Where it comes from, in the protocol's own terms: `input:42 f32 CDAB`, `EEC1.EngineSpeed`.
    pub source: &'a str,
}

impl SignalList {
    /// How many signals there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The signal at `place`, from 0.
    #[must_use]
    pub fn get(&self, place: usize) -> Option<SignalRef<'_>> {
        let entry = self.entries.get(place)?;
        if let Some(signal) = at(&self.long, place) {
            return Some(signal.view());
        }
        let mut rest = self.texts.get(entry.start as usize..).unwrap_or_default();
        let mut text = |length: u16| {
            let (text, behind) = rest.split_at_checked(usize::from(length)).unwrap_or_default();
            rest = behind;
            text
        };
        let path = text(entry.path);
        let column = if entry.ends_path {
            path.get(usize::from(entry.path - entry.column)..).unwrap_or_default()
        } else {
            text(entry.column)
        };
        let mut optional = |length: u16| (length != ABSENT).then(|| text(length));
        let (unit, description) = (optional(entry.unit), optional(entry.description));
        Some(SignalRef {
            path,
            column,
            kind: entry.kind,
            unit,
            description,
            range: at(&self.ranges, place).copied(),
            labels: at(&self.labels, place).unwrap_or(&NO_LABELS),
            source: text(entry.source),
        })
    }

    /// The signals in column order.
    #[must_use]
    pub fn iter(&self) -> Iter<'_> {
        Iter { list: self, place: 0 }
    }

    /// Memory it takes, texts of labels and those that are kept apart not counted.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.texts.len()
            + size_of_val(&*self.entries)
            + size_of_val(&*self.long)
            + size_of_val(&*self.ranges)
            + size_of_val(&*self.labels)
    }
}

fn at<T>(pairs: &[(u32, T)], place: usize) -> Option<&T> {
    let found = pairs.binary_search_by_key(&place, |(of, _)| *of as usize).ok()?;
    pairs.get(found).map(|(_, value)| value)
}

/// The signals of a list, one after the other.
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    list: &'a SignalList,
    place: usize,
}

impl<'a> Iterator for Iter<'a> {
    type Item = SignalRef<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let signal = self.list.get(self.place)?;
        self.place += 1;
        Some(signal)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.list.len() - self.place;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Iter<'_> {}

impl<'a> IntoIterator for &'a SignalList {
    type Item = SignalRef<'a>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl From<Vec<Signal>> for SignalList {
    /// # Panics
    /// When the texts of one table together take 4 GiB.
    fn from(signals: Vec<Signal>) -> Self {
        let mut texts = String::with_capacity(signals.iter().map(text_bytes).sum());
        let mut entries = Vec::with_capacity(signals.len());
        let (mut long, mut ranges, mut labels) = (Vec::new(), Vec::new(), Vec::new());
        for (place, signal) in (0..).zip(signals) {
            let start = u32::try_from(texts.len()).expect("texts of a table are below 4 GiB");
            if signal.view().texts().any(|text| text.len() >= usize::from(ABSENT)) {
                entries.push(Entry { start, ..Entry::KEPT_APART });
                long.push((place, signal));
                continue;
            }
            let length = |text: &str| u16::try_from(text.len()).unwrap_or(ABSENT);
            let mut put = |text: &str| {
                texts.push_str(text);
                length(text)
            };
            let path = put(&signal.path);
            let ends_path = signal.path.ends_with(&signal.column);
            let column = if ends_path { length(&signal.column) } else { put(&signal.column) };
            let mut optional = |text: &Option<String>| text.as_deref().map_or(ABSENT, &mut put);
            let unit = optional(&signal.unit);
            let description = optional(&signal.description);
            let source = put(&signal.source);
            let kind = signal.kind;
            entries.push(Entry { start, path, column, unit, description, source, kind, ends_path });
            ranges.extend(signal.range.map(|range| (place, range)));
            if !signal.labels.is_empty() {
                labels.push((place, signal.labels));
            }
        }
        Self {
            texts: texts.into_boxed_str(),
            entries: entries.into_boxed_slice(),
            long: long.into_boxed_slice(),
            ranges: ranges.into_boxed_slice(),
            labels: labels.into_boxed_slice(),
        }
    }
}

/// Bytes that a signal's texts take in a list, at most.
fn text_bytes(signal: &Signal) -> usize {
    signal.view().texts().map(str::len).sum()
}

impl Entry {
    /// What stands for a signal that is kept apart.
    const KEPT_APART: Self = Self {
        start: 0,
        path: 0,
        column: 0,
        unit: ABSENT,
        description: ABSENT,
        source: 0,
        kind: ValueType::Bool,
        ends_path: true,
    };
}

impl Serialize for SignalList {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self)
    }
}

impl Signal {
    /// The signal as a list shows it.
    fn view(&self) -> SignalRef<'_> {
        SignalRef {
            path: &self.path,
            column: &self.column,
            kind: self.kind,
            unit: self.unit.as_deref(),
            description: self.description.as_deref(),
            range: self.range,
            labels: &self.labels,
            source: &self.source,
        }
    }
}

impl<'a> SignalRef<'a> {
    fn texts(self) -> impl Iterator<Item = &'a str> {
        let always = [self.path, self.column, self.source];
        always.into_iter().chain(self.unit).chain(self.description)
    }

    /// The signal by itself.
    #[must_use]
    pub fn to_signal(self) -> Signal {
        Signal {
            path: self.path.to_owned(),
            column: self.column.to_owned(),
            kind: self.kind,
            unit: self.unit.map(str::to_owned),
            description: self.description.map(str::to_owned),
            range: self.range,
            labels: self.labels.clone(),
            source: self.source.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
