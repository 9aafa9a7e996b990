//! What a message says: JSON made of a record of the journal, complete but for its `seq`.

use std::collections::BTreeSet;

use arrow_array::{Array, StringArray};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use signals::{Batch, Offset, Table, Timestamp};

use super::Stream;
use super::samples::Chosen;
use crate::aggregate::rows::{self, Told};
use crate::reduce::Sample;
use crate::window::{Function, Summary};

/// Longest payload: what cloud services and the defaults of most brokers take.
pub const PAYLOAD_BYTES_MAX: usize = 128 * 1024;

/// Room for `seq` and `backlog` in a payload.
const LATER_BYTES: usize = 20 + r#","backlog":true}"#.len();

/// A message without its `seq`.
#[derive(Debug, PartialEq)]
pub(super) struct Draft {
    head: String,
    tail: String,
}

impl Draft {
    /// A message about `body`, whose JSON is an object.
    fn new(gateway: &str, stream: Stream, body: &str) -> Self {
        let head = format!(r#"{{"gateway":{},"stream":"{}","seq":"#, text(gateway), stream.name());
        // The object goes on where `seq` ends.
        let inner = body.strip_prefix('{').and_then(|body| body.strip_suffix('}'));
        let tail = format!(",{}", inner.expect("the body is a JSON object"));
        Self { head, tail }
    }

    /// The bytes of the message.
    pub(super) fn render(&self, seq: Offset, is_backlog: bool) -> Vec<u8> {
        let backlog = if is_backlog { r#","backlog":true"# } else { "" };
        format!("{}{seq}{}{backlog}}}", self.head, self.tail).into_bytes()
    }

    fn bytes_max(&self) -> usize {
        self.head.len() + self.tail.len() + LATER_BYTES
    }
}

/// The messages of a record, in order; none when it is not of the stream.
pub(super) fn drafts(gateway: &str, stream: Stream, batch: &Batch) -> Vec<Draft> {
    match stream {
        Stream::Aggregates => {
            rows::read(batch).map(|told| of_window(gateway, &told)).unwrap_or_default()
        }
        Stream::Events if batch.table.name() == "_events" => of_events(gateway, batch),
        // Samples are chosen over many records: `of_samples`.
        Stream::Events | Stream::Samples => Vec::new(),
    }
}

#[derive(Serialize)]
struct WindowBody<'a> {
    ts: String,
    window_start: String,
    window_end: String,
    window: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    every: Option<&'a str>,
    table: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sa: Option<u8>,
    signals: ByColumn<'a>,
}

/// Summaries by the names of their columns.
struct ByColumn<'a> {
    functions: &'a [Function],
    signals: &'a [(String, Summary)],
}

impl Serialize for ByColumn<'_> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let mut map = out.serialize_map(Some(self.signals.len()))?;
        for (column, told) in self.signals {
            map.serialize_entry(column, &SummaryBody { functions: self.functions, told })?;
        }
        map.end()
    }
}

/// The functions of the window, in the order of its table. NaN and infinities become null.
struct SummaryBody<'a> {
    functions: &'a [Function],
    told: &'a Summary,
}

impl Serialize for SummaryBody<'_> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let mut map = out.serialize_map(Some(self.functions.len()))?;
        let mut quantiles = self.told.quantiles.iter();
        for function in self.functions {
            let told = self.told;
            let real = match function {
                Function::Count => {
                    map.serialize_entry("count", &told.count)?;
                    continue;
                }
                Function::Good => {
                    map.serialize_entry("good", &told.good)?;
                    continue;
                }
                Function::Min => told.min,
                Function::Max => told.max,
                Function::Mean => told.mean,
                Function::Twa => told.twa,
                Function::First => told.first,
                Function::Last => told.last,
                Function::Stddev => told.stddev,
                Function::Quantile(_) => quantiles.next().copied().flatten(),
            };
            map.serialize_entry(&function.to_string(), &real)?;
        }
        map.end()
    }
}

/// One window, in as many messages as its signals need.
fn of_window(gateway: &str, told: &Told) -> Vec<Draft> {
    let functions = told.functions.as_slice();
    let draft = |signals| {
        let body = WindowBody {
            ts: told.ts.to_string(),
            window_start: told.start.to_string(),
            window_end: told.end.to_string(),
            window: &told.window,
            every: told.every.as_deref(),
            table: &told.table,
            sa: told.sa,
            signals: ByColumn { functions, signals },
        };
        Draft::new(gateway, Stream::Aggregates, &json(&body))
    };
    let whole = draft(&told.signals);
    if whole.bytes_max() <= PAYLOAD_BYTES_MAX || told.signals.len() < 2 {
        return vec![whole];
    }
    let frame = draft(&[]).bytes_max();
    let mut drafts = Vec::new();
    let mut rest = told.signals.as_slice();
    while !rest.is_empty() {
        let mut bytes = frame;
        let fits = |signal: &&(String, Summary)| {
            let body = SummaryBody { functions, told: &signal.1 };
            bytes += text(&signal.0).len() + json(&body).len() + 2;
            bytes <= PAYLOAD_BYTES_MAX
        };
        // One signal alone always goes: its length has a bound of its own.
        let count = rest.iter().take_while(fits).count().max(1);
        let (part, further) = rest.split_at(count.min(rest.len()));
        drafts.push(draft(part));
        rest = further;
    }
    drafts
}

