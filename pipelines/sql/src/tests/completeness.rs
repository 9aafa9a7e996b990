//! `completeness` and `holes`: what is expected is stored, or missing for a cause.

use std::collections::BTreeMap;

use pipelines_flow::system::{Cell, SystemRows};
use proptest::prelude::*;
use signals::{Gap, Intake as _, Reason};

use super::views::{Cell as Value_, cells, intake};
use super::*;

/// Start of the hour of [`START`], in seconds after it.
const HOUR: i64 = -3_590;

fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(START + second * 1_000_000)
}

/// Says that the signals of a table are sampled every second from then on.
fn register(plant: &Plant, table: &Table, from: i64) {
    let row = |signal: signals::SignalRef<'_>| {
        let texts = [signal.path, table.name(), signal.column, "f64", "", "", ""];
        let mut cells: Vec<Cell> = texts.map(Cell::from).to_vec();
        cells.extend([Cell::from(at(from)), Cell::Time(None), Cell::Number(Some(1_000_000))]);
        (at(from), cells)
    };
    let rows: Vec<_> = table.signals().iter().map(row).collect();
    plant.journal.append(SystemRows::signals().batch(&rows).unwrap()).unwrap();
}

fn gap(plant: &Plant, (start, end): (i64, i64), cause: &'static str) {
    let (start, end) = (Some(at(start)), Some(at(end)));
    let gap = Gap { table: "pump".to_owned(), start, end, cause, detail: String::new() };
    GapLog::new(plant.journal.clone()).append(&[gap]).unwrap();
}

/// Lets the journal be written for the last time at a second.
fn known_to(plant: &Plant, second: i64) {
    plant.clock.step_to(at(second));
    plant.journal.append(SystemRows::gaps().batch(&[(at(second), gap_cells())]).unwrap()).unwrap();
    plant.journal.sync().unwrap();
}

/// A gap of which nobody knows when it was.
fn gap_cells() -> Vec<Cell> {
    vec![Cell::from("*"), Cell::Time(None), Cell::Time(None), Cell::from("x"), Cell::from("")]
}

/// Hours after the first, path, expected, good, uncertain, bad, reasons, explained, causes,
/// unexplained.
async fn told(plant: &Plant, condition: &str) -> Vec<String> {
    let sql = format!("SELECT * FROM completeness {condition} ORDER BY path, ts");
    let rows = plant.ask(&sql).await.unwrap();
    (0..rows.num_rows()).map(|row| line(&rows, row)).collect()
}

fn number(rows: &RecordBatch, name: &str, row: usize) -> Option<i64> {
    use arrow_array::Array as _;
    let column = rows.column_by_name(name).unwrap().as_primitive::<Int64Type>();
    column.is_valid(row).then(|| column.value(row))
}

fn line(rows: &RecordBatch, row: usize) -> String {
    use arrow_array::types::TimestampMicrosecondType;
    let text = |name| rows.column_by_name(name).unwrap().as_string_view().value(row).to_owned();
    let hour = rows.column(0).as_primitive::<TimestampMicrosecondType>().value(row);
    let hour = (hour - at(HOUR).micros()) / 3_600_000_000;
    let number = |name| number(rows, name, row).map_or("-".to_owned(), |n| n.to_string());
    let [expected, good, uncertain, bad, explained, unexplained] =
        ["expected", "good", "uncertain", "bad", "explained", "unexplained"].map(number);
    let (path, reasons, causes) = (text("path"), text("reasons"), text("causes"));
    format!(
        "{hour} {path} {expected} = {good} {uncertain} {bad} {reasons} + {explained} {causes} + \
         {unexplained}"
    )
}

