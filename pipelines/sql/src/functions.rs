//! Functions for time series that SQL itself lacks: `time_bucket`, `time_weighted_avg`, and
//! `first` and `last` by time.

mod by_time;
mod time_bucket;
mod time_weighted;

use std::sync::Arc;

use datafusion::logical_expr::{AggregateUDF, ScalarUDF};

/// Functions of a row.
pub(crate) fn of_rows() -> Vec<Arc<ScalarUDF>> {
    vec![Arc::new(ScalarUDF::from(time_bucket::TimeBucket::new()))]
}

/// Functions of many rows.
pub(crate) fn of_groups() -> Vec<Arc<AggregateUDF>> {
    vec![
        Arc::new(AggregateUDF::from(time_weighted::TimeWeightedAvg::new())),
        Arc::new(AggregateUDF::from(by_time::ByTime::first())),
        Arc::new(AggregateUDF::from(by_time::ByTime::last())),
    ]
}
