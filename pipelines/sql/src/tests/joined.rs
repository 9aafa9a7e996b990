//! Queries while small files are joined, and after: K-1 to K-5 in `pipelines/flow` as seen from SQL.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

/// Fewer than the attempts of a query: each can outrun it once.
const DAYS: i64 = 8;
const DAY: i64 = 86_400;

/// Five small files a day; the first day begins at midnight, the last is not over.
fn plant_of_days(table: &Arc<Table>) -> Plant {
    let plant = Plant::new();
    for day in 0..DAYS {
        for file in 0..5 {
            let second = 10 + day * DAY + file * 60;
            plant.add(table, second..second + 60);
            plant.seal();
        }
    }
    plant.add(table, 10 + DAYS * DAY..11 + DAYS * DAY);
    plant
}

/// Joins the files of all days that are over, while `meanwhile` does its work; how many days.
fn join(plant: &Plant, meanwhile: impl FnOnce(&AtomicBool)) -> usize {
    let historian = plant.historian(Duration::from_mins(15));
    let (stop, is_over) = (Stop::new(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let running = scope.spawn(|| historian.run(&stop));
        let joining = scope.spawn(|| {
            let end = plant.journal.durable();
            while historian.reached() < end {
                std::thread::park_timeout(Duration::from_millis(1));
            }
            let joined = historian.compact(&Stop::new()).unwrap();
            is_over.store(true, Ordering::SeqCst);
            joined
        });
        meanwhile(&is_over);
        stop.raise();
        running.join().unwrap();
        joining.join().unwrap()
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_files_are_joined_every_query_has_an_answer_with_each_row_once() {
    const SAMPLES: &str = "SELECT count(*), count(DISTINCT ts) FROM samples WHERE path = 'pump/s0'";
    let plant = plant_of_days(&pump(&[ValueType::F64]));
    let all = (DAYS * 300 + 1, DAYS * 300 + 1);
    let mut answers = 0;
    let joined = join(&plant, |is_over| {
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async {
                while !is_over.load(Ordering::SeqCst) {
                    let (rows, times, _) = plant.count().await;
                    assert_eq!((rows, times), all);
                    let rows = plant.ask(SAMPLES).await.unwrap();
                    let number =
                        |place: usize| rows.column(place).as_primitive::<Int64Type>().value(0);
                    assert_eq!((number(0), number(1)), all);
                    answers += 2;
                }
            });
        });
    });
    println!("{answers} answers while {joined} days were joined");
    assert_eq!(joined, usize::try_from(DAYS).unwrap());
    assert!(answers > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn samples_and_the_newest_of_each_signal_are_the_same_after_files_were_joined() {
    const ALL: [&str; 2] = [
        "SELECT * FROM samples ORDER BY ts, path",
        "SELECT path, ts, value, quality FROM latest ORDER BY path",
    ];
    let plant = plant_of_days(&pump(&[ValueType::F64, ValueType::I32]));
    let kept = Lake::open(plant.path()).unwrap();
    let mut before = Vec::new();
    for sql in ALL {
        before.push(ask(&kept, sql).await.unwrap());
    }
    assert_eq!(before[0].num_rows(), usize::try_from(2 * (DAYS * 300 + 1)).unwrap());
    assert_eq!(before[1].num_rows(), 2);
    assert_eq!(join(&plant, |_| ()), usize::try_from(DAYS).unwrap());
    for (sql, before) in ALL.into_iter().zip(before) {
        assert_eq!(ask(&kept, sql).await.unwrap(), before, "{sql}, by who asked before");
        assert_eq!(plant.ask(sql).await.unwrap(), before, "{sql}, by a newcomer");
    }
}
