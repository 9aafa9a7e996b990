//! The join of rows with what the devices really held: the judge of wrong values.
//!
//! A value of good quality is right when the device held it at an instant at which it executed a
//! request that arrived between the sending and the end of the row's own exchange. What was
//! asked earlier and answered late is not in that span, whatever its numbers look like.

use std::collections::HashMap;

use serde_json::Value as Json;
use signals::Clock;

use crate::case::Polled;
use crate::judge::micros;
use crate::rig::{Number, Row};
use crate::server::{Control, FaultServer};

/// How often the clocks of the two processes are compared; the quickest comparison counts.
const COMPARISONS: usize = 40;
/// What is left between two clocks beside the time a comparison takes, in microseconds.
const CLOCKS_US: i64 = 100;

/// One request as the server saw it.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// When it arrived, microseconds on the wall clock.
    pub(crate) wall: i64,
    pub(crate) unit: u8,
    pub(crate) function: u8,
    pub(crate) address: u16,
    pub(crate) count: u16,
    /// When it was executed, in the server's own seconds.
    pub(crate) at_s: Option<f64>,
    pub(crate) words: Vec<u16>,
}

/// A value of good quality that no device held.
#[derive(Clone, Debug)]
#[expect(dead_code, reason = "printed as a whole")]
pub(crate) struct Wrong {
    unit: u8,
    tag: Polled,
    /// The span of its row, and the arrivals of requests in it.
    span: (i64, i64),
    arrivals: Vec<i64>,
    number: Option<Number>,
    allowed: Vec<Number>,
}

/// What the server's clock shows, on ours.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offset {
    /// Our microseconds less the server's monotonic ones.
    pub(crate) ahead: i64,
    /// Second 0 of the server.
    pub(crate) server_began: i64,
    /// How far `ahead` may be off.
    pub(crate) error: i64,
}

impl Offset {
    pub(crate) fn measure(server: &Control, clock: &dyn Clock) -> Self {
        let compare = || {
            let before = clock.now().micros();
            let told = server.get("/health");
            let after = clock.now().micros();
            let theirs = told["monotonic_ns"].as_i64().expect("the server's clock") / 1000;
            let server_s = told["t"].as_f64().expect("the server's seconds");
            let middle = i64::midpoint(before, after);
            let server_began = middle - micros(server_s);
            Self { ahead: middle - theirs, server_began, error: (after - before) / 2 + CLOCKS_US }
        };
        let compared = std::iter::repeat_with(compare).take(COMPARISONS);
        compared.min_by_key(|offset| offset.error).expect("there are comparisons")
    }
}

/// Everything the server was asked, in the order of arrival.
pub(crate) fn journal(server: &FaultServer, offset: Offset) -> Vec<Asked> {
    journal_since(server, offset, 0).0
}

/// What the server was asked after its entry `since`, and the number of the last entry.
pub(crate) fn journal_since(server: &FaultServer, offset: Offset, since: u64) -> (Vec<Asked>, u64) {
    let listed = server.get(&format!("/journal?limit=1000000&since={since}"));
    let whole = |value: &Json| u16::try_from(value.as_u64().unwrap_or(0)).unwrap_or(0);
    let byte = |value: &Json| u8::try_from(value.as_u64().unwrap_or(0)).unwrap_or(0);
    let read = |entry: &Json| Asked {
        wall: entry["rx_ns"].as_i64().expect("a time") / 1000 + offset.ahead,
        unit: byte(&entry["unit"]),
        function: byte(&entry["fc"]),
        address: whole(&entry["addr"]),
        count: whole(&entry["count"]),
        at_s: entry["t"].as_f64(),
        words: entry["words"].as_array().into_iter().flatten().map(whole).collect(),
    };
    let listed = listed.as_array().expect("a list");
    let last = listed.iter().filter_map(|entry| entry["seq"].as_u64()).max().unwrap_or(since);
    let mut asked: Vec<Asked> = listed.iter().map(read).collect();
    asked.sort_by_key(|asked| asked.wall);
    (asked, last)
}

/// The registers of one unit and table at one instant.
type Image = HashMap<u16, u16>;

/// Asks the server what its devices held, each instant once.
pub(crate) struct Oracle<'a> {
    server: &'a FaultServer,
    journal: &'a [Asked],
    /// How far the times of the journal may be off.
    error: i64,
    /// Whether registers were set in the run: then the server no longer knows what they were
    /// before, and what it noted in its journal counts beside what it computes.
    has_writes: bool,
    images: HashMap<(u8, String, u64), Image>,
    /// What is polled of each unit.
    tags: HashMap<u8, Vec<Polled>>,
}

impl<'a> Oracle<'a> {
    pub(crate) fn new(server: &'a FaultServer, journal: &'a [Asked], offset: Offset) -> Self {
        Self {
            server,
            journal,
            error: offset.error,
            has_writes: false,
            images: HashMap::new(),
            tags: HashMap::new(),
        }
    }

    /// Counts what the server noted in its journal as held, beside what it computes.
    pub(crate) fn with_writes(self, has_writes: bool) -> Self {
        Self { has_writes, ..self }
    }

