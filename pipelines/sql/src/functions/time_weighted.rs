//! `time_weighted_avg(value, ts)`: the mean of a value over the time it held.
//!
//! A value holds until the next sample; a null value is a sample that says there is none, and
//! its time does not count. The last sample of a group has no time of its own: it only ends what
//! held before. A group of a single moment gives the mean of its values.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::{Float64Builder, Int64Builder, ListBuilder};
use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_schema::{DataType, Field, FieldRef, TimeUnit};
use datafusion::arrow::compute::cast;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Signature, Volatility};
use datafusion::scalar::ScalarValue;

#[derive(Debug, Eq, Hash, PartialEq)]
pub(super) struct TimeWeightedAvg {
    signature: Signature,
}

impl TimeWeightedAvg {
    pub(super) fn new() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl AggregateUDFImpl for TimeWeightedAvg {
    fn name(&self) -> &'static str {
        "time_weighted_avg"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        let [value, ts] = arguments else {
            return Err(wrong("takes a value and its time: time_weighted_avg(value, ts)"));
        };
        let is_number = value.is_numeric() || matches!(value, DataType::Boolean | DataType::Null);
        let DataType::Timestamp(_, zone) = ts else {
            return Err(wrong("takes a time as its second argument: time_weighted_avg(value, ts)"));
        };
        if !is_number {
            return Err(wrong("takes a number as its first argument"));
        }
        Ok(vec![DataType::Float64, DataType::Timestamp(TimeUnit::Microsecond, zone.clone())])
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn accumulator(&self, _arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::<Samples>::default())
    }

    fn state_fields(&self, arguments: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let list = |name: &str, kind: DataType| {
            let name = format_state_name(arguments.name, name);
            Arc::new(Field::new_list(name, Field::new_list_field(kind, true), true))
        };
        Ok(vec![list("times", DataType::Int64), list("values", DataType::Float64)])
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

fn wrong(what: &str) -> DataFusionError {
    DataFusionError::Plan(format!("time_weighted_avg {what}"))
}

/// The samples of a group, in whatever order they came.
#[derive(Debug, Default)]
struct Samples {
    times: Vec<i64>,
    values: Vec<Option<f64>>,
}

impl Samples {
    fn mean(&self) -> Option<f64> {
        let mut samples: Vec<_> = self.times.iter().zip(&self.values).collect();
        samples.sort_by_key(|(micros, _)| **micros);
        let (mut area, mut span) = (0.0, 0.0);
        for (now, next) in samples.iter().zip(samples.iter().skip(1)) {
            if let Some(value) = now.1 {
                let held = seconds(next.0.saturating_sub(*now.0));
                area += value * held;
                span += held;
            }
        }
        if span > 0.0 {
            return Some(area / span);
        }
        let is_moment = samples.first().map(|s| s.0) == samples.last().map(|s| s.0);
        let values: Vec<f64> = self.values.iter().copied().flatten().collect();
        let count = u32::try_from(values.len()).ok().filter(|count| is_moment && *count > 0)?;
        Some(values.iter().sum::<f64>() / f64::from(count))
    }
}

#[expect(clippy::cast_precision_loss, reason = "a weight of 285 years is exact to the microsecond")]
fn seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}

impl Accumulator for Samples {
    fn update_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        let [values, times] = columns else { return Err(wrong("takes two columns")) };
        let values = cast(values, &DataType::Float64)?;
        let times = times.as_primitive::<TimestampMicrosecondType>();
        for (micros, value) in times.iter().zip(values.as_primitive::<Float64Type>()) {
            if let Some(micros) = micros {
                self.times.push(micros);
                self.values.push(value);
            }
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Float64(self.mean()))
    }

    fn size(&self) -> usize {
        size_of::<Self>()
            + self.times.capacity() * size_of::<i64>()
            + self.values.capacity() * size_of::<Option<f64>>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let mut times = ListBuilder::new(Int64Builder::new());
        times.append_value(std::mem::take(&mut self.times).into_iter().map(Some));
        let mut values = ListBuilder::new(Float64Builder::new());
        values.append_value(std::mem::take(&mut self.values));
        Ok(vec![
            ScalarValue::List(Arc::new(times.finish())),
            ScalarValue::List(Arc::new(values.finish())),
        ])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [times, values] = states else { return Err(wrong("keeps two columns")) };
        let (times, values) = (times.as_list::<i32>(), values.as_list::<i32>());
        for (times, values) in times.iter().zip(values.iter()) {
            let Some((times, values)) = times.zip(values) else { continue };
            self.times.extend(times.as_primitive::<Int64Type>().values());
            self.values.extend(values.as_primitive::<Float64Type>().iter());
        }
        Ok(())
    }
}
