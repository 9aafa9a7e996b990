use std::collections::BTreeMap;

use serde_json::Value;
use signals::{Event, Severity, Signal, Table, Timestamp, ValueType};

use super::payload::drafts;
use super::*;
use crate::aggregate::fixtures::{cut_power, journal, outbox};
use crate::aggregate::rows::Writer;
use crate::aggregate::{Closed, WindowSettings, WindowShape};
use crate::disk::sim::SimDisk;
use crate::event_log::EventLog;
use crate::system::SystemRows;
use crate::window::{Function, Summary};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

/// A window of `signals` signals that starts at `start` seconds.
fn window(start: i64, signals: usize) -> Closed {
    let signal = |i| Signal::new(format!("plant/s{i}"), format!("s{i}"), ValueType::F64);
    let table = Table::of_signals("pump", "pump", false, (0..signals).map(signal).collect());
    let told = Summary {
        count: 10,
        good: 9,
        min: Some(0.1),
        max: Some(f64::NAN),
        mean: Some(1.0 / 3.0),
        ..Summary::default()
    };
    Closed {
        shape: WindowShape::tumbling(Duration::from_secs(10)),
        start: at(start),
        end: at(start + 10),
        table: table.unwrap(),
        sa: None,
        signals: (0..signals).map(|place| (place, told)).collect(),
        clock: signals::ClockState::Synced,
    }
}

fn windows(signals: usize) -> Batch {
    Writer::new(&WindowSettings::tumbling(Duration::from_secs(10))).write(&window(0, signals))
}

fn event(message: &str) -> Event {
    Event {
        ts: at(5),
        kind: "anomaly_opened".to_owned(),
        severity: Severity::Alarm,
        source: "pump".to_owned(),
        message: message.to_owned(),
        details: serde_json::json!({ "score": 0.5 }),
    }
}

fn events(messages: &[&str]) -> Batch {
    let events: Vec<_> = messages.iter().map(|message| event(message)).collect();
    SystemRows::events().events_batch(&events).unwrap()
}

fn messages(outbox: &Log<Envelope>) -> Vec<Envelope> {
    outbox.sync().unwrap();
    let mut found = Vec::new();
    let mut at = outbox.oldest();
    loop {
        let entries = outbox.read(at, 1_000).unwrap();
        let Some(last) = entries.last() else { return found };
        at = last.offset.next();
        found.extend(entries.iter().map(|entry| (*entry.record).clone()));
    }
}

/// Forwards everything the journal holds.
fn forward(way: &Forward) {
    let mut run = Run::begin(way).unwrap();
    while run.step().unwrap().0 > 0 {}
}

fn way(stream: Stream, disk: &SimDisk) -> Forward {
    let journal = journal(disk);
    Forward {
        gateway: "gw-1".to_owned(),
        stream,
        events: EventLog::new(journal.clone()),
        hold_bytes: None,
        journal,
        outbox: outbox(disk, stream.name()),
        links: vec![Link::new()],
        rules: Rules::new(),
        vitals: Arc::default(),
    }
}

#[test]
fn a_window_reads_as_the_contract_says() {
    let draft = &drafts("gw-1", Stream::Aggregates, &windows(1))[0];
    let text = String::from_utf8(draft.render(Offset(7), false)).unwrap();
    let summary = concat!(
        r#"{"count":10,"good":9,"min":0.1,"max":null,"mean":0.3333333333333333,"twa":null,"#,
        r#""first":null,"last":null,"stddev":null}"#
    );
    let wanted = [
        r#"{"gateway":"gw-1","stream":"aggregates","seq":7,"ts":"1970-01-01T00:00:10.000000Z","#,
        r#""window_start":"1970-01-01T00:00:00.000000Z","#,
        r#""window_end":"1970-01-01T00:00:10.000000Z","window":"10s","table":"pump","#,
        r#""signals":{"s0":"#,
        summary,
        "}}",
    ];
    assert_eq!(text, wanted.concat());
}

