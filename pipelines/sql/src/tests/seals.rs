//! Rows in the journal, in the lake, and in both.

use super::*;

#[tokio::test]
async fn rows_are_there_before_anything_is_sealed() {
    let plant = Plant::new();
    plant.add(&pump(&[ValueType::F64]), 0..20);
    assert_eq!(plant.count().await, (20, 20, sum_to(20)));
}

#[tokio::test]
async fn sealing_neither_loses_nor_doubles_a_row() {
    let plant = Plant::new();
    let table = pump(&[ValueType::F64]);
    plant.add(&table, 0..7);
    plant.seal();
    assert_eq!(plant.count().await, (7, 7, sum_to(7)));
    // In the next part midnight passes, so one date is sealed further than the other.
    plant.add(&table, 7..20);
    assert_eq!(plant.count().await, (20, 20, sum_to(20)));
    plant.seal();
    assert_eq!(plant.count().await, (20, 20, sum_to(20)));
}

#[tokio::test]
async fn rows_sealed_behind_a_cursor_that_was_never_written_are_seen_once() {
    let plant = Plant::new();
    let table = pump(&[ValueType::F64]);
    plant.add(&table, 0..15);
    plant.seal();
    plant.add(&table, 15..18);
    // As after a power cut between sealing and the cursor's flush.
    match std::fs::remove_dir_all(plant.path().join("journal/cursors")) {
        Err(err) if err.kind() != std::io::ErrorKind::NotFound => panic!("{err}"),
        Ok(()) | Err(_) => {}
    }
    assert_eq!(plant.count().await, (18, 18, sum_to(18)));
}

#[tokio::test]
async fn a_column_that_came_later_is_null_before() {
    let plant = Plant::new();
    plant.add(&pump(&[ValueType::F64]), 0..5);
    plant.seal();
    plant.add(&pump(&[ValueType::F64, ValueType::F64]), 5..12);
    let sql = "SELECT count(*), count(s0), count(s1) FROM pump";
    for _ in 0..2 {
        let rows = plant.ask(sql).await.unwrap();
        let counts: Vec<_> =
            rows.columns().iter().map(|c| c.as_primitive::<Int64Type>().value(0)).collect();
        assert_eq!(counts, [12, 12, 7]);
        plant.seal();
    }
}

#[tokio::test]
async fn a_column_that_became_wider_keeps_its_older_values() {
    let plant = Plant::new();
    plant.add(&pump(&[ValueType::U8]), 0..5);
    plant.seal();
    plant.add(&pump(&[ValueType::I32]), 5..12);
    let sql = "SELECT arrow_typeof(s0), CAST(sum(s0) AS DOUBLE) FROM pump GROUP BY 1";
    for _ in 0..2 {
        let rows = plant.ask(sql).await.unwrap();
        assert_eq!(rows.column(0).as_string::<i32>().value(0), "Int32");
        let sum = rows.column(1).as_primitive::<Float64Type>().value(0);
        assert_eq!(sum.to_bits(), sum_to(12).to_bits());
        plant.seal();
    }
}

#[tokio::test]
async fn a_filter_on_time_reads_the_file_of_that_time_alone() {
    let plant = Plant::new();
    let table = pump(&[ValueType::F64]);
    plant.add(&table, 0..20);
    plant.seal();
    plant.add(&table, 20..25);
    let sql = "SELECT count(*) FROM pump WHERE ts >= '2026-10-27'";
    let rows = plant.ask(sql).await.unwrap();
    assert_eq!(rows.column(0).as_primitive::<Int64Type>().value(0), 15);
    let plan = plant.ask(&format!("EXPLAIN {sql}")).await.unwrap();
    let plan: String = plan.column(1).as_string::<i32>().iter().flatten().collect();
    assert!(plan.contains("date=2026-10-27") && !plan.contains("date=2026-10-26"), "{plan}");
    // Within the date by what the file says of its row groups.
    let sql = "SELECT count(*) FROM pump WHERE ts >= '2026-10-27T00:00:12Z'";
    let plan = plant.ask(&format!("EXPLAIN ANALYZE {sql}")).await.unwrap();
    let plan = plan.column(1).as_string::<i32>().value(0);
    assert!(plan.contains("row_groups_pruned_statistics=1 total → 0 matched"), "{plan}");
}

#[tokio::test]
async fn tables_and_columns_can_be_listed() {
    let plant = Plant::new();
    plant.add(&pump(&[ValueType::F64]), 0..3);
    let rows = plant.ask("SHOW TABLES").await.unwrap();
    let names = rows.column_by_name("table_name").unwrap();
    assert!(names.as_string::<i32>().iter().any(|name| name == Some("pump")), "{rows:?}");
    let rows = plant.ask("DESCRIBE pump").await.unwrap();
    let names: Vec<_> = rows.column(0).as_string::<i32>().iter().flatten().collect();
    assert_eq!(names, ["ts", "q", "s0"]);
    let rows = plant.ask("SHOW COLUMNS FROM pump").await.unwrap();
    assert_eq!(rows.num_rows(), 3);
}

#[tokio::test]
async fn the_time_of_the_query_can_be_asked_for() {
    let plant = Plant::new();
    plant.add(&pump(&[ValueType::F64]), 0..3);
    let sql = "SELECT count(*) FROM pump WHERE ts > now() - INTERVAL '1000000 hours'";
    let rows = plant.ask(sql).await.unwrap();
    assert_eq!(rows.column(0).as_primitive::<Int64Type>().value(0), 3);
}
