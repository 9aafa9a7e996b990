//! `samples`: the same rows, one sample each.

use pipelines_flow::condition::JournalIntake;
use pipelines_flow::event_log::EventLog;
use signals::{Intake as _, Quality, Reason};

use super::*;

/// What an adapter hands on: values, or reasons why there are none or they are doubtful.
#[derive(Clone, Copy)]
pub(super) enum Cell {
    Good(f64),
    Doubtful(f64),
    Bad(Reason),
    Absent,
}

use self::Cell::{Absent, Bad, Doubtful, Good};

pub(super) fn intake(plant: &Plant) -> JournalIntake {
    let journal = plant.journal.clone();
    JournalIntake::new(GapLog::new(journal.clone()), EventLog::new(journal))
}

/// A row of real columns at a second after [`START`], sent by an address if the table has them.
pub(super) fn cells(table: &Arc<Table>, second: i64, sender: u8, cells: &[Cell]) -> Batch {
    let mut rows = BatchBuilder::new(Arc::clone(table));
    rows.begin(Timestamp::from_micros(START + second * 1_000_000), sender, ClockState::Synced);
    for (place, cell) in cells.iter().enumerate() {
        match cell {
            Good(value) => rows.set(place, Value::F64(*value)),
            Doubtful(value) => {
                rows.set(place, Value::F64(*value));
                rows.flaw(place, Quality::uncertain(Reason::RangeHigh));
            }
            Bad(reason) => rows.flaw(place, Quality::bad(*reason)),
            Absent => {}
        }
    }
    rows.finish().unwrap()
}

fn text(rows: &RecordBatch, name: &str, row: usize) -> String {
    rows.column_by_name(name).unwrap().as_string_view().value(row).to_owned()
}

/// Path, second, value, quality and reason of each row.
pub(super) fn samples(rows: &RecordBatch) -> Vec<String> {
    use arrow_array::Array as _;
    use arrow_array::types::TimestampMicrosecondType;
    let times = rows.column_by_name("ts").unwrap().as_primitive::<TimestampMicrosecondType>();
    let values = rows.column_by_name("value").unwrap().as_primitive::<Float64Type>();
    let sample = |row: usize| {
        let value = (!values.is_null(row)).then(|| values.value(row));
        let second = (times.value(row) - START) / 1_000_000;
        let of = |name| text(rows, name, row);
        format!("{} {second} {value:?} {} {}", of("path"), of("quality"), of("reason"))
    };
    (0..rows.num_rows()).map(|row| sample(row).trim_end().to_owned()).collect()
}

const ALL: &str = "SELECT * FROM samples ORDER BY path, ts";

#[tokio::test]
async fn every_cell_of_every_table_is_one_sample_wherever_it_is() {
    let plant = Plant::new();
    let valve = Signal::new("valve/open", "open", ValueType::U8);
    let valve = Table::of_signals("valve", "valve", false, vec![valve]).unwrap();
    plant.add(&pump(&[ValueType::F64, ValueType::I32]), 0..12);
    plant.seal();
    plant.add(&valve, 0..3);
    plant.add(&pump(&[ValueType::F64, ValueType::I32]), 12..15);
    let sql = "SELECT path, count(*), count(DISTINCT ts), sum(value) FROM samples GROUP BY 1 \
               ORDER BY 1";
    for _ in 0..2 {
        let rows = plant.ask(sql).await.unwrap();
        let sums = rows.column(3).as_primitive::<Float64Type>();
        let number =
            |column: usize, row| rows.column(column).as_primitive::<Int64Type>().value(row);
        let told: Vec<_> = (0..rows.num_rows())
            .map(|row| (text(&rows, "path", row), number(1, row), number(2, row), sums.value(row)))
            .collect();
        let wanted = [
            ("pump/s0".to_owned(), 15, 15, sum_to(15)),
            ("pump/s1".to_owned(), 15, 15, sum_to(15)),
            ("valve/open".to_owned(), 3, 3, sum_to(3)),
        ];
        assert_eq!(told, wanted);
        plant.seal();
    }
}

#[tokio::test]
async fn a_sample_has_the_quality_that_held_at_its_time() {
    let plant = Plant::new();
    let intake = intake(&plant);
    let table = pump(&[ValueType::F64, ValueType::F64]);
    let rows = [
        [Good(1.0), Absent],
        [Good(2.0), Bad(Reason::Timeout)],
        [Doubtful(99.0), Absent],
        [Good(4.0), Good(5.0)],
        [Bad(Reason::Crc), Absent],
    ];
    for (second, row) in (0..).zip(rows) {
        intake.offer(cells(&table, second, 0, &row)).unwrap();
    }
    plant.journal.sync().unwrap();
    let wanted = [
        "pump/s0 0 Some(1.0) good",
        "pump/s0 1 Some(2.0) good",
        "pump/s0 2 Some(99.0) uncertain range_high",
        "pump/s0 3 Some(4.0) good",
        "pump/s0 4 None bad crc",
        "pump/s1 1 None bad timeout",
        "pump/s1 3 Some(5.0) good",
    ];
    for _ in 0..2 {
        assert_eq!(samples(&plant.ask(ALL).await.unwrap()), wanted);
        // Times after the change alone: what held before still counts.
        let later = "SELECT * FROM samples WHERE ts >= TIMESTAMP '2026-10-26T23:59:54' ORDER BY 1";
        assert_eq!(samples(&plant.ask(later).await.unwrap()), ["pump/s0 4 None bad crc"]);
        plant.seal();
    }
}

