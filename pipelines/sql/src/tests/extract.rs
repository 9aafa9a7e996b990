//! Parts of tables in the order in which they were recorded.

use signals::ValueType;

use super::{Plant, START, pump};
use crate::{Lake, Part, SqlError};

use arrow_array::cast::AsArray as _;
use arrow_array::types::TimestampMicrosecondType;
use futures::StreamExt as _;
use signals::Timestamp;

/// Seconds of the rows, in the order in which they came, and the path of the last column.
async fn seconds(lake: &Lake, part: &Part<'_>) -> Result<(Vec<i64>, Option<String>), SqlError> {
    let mut rows = lake.extract(part).await?;
    let path = rows.schema().fields().last().and_then(|f| f.metadata().get("path").cloned());
    let mut seconds = Vec::new();
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        let times = batch.column(0).as_primitive::<TimestampMicrosecondType>().clone();
        seconds.extend(times.values().iter().map(|micros| (micros - START) / 1_000_000));
    }
    Ok((seconds, path))
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(START + second * 1_000_000)
}

#[tokio::test]
async fn rows_of_files_and_of_the_tail_come_as_they_were_recorded() {
    let plant = Plant::new();
    let table = pump(&[ValueType::F64, ValueType::I32]);
    for start in [0, 30, 60] {
        plant.add(&table, start..start + 30);
        plant.seal();
    }
    plant.add(&table, 90..120);
    let lake = Lake::open(plant.path()).unwrap();
    let columns = ["ts", "q", "s1"].map(str::to_owned);
    let mut part = Part { table: "pump", columns: &columns, from: None, to: None };
    let (all, path) = seconds(&lake, &part).await.unwrap();
    assert_eq!(all, (0..120).collect::<Vec<_>>());
    assert_eq!(path.as_deref(), Some("pump/s1"), "a column knows its signal");
    (part.from, part.to) = (Some(at(25)), Some(at(95)));
    assert_eq!(seconds(&lake, &part).await.unwrap().0, (25..95).collect::<Vec<_>>());
}

#[tokio::test]
async fn tables_are_told_with_the_columns_of_files_and_tail_together() {
    let plant = Plant::new();
    plant.add(&pump(&[ValueType::F64]), 0..5);
    plant.seal();
    plant.add(&pump(&[ValueType::F64, ValueType::I32]), 5..10);
    let schemas = Lake::open(plant.path()).unwrap().schemas().await.unwrap();
    let columns: Vec<_> = schemas["pump"].fields().iter().map(|f| f.name().as_str()).collect();
    assert_eq!(columns, ["ts", "q", "s0", "s1"]);
}