#[tokio::test]
async fn what_is_expected_is_stored_or_explained_or_neither_by_signal_and_hour() {
    let plant = Plant::new();
    let table = pump(&[ValueType::F64, ValueType::F64]);
    register(&plant, &table, 0);
    let intake = intake(&plant);
    for second in (0..30).chain(60..100).chain(103..120) {
        let other = if second < 5 { Value_::Bad(Reason::Timeout) } else { Value_::Good(2.0) };
        intake.offer(cells(&table, second, 0, &[Value_::Good(1.0), other])).unwrap();
    }
    gap(&plant, (30, 44), "gateway_off");
    gap(&plant, (40, 49), "evicted");
    known_to(&plant, 130);
    // Midnight is ten seconds after the start. The slot of second 127 was over at 128, and what was
    // sampled then is in the journal two seconds later.
    let wanted = [
        "0 pump/s0 10 = 10 0 0 {} + 0 {} + 0",
        "1 pump/s0 118 = 77 0 0 {} + 20 {\"evicted\":5,\"gateway_off\":15} + 21",
        "0 pump/s1 10 = 5 0 5 {\"timeout\":5} + 0 {} + 0",
        "1 pump/s1 118 = 77 0 0 {} + 20 {\"evicted\":5,\"gateway_off\":15} + 21",
    ];
    for _ in 0..2 {
        assert_eq!(told(&plant, "").await, wanted);
        assert_eq!(
            told(&plant, "WHERE path = 'pump/s1' AND ts >= '2026-10-27'").await,
            wanted[3..]
        );
        assert_eq!(told(&plant, "WHERE \"table\" = 'valve'").await, [""; 0]);
        plant.seal();
    }
    let sql = "SELECT (extract(epoch FROM ts) - 1793059190)::BIGINT AS s, missing, cause FROM holes ORDER BY 1";
    let rows = plant.ask(sql).await.unwrap();
    let holes: Vec<_> = (0..rows.num_rows())
        .map(|row| {
            let cause = rows.column(2).as_string_view().value(row).to_owned();
            (number(&rows, "s", row).unwrap(), number(&rows, "missing", row).unwrap(), cause)
        })
        .collect();
    let hole = |second, missing, cause: &str| (second, missing, cause.to_owned());
    let wanted = [
        hole(30, 15, "gateway_off"),
        hole(45, 5, "evicted"),
        hole(50, 10, "unexplained"),
        hole(100, 3, "unexplained"),
        hole(120, 8, "unexplained"),
    ];
    assert_eq!(holes, wanted);
}

#[tokio::test]
async fn of_a_table_without_a_period_nothing_is_expected_and_gaps_are_told_in_seconds() {
    let plant = Plant::new();
    plant.add(&pump(&[ValueType::F64]), 0..20);
    gap(&plant, (12, 14), "interface_down");
    known_to(&plant, 30);
    let wanted = [
        "0 pump/s0 - = 10 0 0 {} + - {} + -",
        "1 pump/s0 - = 10 0 0 {} + - {\"interface_down\":\"2.000 s\"} + -",
    ];
    assert_eq!(told(&plant, "").await, wanted);
}

#[tokio::test]
async fn hours_before_a_signal_was_there_and_after_it_went_are_not_expected() {
    let plant = Plant::new();
    let table = pump(&[ValueType::F64]);
    TableStore::open(&plant.path().join("tables"), Arc::new(RealDisk))
        .and_then(|definitions| definitions.hash_of(&table))
        .unwrap();
    register(&plant, &table, 7_200);
    let gone = vec![Cell::from("pump/s0"), Cell::Text(None), Cell::Text(None), Cell::Text(None)];
    let mut gone: Vec<Cell> = gone;
    gone.extend([Cell::Text(None), Cell::Text(None), Cell::Text(None)]);
    gone.extend([Cell::from(at(7_200)), Cell::from(at(7_260)), Cell::Number(None)]);
    plant.journal.append(SystemRows::signals().batch(&[(at(7_260), gone)]).unwrap()).unwrap();
    known_to(&plant, 50_000);
    // From ten seconds before the hour on, a minute long.
    let wanted = ["2 pump/s0 10 = 0 0 0 {} + 0 {} + 10", "3 pump/s0 50 = 0 0 0 {} + 0 {} + 50"];
    assert_eq!(told(&plant, "").await, wanted);
}

/// What happens in a slot.
#[derive(Clone, Copy, Debug)]
enum Slot {
    Good,
    Doubtful,
    Bad,
    Missing,
}

/// Slots of four hours at half a minute, gaps among them, and where the lake is sealed.
fn worlds() -> impl Strategy<Value = (Vec<Slot>, Vec<(usize, i64, i64)>, usize)> {
    let slot = prop_oneof![
        6 => Just(Slot::Good), 1 => Just(Slot::Doubtful), 1 => Just(Slot::Bad),
        2 => Just(Slot::Missing),
    ];
    let runs = prop::collection::vec((slot, 1_usize..40), 1..40);
    let slots = runs.prop_map(|runs| {
        runs.iter().flat_map(|(slot, count)| std::iter::repeat_n(*slot, *count)).collect::<Vec<_>>()
    });
    let gaps = prop::collection::vec((0_usize..3, 0_i64..500, 0_i64..200), 0..6);
    (slots, gaps, 0_usize..500)
}

const SLOT_S: i64 = 30;
const CAUSES: [&str; 3] = ["evicted", "gateway_off", "line_busy"];

/// Expected, good, uncertain, bad, explained, unexplained by hour.
type Sums = BTreeMap<i64, [i64; 6]>;

