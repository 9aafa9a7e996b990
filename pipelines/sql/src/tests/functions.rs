//! Functions for time series.

use super::*;

async fn number(sql: &str) -> Option<f64> {
    use arrow_array::Array as _;
    let plant = Plant::new();
    plant.add(&pump(&[ValueType::F64]), 0..1);
    let rows = plant.ask(sql).await.unwrap();
    let column = rows.column(0).as_primitive::<Float64Type>();
    (!column.is_null(0)).then(|| column.value(0))
}

/// Samples at seconds, as a table `t (s, v)`.
fn table(samples: &str) -> String {
    format!(
        "(SELECT to_timestamp_micros(column1 * 1000000) AS ts, CAST(column2 AS DOUBLE) AS v \
         FROM (VALUES {samples})) AS t"
    )
}

async fn time_weighted(samples: &str) -> Option<f64> {
    number(&format!("SELECT time_weighted_avg(v, ts) FROM {}", table(samples))).await
}

#[tokio::test]
async fn a_value_counts_for_the_time_it_held_in_whatever_order_samples_come() {
    assert_eq!(time_weighted("(0, 1.0), (8, 6.0), (10, 100.0)").await, Some(2.0));
    assert_eq!(time_weighted("(10, 100.0), (8, 6.0), (0, 1.0)").await, Some(2.0));
}

#[tokio::test]
async fn time_without_a_value_does_not_count() {
    assert_eq!(time_weighted("(0, 3.0), (2, NULL), (90, 5.0), (92, 0.0)").await, Some(4.0));
    assert_eq!(time_weighted("(0, NULL), (2, NULL)").await, None);
    assert_eq!(time_weighted("(0, NULL), (2, 4.0)").await, None);
}

#[tokio::test]
async fn a_single_moment_gives_its_mean() {
    assert_eq!(time_weighted("(7, 3.0)").await, Some(3.0));
    assert_eq!(time_weighted("(7, 3.0), (7, 5.0)").await, Some(4.0));
}

#[tokio::test]
async fn first_and_last_go_by_time_and_pass_over_nulls() {
    let samples = table("(5, 50.0), (1, NULL), (2, 20.0), (9, NULL), (7, 70.0)");
    assert_eq!(number(&format!("SELECT first(v, ts) FROM {samples}")).await, Some(20.0));
    assert_eq!(number(&format!("SELECT last(v, ts) FROM {samples}")).await, Some(70.0));
    let nothing = table("(5, NULL)");
    assert_eq!(number(&format!("SELECT last(v, ts) FROM {nothing}")).await, None);
}

#[tokio::test]
async fn aggregates_by_time_are_the_same_over_files_and_tail_as_over_one_batch() {
    let plant = Plant::new();
    let table = pump(&[ValueType::F64]);
    for part in 0..6 {
        plant.add(&table, part * 50..(part + 1) * 50);
        if part < 5 {
            plant.seal();
        }
    }
    let sql = "SELECT time_bucket('1 minute', ts) AS t, first(value, ts), last(value, ts), \
               time_weighted_avg(value, ts), avg(value) FROM samples GROUP BY t ORDER BY t";
    let rows = plant.ask(sql).await.unwrap();
    let of = |column: usize| rows.column(column).as_primitive::<Float64Type>().values().to_vec();
    // The first bucket has the ten seconds before midnight.
    assert_eq!(of(1), [0.0, 10.0, 70.0, 130.0, 190.0, 250.0]);
    assert_eq!(of(2), [9.0, 69.0, 129.0, 189.0, 249.0, 299.0]);
    // Each value holds for a second, the last one of a bucket for none.
    assert_eq!(of(3), [4.0, 39.0, 99.0, 159.0, 219.0, 274.0]);
    assert_eq!(of(4), [4.5, 39.5, 99.5, 159.5, 219.5, 274.5]);
}

#[tokio::test]
async fn a_bucket_begins_where_date_bin_says() {
    let plant = Plant::new();
    plant.add(&pump(&[ValueType::F64]), 0..25);
    for length in ["7 seconds", "1 minute", "1 day", "1 month", "1500 microseconds"] {
        let sql = format!(
            "SELECT count(*) FILTER (WHERE time_bucket('{length}', ts) \
             <> date_bin(INTERVAL '{length}', ts)), count(*) FROM pump"
        );
        let rows = plant.ask(&sql).await.unwrap();
        let count = |column: usize| rows.column(column).as_primitive::<Int64Type>().value(0);
        assert_eq!((count(0), count(1)), (0, 25), "{length}");
    }
    let before = "SELECT to_unixtime(time_bucket('1 minute', to_timestamp_micros(-1)))";
    let rows = plant.ask(before).await.unwrap();
    assert_eq!(rows.column(0).as_primitive::<Int64Type>().value(0), -60);
}

#[tokio::test]
async fn what_the_functions_cannot_take_is_told() {
    let plant = Plant::new();
    plant.add(&pump(&[ValueType::F64]), 0..1);
    for (sql, told) in [
        ("SELECT time_weighted_avg(s0) FROM pump", "time_weighted_avg(value, ts)"),
        ("SELECT time_weighted_avg(ts, s0) FROM pump", "time_weighted_avg(value, ts)"),
        ("SELECT last(s0) FROM pump", "last(value, ts)"),
    ] {
        let err = plant.ask(sql).await.unwrap_err().to_string();
        assert!(err.contains(told), "{sql}: {err}");
    }
}
