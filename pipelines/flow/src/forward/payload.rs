//! What a message says: JSON made of a record of the journal, complete but for its `seq`.

use arrow_array::{Array, StringArray};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use signals::{Batch, Offset, Timestamp};

use super::Stream;
use crate::aggregate::rows::{self, Told};
use crate::window::Summary;

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
        Stream::Events => Vec::new(),
    }
}

#[derive(Serialize)]
struct WindowBody<'a> {
    ts: String,
    window_start: String,
    window_end: String,
    window: &'a str,
    table: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sa: Option<u8>,
    #[serde(serialize_with = "by_column")]
    signals: &'a [(String, Summary)],
}

/// The fields of the contract, in its order. NaN and infinities become null.
#[derive(Serialize)]
struct SummaryBody {
    count: u64,
    good: u64,
    min: Option<f64>,
    max: Option<f64>,
    mean: Option<f64>,
    twa: Option<f64>,
    first: Option<f64>,
    last: Option<f64>,
    stddev: Option<f64>,
}

impl From<&Summary> for SummaryBody {
    fn from(told: &Summary) -> Self {
        let &Summary { count, good, min, max, mean, twa, first, last, stddev } = told;
        Self { count, good, min, max, mean, twa, first, last, stddev }
    }
}

fn by_column<S: Serializer>(signals: &[(String, Summary)], out: S) -> Result<S::Ok, S::Error> {
    let mut map = out.serialize_map(Some(signals.len()))?;
    for (column, told) in signals {
        map.serialize_entry(column, &SummaryBody::from(told))?;
    }
    map.end()
}

/// One window, in as many messages as its signals need.
fn of_window(gateway: &str, told: &Told) -> Vec<Draft> {
    let draft = |signals| {
        let body = WindowBody {
            ts: told.ts.to_string(),
            window_start: told.start.to_string(),
            window_end: told.end.to_string(),
            window: &told.window,
            table: &told.table,
            sa: told.sa,
            signals,
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
            bytes += text(&signal.0).len() + json(&SummaryBody::from(&signal.1)).len() + 2;
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
