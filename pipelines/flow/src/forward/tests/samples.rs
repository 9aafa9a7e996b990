//! The stream of samples: what is sent is within its error, whenever the gateway is stopped.

use proptest::prelude::*;
use signals::{BatchBuilder, ClockState, Quality, Reason};

use super::*;
use crate::aggregate::fixtures::{Row, Sample, batch, table};
use crate::reduce::{Method, Rule};

fn rules(method: Method) -> Rules {
    let rule = Rule { method, error: 0.5, heartbeat: Duration::from_secs(5) };
    let bus = Rule { error: 2.0, ..rule };
    Rules::from([("plant/plain/flow".to_owned(), rule), ("plant/bus/flow".to_owned(), bus)])
}

fn way_of(method: Method, disk: &SimDisk) -> Forward {
    Forward { rules: rules(method), ..way(Stream::Samples, disk) }
}

/// Two tables, one of them with two senders, in batches of some rows.
fn batches() -> impl Strategy<Value = Vec<Batch>> {
    let sample = prop_oneof![
        12 => (-1.0..1.0_f64).prop_map(Sample::Good),
        1 => (-9.0..9.0_f64).prop_map(Sample::Uncertain),
        1 => Just(Sample::Bad),
        1 => Just(Sample::Absent),
    ];
    let row = (100_000..2_000_000_i64, 0..2_u8, sample);
    let rows = (any::<bool>(), prop::collection::vec(row, 1..6));
    prop::collection::vec(rows, 1..30).prop_map(|records| {
        let tables = [table("plain", false), table("bus", true)];
        let mut now = 1_000_000_000_i64;
        let of = |(is_bus, rows): (bool, Vec<(i64, u8, Sample)>)| {
            let rows: Vec<Row> = rows
                .into_iter()
                .map(|(step, sa, sample)| {
                    now += step;
                    Row { micros: now, sa: if is_bus { sa } else { 0 }, sample }
                })
                .collect();
            batch(&tables[usize::from(is_bus)], &rows)
        };
        records.into_iter().map(of).collect()
    })
}

/// What all messages say, without their numbers.
fn told(outbox: &Log<Envelope>) -> Vec<Value> {
    let messages = messages(outbox);
    let mut all = Vec::new();
    for (seq, message) in messages.iter().enumerate() {
        let mut message: Value = serde_json::from_slice(&message.payload).unwrap();
        assert_eq!(message["seq"], seq, "gapless");
        let fields = message.as_object_mut().unwrap();
        fields.remove("seq");
        fields.remove("backlog");
        all.push(message);
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn samples_are_the_same_wherever_forwarding_was_stopped(
        batches in batches(),
        stops in prop::collection::vec(any::<bool>(), 1..12),
        is_door in any::<bool>(),
        is_flushed in any::<bool>(),
    ) {
        let method = if is_door { Method::SwingingDoor } else { Method::Deadband };
        let whole = way_of(method, &SimDisk::new());
        for batch in &batches {
            whole.journal.append(batch.clone()).unwrap();
        }
        whole.journal.sync().unwrap();
        forward(&whole);
        let disk = SimDisk::new();
        let mut way = way_of(method, &disk);
        for (number, batch) in batches.iter().enumerate() {
            way.journal.append(batch.clone()).unwrap();
            way.journal.sync().unwrap();
            let mut run = Run::begin(&way).unwrap();
            while run.step().unwrap().0 > 0 {}
            if stops[number % stops.len()] {
                if is_flushed {
                    way.outbox.sync().unwrap();
                    run.step().unwrap();
                    run.flush().unwrap();
                }
                drop(run);
                let Forward { journal, outbox, .. } = way;
                cut_power(&disk, outbox);
                cut_power(&disk, journal);
                way = way_of(method, &disk);
            }
        }
        forward(&way);
        prop_assert_eq!(told(&way.outbox), told(&whole.outbox));
    }
}

#[test]
fn a_message_of_samples_reads_as_the_contract_says() {
    let way = way_of(Method::Deadband, &SimDisk::new());
    let bus = table("bus", true);
    let good = |micros, sa, value| Row { micros, sa, sample: Sample::Good(value) };
    let bad = Row { micros: 3_000_000, sa: 7, sample: Sample::Bad };
    let rows = [good(1_000_000, 7, 1.5), good(2_000_000, 9, 4.0), bad];
    way.journal.append(batch(&bus, &rows)).unwrap();
    way.journal.sync().unwrap();
    forward(&way);
    let texts: Vec<String> = messages(&way.outbox)
        .into_iter()
        .map(|message| String::from_utf8(message.payload).unwrap())
        .collect();
    let wanted = [
        concat!(
            r#"{"gateway":"gw-1","stream":"samples","seq":0,"ts":"1970-01-01T00:00:03.000000Z","#,
            r#""table":"bus","sa":7,"samples":["#,
            r#"{"column":"flow","ts":"1970-01-01T00:00:01.000000Z","value":1.5},"#,
            r#"{"column":"flow","ts":"1970-01-01T00:00:03.000000Z","value":null,"#,
            r#""quality":"bad","reason":"timeout"}],"backlog":true}"#
        ),
        concat!(
            r#"{"gateway":"gw-1","stream":"samples","seq":1,"ts":"1970-01-01T00:00:02.000000Z","#,
            r#""table":"bus","sa":9,"samples":["#,
            r#"{"column":"flow","ts":"1970-01-01T00:00:02.000000Z","value":4.0}],"backlog":true}"#
        ),
    ];
    assert_eq!(texts, wanted);
}

#[test]
fn many_samples_of_one_record_go_in_several_messages_each_once() {
    let way = way_of(Method::Deadband, &SimDisk::new());
    let plain = table("plain", false);
    let mut rows = BatchBuilder::new(plain);
    for i in 0..4_000_i32 {
        rows.begin(Timestamp::from_micros(i64::from(i) * 1_000), 0, ClockState::Synced);
        rows.set(0, signals::Value::F64(f64::from(i)));
        rows.flaw(0, Quality::uncertain(Reason::RangeHigh));
    }
    way.journal.append(rows.finish().unwrap()).unwrap();
    way.journal.sync().unwrap();
    forward(&way);
    let messages = messages(&way.outbox);
    assert!(messages.len() > 1);
    let samples: Vec<f64> = messages
        .iter()
        .flat_map(|message| {
            assert!(message.payload.len() <= PAYLOAD_BYTES_MAX);
            let message: Value = serde_json::from_slice(&message.payload).unwrap();
            message["samples"].as_array().unwrap().clone()
        })
        .map(|sample| sample["value"].as_f64().unwrap())
        .collect();
    assert_eq!(samples, (0..4_000).map(f64::from).collect::<Vec<_>>());
}

#[test]
fn a_table_that_fell_silent_holds_the_journal_no_longer() {
    let way = way_of(Method::Deadband, &SimDisk::new());
    let mut selection = Selection::new(way.rules.clone());
    let row = |micros| [Row { micros, sa: 0, sample: Sample::Good(1.0) }];
    selection.apply(Offset(0), &batch(&table("plain", false), &row(0)));
    assert_eq!(selection.needed_from(), Some(Offset(0)));
    let bus = table("bus", true);
    selection.apply(Offset(50_000), &batch(&bus, &row(1_000)));
    assert_eq!(selection.needed_from(), Some(Offset(0)));
    selection.apply(Offset(103_000), &batch(&bus, &row(2_000)));
    assert_eq!(selection.needed_from(), Some(Offset(50_000)));
}