/// The plain model: slot by slot.
fn model(slots: &[Slot], gaps: &[(usize, i64, i64)]) -> Sums {
    let mut hours = Sums::new();
    for (number, slot) in (0_i64..).zip(slots) {
        let second = number * SLOT_S;
        let hour =
            hours.entry((at(second).micros() - at(HOUR).micros()) / 3_600_000_000).or_default();
        let is_told = gaps.iter().any(|(_, from, long)| (*from..=from + long).contains(&number));
        let place = match slot {
            Slot::Good => 1,
            Slot::Doubtful => 2,
            Slot::Bad => 3,
            Slot::Missing if is_told => 4,
            Slot::Missing => 5,
        };
        hour[0] += 1;
        hour[place] += 1;
    }
    hours
}

async fn measured(slots: &[Slot], gaps: &[(usize, i64, i64)], sealed: usize) -> Sums {
    let plant = Plant::new();
    let table = pump(&[ValueType::F64]).with_period(Duration::from_secs(30));
    // As a gateway does at its start: the table may never get a row.
    TableStore::open(&plant.path().join("tables"), Arc::new(RealDisk))
        .and_then(|definitions| definitions.hash_of(&table))
        .unwrap();
    let row = |signal: signals::SignalRef<'_>| {
        let texts = [signal.path, table.name(), signal.column, "f64", "", "", ""];
        let mut cells: Vec<Cell> = texts.map(Cell::from).to_vec();
        cells.extend([Cell::from(at(0)), Cell::Time(None), Cell::Number(Some(SLOT_S * 1_000_000))]);
        (at(0), cells)
    };
    let rows: Vec<_> = table.signals().iter().map(row).collect();
    plant.journal.append(SystemRows::signals().batch(&rows).unwrap()).unwrap();
    let intake = intake(&plant);
    for (number, slot) in slots.iter().enumerate() {
        let cell = match slot {
            Slot::Good => Value_::Good(1.0),
            Slot::Doubtful => Value_::Doubtful(2.0),
            Slot::Bad => Value_::Bad(Reason::Timeout),
            Slot::Missing => continue,
        };
        let second = i64::try_from(number).unwrap() * SLOT_S;
        intake.offer(cells(&table, second, 0, &[cell])).unwrap();
        if number == sealed {
            plant.journal.sync().unwrap();
            plant.seal();
        }
    }
    for (cause, from, long) in gaps {
        gap(&plant, (from * SLOT_S, (from + long) * SLOT_S), CAUSES[*cause]);
    }
    // Just before the slot behind the last could be told of.
    known_to(&plant, i64::try_from(slots.len()).unwrap() * SLOT_S + SLOT_S + 1);
    let rows = plant.ask("SELECT * FROM completeness").await.unwrap();
    let mut hours = Sums::new();
    for row in 0..rows.num_rows() {
        use arrow_array::types::TimestampMicrosecondType;
        let hour = rows.column(0).as_primitive::<TimestampMicrosecondType>().value(row);
        let hour = (hour - at(HOUR).micros()) / 3_600_000_000;
        let names = ["expected", "good", "uncertain", "bad", "explained", "unexplained"];
        hours.insert(hour, names.map(|name| number(&rows, name, row).unwrap()));
    }
    hours.retain(|_, sums| sums[0] > 0);
    hours
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn expected_is_stored_and_explained_and_unexplained_as_a_plain_model_has_it(
        (slots, gaps, sealed) in worlds()
    ) {
        let threads = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let measured = threads.block_on(measured(&slots, &gaps, sealed));
        for (hour, [expected, good, uncertain, bad, explained, unexplained]) in &measured {
            prop_assert_eq!(*expected, good + uncertain + bad + explained + unexplained, "{}", hour);
        }
        prop_assert_eq!(measured, model(&slots, &gaps));
    }
}

#[tokio::test]
async fn a_signal_that_a_clock_at_1970_registered_costs_no_memory_without_bound() {
    let plant = Plant::new();
    let table = pump(&[ValueType::F64; 40]);
    register(&plant, &table, -START / 1_000_000);
    plant.add(&table, 0..60);
    known_to(&plant, 120);
    let all = plant.ask("SELECT * FROM completeness").await;
    assert!(matches!(all, Err(SqlError::Memory { .. })), "{all:?}");
    let hour = told(&plant, "WHERE ts >= TIMESTAMP '2026-10-26T23:00:00Z'").await;
    assert!(hour.len() >= 40, "{hour:?}");
}

#[tokio::test]
async fn a_time_that_no_clock_should_say_does_not_keep_a_query_from_ending() {
    let plant = Plant::new();
    let table = pump(&[ValueType::F64]);
    register(&plant, &table, -200_000_000_000);
    plant.add(&table, 0..60);
    known_to(&plant, 120);
    let hours = plant.ask("SELECT count(*) FROM holes").await;
    assert!(hours.is_ok(), "{hours:?}");
}
