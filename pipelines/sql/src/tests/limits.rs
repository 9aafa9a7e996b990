//! What is refused, and how it is said.

use super::*;

async fn refused(sql: &str) -> String {
    let plant = Plant::new();
    plant.add(&pump(&[ValueType::F64]), 0..3);
    plant.ask(sql).await.unwrap_err().to_string()
}

async fn check(sql: &str, parts: &[&str]) {
    let message = refused(sql).await;
    for part in parts {
        assert!(message.contains(part), "`{sql}` gave: {message}");
    }
}

#[tokio::test]
async fn an_unknown_table_comes_with_the_nearest_name() {
    check("SELECT * FROM pumb", &["`pumb`", "did you mean `pump`?"]).await;
    check("SELECT * FROM pump JOIN valve USING (ts)", &["`valve`"]).await;
}

#[tokio::test]
async fn an_unknown_column_comes_with_the_nearest_name() {
    check("SELECT s9 FROM pump", &["`s9`", "the nearest is `s0`", "DESCRIBE"]).await;
}

#[tokio::test]
async fn a_syntax_error_comes_with_its_position() {
    check("SELECT * FORM pump", &["Line: 1, Column: 10"]).await;
    check("SELECT 'a", &["Line: 1, Column: 8"]).await;
}

#[tokio::test]
async fn nothing_can_be_written() {
    for sql in [
        "CREATE VIEW v AS SELECT 1",
        "CREATE TABLE t AS SELECT 1",
        "CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION '/etc'",
        "INSERT INTO pump SELECT * FROM pump",
        "DELETE FROM pump",
        "UPDATE pump SET s0 = 1",
        "DROP TABLE pump",
        "COPY pump TO '/tmp/pump.parquet'",
        "EXPLAIN ANALYZE INSERT INTO pump SELECT * FROM pump",
        "SET datafusion.execution.batch_size = 1",
        "SELECT 1; SELECT 2",
        "SELECT * FROM '/etc/passwd'",
    ] {
        let message = refused(sql).await;
        assert!(!message.is_empty(), "{sql}");
    }
    check("DROP TABLE pump", &["DROP is not allowed", "read only"]).await;
    check("COPY pump TO '/tmp/pump.parquet'", &["COPY is not allowed"]).await;
    check("EXPLAIN ANALYZE INSERT INTO pump SELECT * FROM pump", &["read only"]).await;
}

#[tokio::test]
async fn an_answer_is_cut_at_the_row_limit_and_says_so() {
    let plant = Plant::new();
    plant.add(&pump(&[ValueType::F64]), 0..20);
    let limits = Limits { rows: 7, ..Limits::default() };
    let lake = Lake::open_within(plant.path(), limits).unwrap();
    let mut rows = lake.query("SELECT * FROM pump").await.unwrap();
    let mut count = 0;
    while let Some(batch) = rows.next().await {
        count += batch.unwrap().num_rows();
    }
    assert_eq!((count, rows.is_cut()), (7, true));
}

#[tokio::test]
async fn dropping_an_answer_ends_its_query() {
    let plant = Plant::new();
    plant.add(&pump(&[ValueType::F64]), 0..3);
    let lake = Lake::open(plant.path()).unwrap();
    let sql = "SELECT a.value FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b";
    let mut rows = lake.query(sql).await.unwrap();
    assert!(rows.next().await.unwrap().is_ok());
    assert!(lake.running() > 0);
    drop(rows);
    let until = std::time::Instant::now() + Duration::from_secs(20);
    while lake.running() > 0 {
        assert!(std::time::Instant::now() < until, "{} tasks are left", lake.running());
        tokio::task::yield_now().await;
    }
}

async fn is_stopped(sql: &str) {
    let plant = Plant::new();
    plant.add(&pump(&[ValueType::F64]), 0..3);
    let limits = Limits { time: Duration::from_millis(200), ..Limits::default() };
    let lake = Lake::open_within(plant.path(), limits).unwrap();
    let err = ask(&lake, sql).await.unwrap_err();
    assert!(matches!(err, SqlError::Time { .. }), "{err}");
}

#[tokio::test]
async fn a_join_that_runs_too_long_is_stopped() {
    is_stopped(
        "SELECT sum(a.value * b.value) FROM generate_series(1, 1000000) a, \
         generate_series(1, 10000000) b",
    )
    .await;
}

#[tokio::test]
async fn a_join_that_finds_nothing_for_too_long_is_stopped() {
    is_stopped(
        "SELECT a.value FROM generate_series(1, 100000) a \
         JOIN generate_series(1, 1000000) b ON a.value + b.value < 0",
    )
    .await;
}

#[tokio::test]
async fn a_query_that_needs_too_much_memory_is_stopped() {
    let plant = Plant::new();
    plant.add(&pump(&[ValueType::F64]), 0..3);
    let limits = Limits { memory_bytes: 8 << 20, ..Limits::default() };
    let lake = Lake::open_within(plant.path(), limits).unwrap();
    let sql = "SELECT value FROM generate_series(1, 10000000) ORDER BY value DESC";
    let err = ask(&lake, sql).await.unwrap_err();
    assert!(matches!(err, SqlError::Memory { .. }), "{err}");
    assert!(ask(&lake, "SELECT count(*) FROM pump").await.is_ok(), "memory is given back");
}

#[test]
fn a_folder_of_something_else_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let Err(err) = Lake::open(folder.path()) else { panic!("opened") };
    assert!(matches!(err, SqlError::NoData { .. }), "{err}");
}
