//! Q-1 while a gateway writes: see the crate's header.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use super::*;

const QUERIES: usize = 100;
/// Rows that are written for each query: were there no bound, a slow machine would make more files
/// while it reads them, and read more the longer it takes.
const ROWS_A_QUERY: i64 = 60;

/// What one query saw, and what had to and could be seen.
struct Seen {
    durable_before: i64,
    rows: i64,
    times: i64,
    next_after: i64,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_rows_are_sealed_every_query_sees_each_durable_row_exactly_once() {
    let plant = Plant::new();
    let table = pump(&[ValueType::F64, ValueType::F64]);
    plant.add(&table, 0..1);
    let (is_over, asked) = (AtomicBool::new(false), AtomicI64::new(0));
    let stop = Stop::new();
    let historian = plant.historian(Duration::from_millis(50));
    let seen = std::thread::scope(|scope| {
        scope.spawn(|| historian.run(&stop));
        scope.spawn(|| {
            let mut second = 1;
            while !is_over.load(Ordering::SeqCst) {
                if second > ROWS_A_QUERY * (asked.load(Ordering::SeqCst) + 2) {
                    std::thread::sleep(Duration::from_millis(1));
                    continue;
                }
                plant.add(&table, second..second + 3);
                second += 3;
            }
        });
        let seen = tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(ask_again_and_again(&plant, &asked))
        });
        is_over.store(true, Ordering::SeqCst);
        stop.raise();
        seen
    });
    assert_eq!(seen.len(), QUERIES);
    let mut before = 0;
    for seen in &seen {
        assert_eq!(seen.rows, seen.times, "a row was seen twice");
        assert!(seen.rows >= seen.durable_before, "a durable row was not seen");
        assert!(seen.rows <= seen.next_after, "a row was seen before it was written");
        assert!(seen.rows > before, "a row disappeared");
        before = seen.rows;
    }
    let files = historian.counts().files;
    assert!(files > 10, "only {files} files were sealed meanwhile");
}

async fn ask_again_and_again(plant: &Plant, asked: &AtomicI64) -> Vec<Seen> {
    let lake = Lake::open(plant.path()).unwrap();
    let sql = "SELECT count(*), count(DISTINCT ts) FROM pump";
    let mut seen: Vec<Seen> = Vec::new();
    for _ in 0..QUERIES {
        let last = seen.last().map_or(0, |seen| seen.rows.unsigned_abs());
        let wait = Duration::from_secs(20);
        let durable = plant.journal.wait_past(signals::Offset(last), wait);
        let rows = ask(&lake, sql).await.unwrap();
        let number = |place: usize| rows.column(place).as_primitive::<Int64Type>().value(0);
        seen.push(Seen {
            durable_before: durable.0.cast_signed(),
            rows: number(0),
            times: number(1),
            next_after: plant.journal.next().0.cast_signed(),
        });
        asked.fetch_add(1, Ordering::SeqCst);
    }
    seen
}
