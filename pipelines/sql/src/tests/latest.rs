//! `latest`: one sample a signal, the newest.

use std::sync::atomic::{AtomicBool, Ordering};

use signals::{Intake as _, Reason};

use super::views::Cell::{Absent, Bad, Doubtful, Good};
use super::views::{cells, intake, samples};
use super::*;

const ALL: &str = "SELECT * FROM latest ORDER BY path";

async fn latest(lake: &Lake) -> Vec<String> {
    samples(&ask(lake, ALL).await.unwrap())
}

#[tokio::test]
async fn the_newest_sample_of_each_signal_is_the_one_that_samples_ends_with() {
    let plant = Plant::new();
    let intake = intake(&plant);
    let table = pump(&[ValueType::F64, ValueType::F64, ValueType::F64]);
    let rows = [
        [Good(1.0), Good(10.0), Good(100.0)],
        [Good(2.0), Absent, Bad(Reason::Crc)],
        [Doubtful(3.0), Absent, Absent],
    ];
    for (second, row) in (0..).zip(rows) {
        intake.offer(cells(&table, second, 0, &row)).unwrap();
    }
    plant.journal.sync().unwrap();
    let wanted = [
        "pump/s0 2 Some(3.0) uncertain range_high",
        "pump/s1 0 Some(10.0) good",
        "pump/s2 1 None bad crc",
    ];
    let kept = Lake::open(plant.path()).unwrap();
    for _ in 0..2 {
        assert_eq!(latest(&kept).await, wanted);
        assert_eq!(latest(&Lake::open(plant.path()).unwrap()).await, wanted, "at the first look");
        plant.journal.sync().unwrap();
        plant.seal();
    }
    intake.offer(cells(&table, 3, 0, &[Absent, Good(11.0), Absent])).unwrap();
    plant.journal.sync().unwrap();
    let wanted = [wanted[0], "pump/s1 3 Some(11.0) good", wanted[2]];
    assert_eq!(latest(&kept).await, wanted);
}

#[tokio::test]
async fn what_has_left_the_journal_is_found_in_the_newest_files() {
    let plant = Plant::new();
    let intake = intake(&plant);
    let table = pump(&[ValueType::F64, ValueType::F64, ValueType::F64]);
    intake.offer(cells(&table, 0, 0, &[Good(1.0), Good(10.0), Good(100.0)])).unwrap();
    plant.journal.sync().unwrap();
    plant.seal();
    intake.offer(cells(&table, 1, 0, &[Doubtful(2.0), Absent, Absent])).unwrap();
    intake.offer(cells(&table, 2, 0, &[Bad(Reason::Timeout), Absent, Absent])).unwrap();
    plant.journal.sync().unwrap();
    plant.seal();
    let without_journal = tempfile::tempdir().unwrap();
    for folder in ["lake", "tables"] {
        copy(&plant.path().join(folder), &without_journal.path().join(folder));
    }
    let lake = Lake::open(without_journal.path()).unwrap();
    for _ in 0..2 {
        let wanted = [
            "pump/s0 2 None bad timeout",
            "pump/s1 0 Some(10.0) good",
            "pump/s2 0 Some(100.0) good",
        ];
        assert_eq!(latest(&lake).await, wanted);
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[tokio::test]
async fn each_sender_has_its_newest_sample_also_when_it_fell_silent() {
    let plant = Plant::new();
    let intake = intake(&plant);
    let signal = Signal::new("bus/eec1/speed", "speed", ValueType::F64);
    let table = Table::of_signals("bus_eec1", "bus", true, vec![signal]).unwrap();
    for (second, (sender, cell)) in (0..).zip([(3, Good(10.0)), (17, Good(20.0))]) {
        intake.offer(cells(&table, second, sender, &[cell])).unwrap();
    }
    plant.journal.sync().unwrap();
    plant.seal();
    intake.offer(cells(&table, 2, 17, &[Good(21.0)])).unwrap();
    plant.journal.sync().unwrap();
    let wanted = ["bus/eec1/speed@17 2 Some(21.0) good", "bus/eec1/speed@3 0 Some(10.0) good"];
    assert_eq!(latest(&Lake::open(plant.path()).unwrap()).await, wanted);
}

#[tokio::test]
async fn a_signal_that_its_table_no_longer_has_is_not_listed() {
    let plant = Plant::new();
    plant.add(&pump(&[ValueType::F64, ValueType::F64]), 0..2);
    let kept = Lake::open(plant.path()).unwrap();
    assert_eq!(latest(&kept).await.len(), 2);
    plant.add(&pump(&[ValueType::F64]), 2..3);
    let wanted = ["pump/s0 2 Some(2.0) good"];
    assert_eq!(latest(&kept).await, wanted);
    assert_eq!(latest(&Lake::open(plant.path()).unwrap()).await, wanted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_rows_come_and_are_sealed_the_newest_never_steps_back() {
    let plant = Plant::new();
    let table = pump(&[ValueType::F64, ValueType::F64]);
    plant.add(&table, 0..1);
    let is_over = AtomicBool::new(false);
    let stop = Stop::new();
    let historian = plant.historian(Duration::from_millis(50));
    let seen = std::thread::scope(|scope| {
        scope.spawn(|| historian.run(&stop));
        scope.spawn(|| {
            let mut second = 1;
            while !is_over.load(Ordering::SeqCst) {
                plant.add(&table, second..second + 3);
                second += 3;
            }
        });
        let seen = tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(ask_again_and_again(&plant))
        });
        is_over.store(true, Ordering::SeqCst);
        stop.raise();
        seen
    });
    let mut before = 0.0;
    for (durable, newest, count) in seen {
        assert_eq!(count, 2);
        assert!(newest >= before, "{newest} after {before}");
        // One record is one second, the first is 0.
        assert!(newest + 1.0 >= durable, "{newest} though {durable} records were durable");
        before = newest;
    }
    assert!(historian.counts().files > 5, "hardly any files were sealed meanwhile");
}

/// Records durable before, the least of the newest values, and how many there were.
async fn ask_again_and_again(plant: &Plant) -> Vec<(f64, f64, i64)> {
    let kept = Lake::open(plant.path()).unwrap();
    let mut seen = Vec::new();
    for _ in 0..50 {
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let durable = plant.journal.durable().0 as f64;
        let rows = ask(&kept, "SELECT min(value), count(*) FROM latest").await.unwrap();
        let newest = rows.column(0).as_primitive::<Float64Type>().value(0);
        seen.push((durable, newest, rows.column(1).as_primitive::<Int64Type>().value(0)));
    }
    seen
}