#[tokio::test]
async fn a_doubtful_value_whose_quality_nobody_knows_is_not_good() {
    let plant = Plant::new();
    let table = pump(&[ValueType::F64, ValueType::F64]);
    for (second, row) in (0..).zip([[Doubtful(1.0), Good(2.0)], [Good(3.0), Bad(Reason::Crc)]]) {
        plant.journal.append(cells(&table, second, 0, &row)).unwrap();
    }
    plant.journal.sync().unwrap();
    let wanted = [
        "pump/s0 0 Some(1.0) uncertain",
        "pump/s0 1 Some(3.0) uncertain",
        "pump/s1 0 Some(2.0) uncertain",
        "pump/s1 1 None bad",
    ];
    assert_eq!(samples(&plant.ask(ALL).await.unwrap()), wanted);
}

#[tokio::test]
async fn each_sender_of_a_bus_has_its_own_samples() {
    let plant = Plant::new();
    let intake = intake(&plant);
    let signal = Signal::new("bus/eec1/speed", "speed", ValueType::F64);
    let table = Table::of_signals("bus_eec1", "bus", true, vec![signal]).unwrap();
    let sent =
        [(3, Good(10.0)), (17, Good(20.0)), (3, Bad(Reason::NotAvailable)), (17, Good(21.0))];
    for (second, (sender, cell)) in (0..).zip(sent) {
        intake.offer(cells(&table, second, sender, &[cell])).unwrap();
    }
    plant.journal.sync().unwrap();
    for _ in 0..2 {
        let of_one = "SELECT * FROM samples WHERE path = 'bus/eec1/speed@3' ORDER BY ts";
        let wanted =
            ["bus/eec1/speed@3 0 Some(10.0) good", "bus/eec1/speed@3 2 None bad not_available"];
        assert_eq!(samples(&plant.ask(of_one).await.unwrap()), wanted);
        assert_eq!(plant.ask(ALL).await.unwrap().num_rows(), 4);
        plant.seal();
    }
}

#[tokio::test]
async fn texts_and_bytes_stand_beside_the_values_and_truth_is_zero_or_one() {
    let plant = Plant::new();
    let signals = [("on", ValueType::Bool), ("name", ValueType::Text), ("id", ValueType::Bytes)];
    let signals = signals.map(|(name, kind)| Signal::new(format!("p/{name}"), name, kind));
    let table = Table::of_signals("p", "p", false, signals.to_vec()).unwrap();
    let mut rows = BatchBuilder::new(table);
    rows.begin(Timestamp::from_micros(START), 0, ClockState::Synced);
    rows.set(0, Value::Bool(true));
    rows.set(1, Value::Text("press 4"));
    rows.set(2, Value::Bytes(&[0x0A, 0xFF]));
    plant.journal.append(rows.finish().unwrap()).unwrap();
    plant.journal.sync().unwrap();
    let sql = "SELECT CAST(value AS VARCHAR) AS value, text FROM samples ORDER BY path";
    let rows = plant.ask(sql).await.unwrap();
    let texts: Vec<_> = rows.column(1).as_string_view().iter().collect();
    assert_eq!(texts, [Some("0aff"), Some("press 4"), None]);
    let values = arrow_array::cast::AsArray::as_string_view(rows.column(0).as_ref());
    assert_eq!(values.iter().collect::<Vec<_>>(), [None, None, Some("1.0")]);
}

#[tokio::test]
async fn filters_on_path_and_time_read_the_column_and_the_file_they_are_about() {
    let plant = Plant::new();
    plant.add(&pump(&[ValueType::F64, ValueType::F64]), 0..20);
    let valve = Signal::new("valve/open", "open", ValueType::U8);
    plant.add(&Table::of_signals("valve", "valve", false, vec![valve]).unwrap(), 0..20);
    plant.seal();
    let sql = "SELECT count(*) FROM samples WHERE path = 'pump/s1' AND ts >= '2026-10-27'";
    let rows = plant.ask(sql).await.unwrap();
    assert_eq!(rows.column(0).as_primitive::<Int64Type>().value(0), 10);
    let plan = plant.ask(&format!("EXPLAIN {sql}")).await.unwrap();
    let plan = plan.column(1).as_string::<i32>();
    let plan: String = plan.iter().flatten().collect();
    assert!(plan.contains("SamplesExec: tables=1, columns=1"), "{plan}");
    assert!(plan.contains("date=2026-10-27") && !plan.contains("date=2026-10-26"), "{plan}");
    assert!(!plan.contains("valve") && !plan.contains("s0"), "{plan}");
}

#[tokio::test]
async fn a_sum_over_samples_reads_tables_one_after_the_other_within_its_memory() {
    let plant = Plant::new();
    for table in 0..40 {
        let signal = Signal::new(format!("t{table}/s"), "s", ValueType::F64);
        let name = format!("t{table}");
        let table = Table::of_signals(&name, &name, false, vec![signal]).unwrap();
        plant.journal.append(cells(&table, 0, 0, &[Good(1.0)])).unwrap();
        plant.journal.append(cells(&table, 1, 0, &[Good(2.0)])).unwrap();
    }
    plant.journal.sync().unwrap();
    plant.seal();
    let rows = plant.ask("SELECT count(*), sum(value) FROM samples").await.unwrap();
    assert_eq!(rows.column(0).as_primitive::<Int64Type>().value(0), 80);
    assert!((rows.column(1).as_primitive::<Float64Type>().value(0) - 120.0).abs() < 1e-9);
}