#[derive(Serialize)]
struct SamplesBody<'a> {
    ts: String,
    table: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sa: Option<u8>,
    samples: &'a [SampleBody<'a>],
}

#[derive(Serialize)]
struct SampleBody<'a> {
    column: &'a str,
    ts: String,
    value: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quality: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// The samples of a record that are sent, in as many messages as they need: one for each sender,
/// more where it would be too long.
pub(super) fn of_samples(gateway: &str, table: &Table, chosen: &[Chosen]) -> Vec<Draft> {
    let senders: BTreeSet<Option<u8>> = chosen.iter().map(|chosen| chosen.sa).collect();
    let mut drafts = Vec::new();
    for sa in senders {
        let mut of_sender: Vec<&Chosen> = chosen.iter().filter(|of| of.sa == sa).collect();
        of_sender.sort_by_key(|chosen| chosen.sample.ts);
        let bodies: Vec<SampleBody<'_>> =
            of_sender.iter().map(|of| sample_body(table, of)).collect();
        let draft = |samples: &[SampleBody<'_>]| {
            let ts = samples.last().map_or_else(String::new, |sample| sample.ts.clone());
            let body = SamplesBody { ts, table: table.name(), sa, samples };
            Draft::new(gateway, Stream::Samples, &json(&body))
        };
        // The time of the message is as long as that of a sample.
        let frame = draft(&[]).bytes_max() + bodies.first().map_or(0, |body| body.ts.len());
        let mut rest = bodies.as_slice();
        while !rest.is_empty() {
            let mut bytes = frame;
            let fits = |body: &&SampleBody<'_>| {
                bytes += json(body).len() + 1;
                bytes <= PAYLOAD_BYTES_MAX
            };
            // One sample alone always goes: its length has a bound of its own.
            let count = rest.iter().take_while(fits).count().max(1);
            let (part, further) = rest.split_at(count.min(rest.len()));
            drafts.push(draft(part));
            rest = further;
        }
    }
    drafts
}

fn sample_body<'a>(table: &'a Table, chosen: &Chosen) -> SampleBody<'a> {
    let Sample { ts, value, quality } = chosen.sample;
    let reason = quality.reason.to_string();
    SampleBody {
        column: table.signals().get(chosen.place).map_or("", |signal| signal.column),
        ts: ts.to_string(),
        value,
        quality: (!quality.is_good()).then(|| quality.class.as_str()),
        reason: (!reason.is_empty()).then_some(reason),
    }
}

#[derive(Serialize)]
struct EventBody<'a> {
    ts: String,
    kind: &'a str,
    severity: &'a str,
    source: &'a str,
    message: &'a str,
    details: &'a serde_json::Value,
}

fn of_events(gateway: &str, batch: &Batch) -> Vec<Draft> {
    let column = |name| {
        batch.rows.column_by_name(name).and_then(|c| c.as_any().downcast_ref::<StringArray>())
    };
    let cell = |name, row: usize| {
        column(name).filter(|texts| texts.is_valid(row)).map(|texts| texts.value(row))
    };
    let rows = batch.timestamps().iter().enumerate();
    rows.map(|(row, &micros)| {
        let of = |name| cell(name, row).unwrap_or_default();
        let details = serde_json::from_str(of("details")).unwrap_or_else(|_| of("details").into());
        let body = EventBody {
            ts: Timestamp::from_micros(micros).to_string(),
            kind: of("kind"),
            severity: of("severity"),
            source: of("source"),
            message: of("message"),
            details: &details,
        };
        let whole = Draft::new(gateway, Stream::Events, &json(&body));
        if whole.bytes_max() <= PAYLOAD_BYTES_MAX {
            return whole;
        }
        // Too long to send: what matters most still goes, and says that there was more.
        let cut = serde_json::json!({ "cut_bytes": of("details").len() + of("message").len() });
        let message: String = body.message.chars().take(MESSAGE_CHARS_MAX).collect();
        let short = EventBody { message: &message, details: &cut, ..body };
        Draft::new(gateway, Stream::Events, &json(&short))
    })
    .collect()
}

/// Characters kept of the message of an event that is too long: at most 6 bytes each in JSON.
const MESSAGE_CHARS_MAX: usize = 16 * 1024;

fn text(value: &str) -> String {
    json(&value)
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain structs with string keys can always be written")
}
