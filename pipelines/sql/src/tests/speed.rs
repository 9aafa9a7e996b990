//! How long queries take. Run with `--ignored --nocapture` on a machine that is recorded.

use std::time::Instant;

use super::*;

const FILES: i64 = 300;
const ROWS_A_FILE: i64 = 100;
const TAIL_ROWS: i64 = 10_000;

#[tokio::test]
#[ignore = "a measurement, not a check"]
async fn time_of_first_and_further_queries() {
    let plant = Plant::new();
    let table = pump(&[ValueType::F64; 40]);
    for file in 0..FILES {
        plant.add(&table, file * ROWS_A_FILE..(file + 1) * ROWS_A_FILE);
        plant.seal();
    }
    plant.journal.cursor("historian").flush().unwrap();
    plant.add(&table, FILES * ROWS_A_FILE..FILES * ROWS_A_FILE + TAIL_ROWS);
    let began = Instant::now();
    let lake = Lake::open(plant.path()).unwrap();
    println!("open: {:?}", began.elapsed());
    for sql in [
        "SELECT 1",
        "SELECT 1",
        "SHOW TABLES",
        "SELECT count(*) FROM pump",
        "SELECT count(*) FROM pump",
        "SELECT sum(s0) FROM pump",
        "SELECT date_bin(INTERVAL '1 minute', ts) AS t, avg(s0) FROM pump GROUP BY 1 ORDER BY 1",
        "SELECT count(*) FROM pump WHERE ts >= '2026-10-27T08:00:00Z'",
        "SELECT * FROM pump ORDER BY ts DESC LIMIT 1",
    ] {
        let began = Instant::now();
        let rows = ask(&lake, sql).await.unwrap();
        println!("{:?} {} rows: {sql}", began.elapsed(), rows.num_rows());
    }
}
