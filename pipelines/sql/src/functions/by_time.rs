//! `first(value, ts)` and `last(value, ts)`: the value of the earliest and of the latest sample
//! that has one.

use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array as _, ArrayRef};
use arrow_schema::{DataType, Field, FieldRef, TimeUnit};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Signature, Volatility};
use datafusion::scalar::ScalarValue;

#[derive(Debug, Eq, Hash, PartialEq)]
pub(super) struct ByTime {
    signature: Signature,
    is_last: bool,
}

impl ByTime {
    pub(super) fn first() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable), is_last: false }
    }

    pub(super) fn last() -> Self {
        Self { is_last: true, ..Self::first() }
    }
}

impl AggregateUDFImpl for ByTime {
    fn name(&self) -> &'static str {
        if self.is_last { "last" } else { "first" }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        let [value, DataType::Timestamp(_, zone)] = arguments else {
            let name = self.name();
            let what = format!("{name} takes a value and its time: {name}(value, ts)");
            return Err(DataFusionError::Plan(what));
        };
        Ok(vec![value.clone(), DataType::Timestamp(TimeUnit::Microsecond, zone.clone())])
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        Ok(arguments.first().cloned().unwrap_or(DataType::Null))
    }

    fn accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let value = ScalarValue::try_from(arguments.return_field.data_type())?;
        Ok(Box::new(Kept { micros: None, value, is_last: self.is_last }))
    }

    fn state_fields(&self, arguments: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let name = |part: &str| format_state_name(arguments.name, part);
        let value = arguments.return_field.data_type().clone();
        let time = DataType::Timestamp(TimeUnit::Microsecond, None);
        Ok(vec![
            Arc::new(Field::new(name("value"), value, true)),
            Arc::new(Field::new(name("time"), time, true)),
        ])
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

/// The sample kept so far.
#[derive(Debug)]
struct Kept {
    micros: Option<i64>,
    value: ScalarValue,
    is_last: bool,
}

impl Accumulator for Kept {
    /// Of several samples at one time, the first one met stays.
    fn update_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        let [values, times] = columns else {
            return Err(DataFusionError::Internal("takes two columns".to_owned()));
        };
        let times = times.as_primitive::<TimestampMicrosecondType>();
        let mut place = None;
        for (row, micros) in times.iter().enumerate() {
            let Some(micros) = micros.filter(|_| !values.is_null(row)) else { continue };
            let is_better = |kept| if self.is_last { micros > kept } else { micros < kept };
            if self.micros.is_none_or(is_better) {
                self.micros = Some(micros);
                place = Some(row);
            }
        }
        if let Some(row) = place {
            self.value = ScalarValue::try_from_array(values, row)?;
            // One value must not keep a batch alive.
            self.value.compact();
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(self.value.clone())
    }

    fn size(&self) -> usize {
        size_of::<Self>() - size_of::<ScalarValue>() + self.value.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.value.clone(), ScalarValue::TimestampMicrosecond(self.micros, None)])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }
}