#[test]
fn a_window_tells_what_was_asked_for_and_how_often_there_is_one() {
    let shape = WindowShape { every: Duration::from_secs(1), ..window(0, 1).shape };
    let functions = ["p95", "mean", "p99.9", "count"].map(|name| Function::parse(name).unwrap());
    let settings = WindowSettings {
        shape,
        functions: functions.to_vec(),
        ..WindowSettings::tumbling(shape.length)
    };
    let mut closed = Closed { shape, ..window(0, 1) };
    closed.signals[0].1.quantiles[0] = Some(7.0);
    closed.signals[0].1.quantiles[1] = Some(8.5);
    let batch = Writer::new(&settings).write(&closed);
    assert_eq!(batch.table.name(), "_aggregates_10s_every_1s");
    let text = drafts("gw-1", Stream::Aggregates, &batch)[0].render(Offset(0), false);
    let message: Value = serde_json::from_slice(&text).unwrap();
    assert_eq!((&message["window"], &message["every"]), (&"10s".into(), &"1s".into()));
    let told = r#"{"s0":{"count":10,"mean":0.3333333333333333,"p95":7.0,"p99_9":8.5}}"#;
    assert!(String::from_utf8(text).unwrap().contains(&format!(r#""signals":{told}"#)), "{told}");
}

#[test]
fn an_event_reads_as_the_contract_says() {
    let draft = &drafts("gw-1", Stream::Events, &events(&["too \"hot\""]))[0];
    let text = String::from_utf8(draft.render(Offset(0), true)).unwrap();
    let wanted = [
        r#"{"gateway":"gw-1","stream":"events","seq":0,"ts":"1970-01-01T00:00:05.000000Z","#,
        r#""kind":"anomaly_opened","severity":"alarm","source":"pump","#,
        r#""message":"too \"hot\"","details":{"score":0.5},"backlog":true}"#,
    ];
    assert_eq!(text, wanted.concat());
}

#[test]
fn a_window_too_long_for_one_message_goes_in_several_with_every_signal_once() {
    let drafts = drafts("gw-1", Stream::Aggregates, &windows(3_000));
    assert!(drafts.len() > 1);
    let mut seen = BTreeMap::new();
    for draft in &drafts {
        let payload = draft.render(Offset(u64::MAX), true);
        assert!(payload.len() <= PAYLOAD_BYTES_MAX, "{} bytes", payload.len());
        assert!(payload.len() > PAYLOAD_BYTES_MAX / 4, "{} bytes", payload.len());
        let message: Value = serde_json::from_slice(&payload).unwrap();
        for column in message["signals"].as_object().unwrap().keys() {
            *seen.entry(column.clone()).or_insert(0) += 1;
        }
    }
    assert_eq!(seen.len(), 3_000);
    assert!(seen.values().all(|count| *count == 1));
}

#[test]
fn an_event_too_long_for_a_message_is_cut_and_says_so() {
    let long = "\u{1}".repeat(PAYLOAD_BYTES_MAX);
    let payload = drafts("gw-1", Stream::Events, &events(&[&long]))[0].render(Offset(0), false);
    assert!(payload.len() <= PAYLOAD_BYTES_MAX);
    let message: Value = serde_json::from_slice(&payload).unwrap();
    assert!(message["details"]["cut_bytes"].as_u64().unwrap() > 100_000);
}

#[test]
fn a_message_made_while_any_link_is_down_is_backlog() {
    let mut way = way(Stream::Events, &SimDisk::new());
    way.links.push(Link::new());
    for ups in [[false, false], [true, false], [false, true], [true, true]] {
        for (link, up) in way.links.iter().zip(ups) {
            link.set_up(up);
        }
        way.journal.append(events(&["m"])).unwrap();
        way.journal.sync().unwrap();
        forward(&way);
    }
    let backlog: Vec<_> = messages(&way.outbox)
        .iter()
        .map(|m| serde_json::from_slice::<Value>(&m.payload).unwrap()["backlog"] == true)
        .collect();
    assert_eq!(backlog, [true, true, true, false]);
}

/// Forwards records of 1 to 3 events each; the power is cut after each record, when `kept` of its
/// messages are durable.
fn check_power_cuts(kept: usize) {
    let texts: Vec<String> = (0..24).map(|i| format!("event {i}")).collect();
    let mut rest: Vec<&str> = texts.iter().map(String::as_str).collect();
    let disk = SimDisk::new();
    while !rest.is_empty() {
        let way = way(Stream::Events, &disk);
        forward(&way);
        let count = (rest.len() % 3 + 1).min(rest.len());
        let record = events(&rest.drain(..count).collect::<Vec<_>>());
        let source = way.journal.append(record.clone()).unwrap();
        way.journal.sync().unwrap();
        for draft in drafts("gw-1", Stream::Events, &record).iter().take(kept) {
            let payload = draft.render(way.outbox.next(), true);
            way.outbox.append(Envelope { source, payload }).unwrap();
        }
        way.outbox.sync().unwrap();
        cut_power(&disk, way.outbox);
        cut_power(&disk, way.journal);
    }
    let way = way(Stream::Events, &disk);
    forward(&way);
    let found: Vec<_> = messages(&way.outbox)
        .iter()
        .map(|m| serde_json::from_slice::<Value>(&m.payload).unwrap())
        .map(|m| (m["seq"].as_u64().unwrap(), m["message"].as_str().unwrap().to_owned()))
        .collect();
    let wanted: Vec<_> = (0..).zip(texts).collect();
    assert_eq!(found, wanted, "with {kept} messages kept");
}

#[test]
fn a_power_cut_between_two_messages_of_one_record_loses_and_doubles_nothing() {
    for kept in 0..=3 {
        check_power_cuts(kept);
    }
}

#[test]
fn the_cursor_moves_only_over_records_whose_messages_are_durable() {
    let way = way(Stream::Events, &SimDisk::new());
    way.journal.append(events(&["m"])).unwrap();
    way.journal.sync().unwrap();
    let mut run = Run::begin(&way).unwrap();
    run.step().unwrap();
    assert_eq!(run.cursor.at(), Offset(0));
    way.outbox.sync().unwrap();
    run.step().unwrap();
    assert_eq!(run.cursor.at(), Offset(1));
}

#[test]
fn records_of_other_tables_become_no_messages() {
    let way = way(Stream::Aggregates, &SimDisk::new());
    way.journal.append(events(&["m"])).unwrap();
    way.journal.append(windows(1)).unwrap();
    way.journal.sync().unwrap();
    forward(&way);
    let sources: Vec<_> = messages(&way.outbox).iter().map(|m| m.source).collect();
    assert_eq!(sources, [Offset(1)]);
}

#[test]
fn with_a_full_outbox_the_journal_is_not_read_and_nothing_is_given_up() {
    let mut way = way(Stream::Events, &SimDisk::new());
    way.hold_bytes = Some(1);
    let (first, second) = (events(&["first"]), events(&["second"]));
    way.journal.append(first).unwrap();
    way.journal.sync().unwrap();
    let stop = Stop::new();
    std::thread::scope(|scope| {
        scope.spawn(|| way.run(&stop));
        let vitals = || way.vitals.lock().unwrap().clone();
        let wait = |wanted: &dyn Fn() -> bool| {
            while !wanted() {
                std::thread::yield_now();
            }
        };
        wait(&|| vitals().messages == 1);
        way.outbox.sync().unwrap();
        wait(&|| vitals().is_held);
        way.journal.append(second).unwrap();
        way.journal.sync().unwrap();
        assert_eq!((vitals().messages, vitals().position), (1, Offset(1)));
        stop.raise();
    });
}

#[test]
fn records_the_journal_gave_up_before_they_were_read_are_counted_and_told() {
    let way = way(Stream::Events, &SimDisk::new());
    way.journal.append(events(&["m"])).unwrap();
    way.journal.sync().unwrap();
    way.tell_missed(Offset(7), Offset(12));
    assert_eq!(way.vitals.lock().unwrap().missed, 5);
    way.journal.sync().unwrap();
    forward(&way);
    let told: Value = serde_json::from_slice(&messages(&way.outbox)[1].payload).unwrap();
    assert_eq!(told["kind"], "records_not_forwarded");
    assert_eq!((&told["details"]["first"], &told["details"]["last"]), (&7.into(), &11.into()));
}

#[test]
fn a_clock_that_steps_back_and_forth_changes_no_order_and_loses_nothing() {
    let way = way(Stream::Events, &SimDisk::new());
    let mut rows = SystemRows::events();
    for (number, seconds) in [5, 90_000, 6, -3_600, 7].into_iter().enumerate() {
        let stepped = Event { ts: at(seconds), ..event(&number.to_string()) };
        way.journal.append(rows.events_batch(&[stepped]).unwrap()).unwrap();
    }
    way.journal.sync().unwrap();
    forward(&way);
    let told: Vec<_> = messages(&way.outbox)
        .iter()
        .map(|m| serde_json::from_slice::<Value>(&m.payload).unwrap())
        .map(|m| (m["seq"].as_u64().unwrap(), m["message"].as_str().unwrap().to_owned()))
        .collect();
    assert_eq!(told, (0..5).map(|seq: u64| (seq, seq.to_string())).collect::<Vec<_>>());
}

mod samples;
