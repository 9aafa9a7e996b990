//! `time_bucket(interval, ts)`: the beginning of the bucket that a time is in.
//!
//! It gives what `date_bin` gives, aligned to 1970-01-01 UTC, and takes the interval as a text
//! too. Lengths that are a number of microseconds are computed here, because a month of seconds
//! is millions of them.

use std::sync::Arc;

use arrow_array::PrimitiveArray;
use arrow_array::cast::AsArray as _;
use arrow_array::types::TimestampMicrosecondType;
use arrow_schema::{DataType, TimeUnit};
use datafusion::error::Result;
use datafusion::functions::datetime::date_bin;
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};
use datafusion::scalar::ScalarValue;

#[derive(Debug, Eq, Hash, PartialEq)]
pub(super) struct TimeBucket {
    of_engine: Arc<ScalarUDF>,
}

impl TimeBucket {
    pub(super) fn new() -> Self {
        Self { of_engine: date_bin() }
    }
}

impl ScalarUDFImpl for TimeBucket {
    fn name(&self) -> &'static str {
        "time_bucket"
    }

    fn signature(&self) -> &Signature {
        self.of_engine.signature()
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        self.of_engine.return_type(arguments)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match bucketed(&arguments.args) {
            Some(starts) => Ok(ColumnarValue::Array(Arc::new(starts))),
            None => self.of_engine.invoke_with_args(arguments),
        }
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        self.of_engine.output_ordering(inputs)
    }
}

/// The buckets of a column of microseconds; `None` for arguments of another kind.
fn bucketed(arguments: &[ColumnarValue]) -> Option<PrimitiveArray<TimestampMicrosecondType>> {
    let [ColumnarValue::Scalar(length), ColumnarValue::Array(times)] = arguments else {
        return None;
    };
    let length = micros_of(length).filter(|length| *length > 0)?;
    let DataType::Timestamp(TimeUnit::Microsecond, zone) = times.data_type() else { return None };
    let times = times.as_primitive_opt::<TimestampMicrosecondType>()?;
    let starts = times.unary(|micros: i64| micros - micros.rem_euclid(length));
    Some(starts.with_timezone_opt(zone.clone()))
}

/// An interval's microseconds, if it is a whole number of them.
#[expect(clippy::wildcard_enum_match_arm, reason = "most scalars are no intervals")]
fn micros_of(interval: &ScalarValue) -> Option<i64> {
    const DAY: i64 = 86_400_000_000;
    match interval {
        ScalarValue::IntervalMonthDayNano(Some(length)) if length.months == 0 => {
            let is_whole = length.nanoseconds % 1_000 == 0;
            let days = i64::from(length.days).checked_mul(DAY)?;
            is_whole.then(|| days.checked_add(length.nanoseconds / 1_000))?
        }
        ScalarValue::IntervalDayTime(Some(length)) => {
            let days = i64::from(length.days).checked_mul(DAY)?;
            days.checked_add(i64::from(length.milliseconds) * 1_000)
        }
        _ => None,
    }
}