    /// The values of good quality that are wrong.
    pub(crate) fn wrong(&mut self, rows: &[Row]) -> Vec<Wrong> {
        for tag in rows.iter().flat_map(|row| row.cells.iter().map(|cell| (row.unit, &cell.tag))) {
            let tags = self.tags.entry(tag.0).or_default();
            if !tags.contains(tag.1) {
                tags.push(tag.1.clone());
            }
        }
        rows.iter().flat_map(|row| self.wrong_of(row)).collect()
    }

    fn wrong_of(&mut self, row: &Row) -> Vec<Wrong> {
        let from = self.journal.partition_point(|asked| asked.wall < row.begin - self.error);
        let asked =
            self.journal[from..].iter().take_while(|asked| asked.wall <= row.end + self.error);
        let asked: Vec<&Asked> = asked.filter(|asked| asked.unit == row.unit).collect();
        let mut wrong = Vec::new();
        for cell in row.cells.iter().filter(|cell| cell.quality.is_good()) {
            let mut allowed = Vec::new();
            for asked in &asked {
                allowed.extend(self.held(&cell.tag, asked));
            }
            if !cell.number.is_some_and(|number| allowed.contains(&number)) {
                wrong.push(Wrong {
                    unit: row.unit,
                    tag: cell.tag.clone(),
                    span: (row.begin, row.end),
                    arrivals: asked.iter().map(|asked| asked.wall).collect(),
                    number: cell.number,
                    allowed,
                });
            }
        }
        wrong
    }

    /// What the device held for a tag when it executed a request.
    fn held(&mut self, tag: &Polled, asked: &Asked) -> Vec<Number> {
        let Some(at_s) = asked.at_s else { return Vec::new() };
        let key = (asked.unit, tag.table.clone(), at_s.to_bits());
        if !self.images.contains_key(&key) {
            let image = self.image((asked.unit, &tag.table, at_s));
            self.images.insert(key.clone(), image);
        }
        let image = &self.images[&key];
        let computed = |address: u16| image.get(&address).copied();
        let noted = |address: u16| {
            let place = address.checked_sub(asked.address)?;
            asked.words.get(usize::from(place)).copied()
        };
        let mut held = Vec::from_iter(decode(tag, computed));
        if self.has_writes && table_of(asked.function) == Some(tag.table.as_str()) {
            held.extend(decode(tag, noted));
        }
        held
    }

    /// The registers of all tags of a table at an instant.
    fn image(&self, (unit, table, at_s): (u8, &str, f64)) -> Image {
        let mut tags: Vec<&Polled> =
            self.tags[&unit].iter().filter(|tag| tag.table == table).collect();
        tags.sort_by_key(|tag| tag.address);
        let mut spans: Vec<(u16, u16)> = Vec::new();
        for tag in tags {
            match spans.last_mut() {
                Some((start, count)) if *start + *count == tag.address => *count += tag.words,
                _ => spans.push((tag.address, tag.words)),
            }
        }
        let mut image = Image::new();
        for (start, count) in spans {
            // A hole in the span: then word by word, and what does not exist has no value.
            let whole = self.ask((unit, table, at_s), (start, count));
            let single =
                |address| self.ask((unit, table, at_s), (address, 1)).map(|words| words[0]);
            match whole {
                Some(words) => image.extend((start..).zip(words)),
                None => image.extend(
                    (start..start + count).filter_map(|address| Some((address, single(address)?))),
                ),
            }
        }
        image
    }

    fn ask(
        &self,
        (unit, table, at_s): (u8, &str, f64),
        (start, count): (u16, u16),
    ) -> Option<Vec<u16>> {
        let path =
            format!("/oracle?unit={unit}&table={table}&addr={start}&count={count}&t={at_s:?}");
        let told = self.server.get(&path);
        let word = |word: &Json| u16::try_from(word.as_u64().unwrap()).unwrap();
        Some(told["words"].as_array()?.iter().map(word).collect())
    }
}

/// The table that a function reads.
pub(crate) fn table_of(function: u8) -> Option<&'static str> {
    match function {
        1 => Some("coil"),
        2 => Some("discrete"),
        3 => Some("holding"),
        4 => Some("input"),
        _ => None,
    }
}

/// A number from its registers: a second decoder, by the definition of the orders.
fn decode(tag: &Polled, word: impl Fn(u16) -> Option<u16>) -> Option<Number> {
    let mut words: Vec<u16> =
        (tag.address..tag.address + tag.words).map(word).collect::<Option<_>>()?;
    if tag.words > 1 {
        if matches!(tag.order.as_str(), "CDAB" | "DCBA") {
            words.reverse();
        }
        if matches!(tag.order.as_str(), "BADC" | "DCBA") {
            for word in &mut words {
                *word = word.swap_bytes();
            }
        }
    }
    let bits = words.iter().fold(0_u64, |bits, word| bits << 16 | u64::from(*word));
    let wide = tag.words * 16;
    let signed = || i64::from_be_bytes((bits << (64 - wide)).to_be_bytes()) >> (64 - wide);
    Some(match tag.kind.as_str() {
        "i16" | "i32" | "i64" => Number::Whole(signed().into()),
        "f32" => Number::Real(f32::from_bits(u32::try_from(bits).unwrap()).into()),
        "f64" => Number::Real(f64::from_bits(bits)),
        _ => Number::Whole(bits.into()),
    })
}
