//! A rule at work: batches in, verdicts out.
//!
//! - W-1 What a row does not bring is the newest sample known, unless that is older than `age_max`:
//!   then nothing is known.
//! - W-2 A value of bad quality is not known, whatever it says.

use std::sync::Arc;
use std::time::Duration;

use arrow_array::builder::{BooleanBuilder, Float64Builder, StringBuilder};
use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, TimestampMicrosecondType, UInt8Type};
use arrow_array::{Array as _, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow_schema::DataType;
use datafusion::arrow::compute::cast;
use datafusion::error::DataFusionError;
use signals::{Batch, QualityClass, Timestamp};

use super::text::{Input, Measure};
use super::{Kind, Rule, truth};

/// A sample's value.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// A number.
    Number(f64),
    /// True or false.
    Truth(bool),
    /// Text.
    Text(String),
}

/// What is remembered of an input.
#[derive(Clone, Debug, Default, PartialEq)]
struct Memory {
    /// The newest sample: none where its quality was bad.
    value: Option<Cell>,
    /// When it was taken.
    ts: Option<Timestamp>,
    /// The newest good sample, and when.
    good: Option<Timestamp>,
    /// The number it had.
    number: f64,
    /// Change per second between the newest two good samples.
    rate: Option<f64>,
}

/// What a rule says of one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Moment {
    /// When.
    pub ts: Timestamp,
    /// Whether its condition is met; `None` is not known.
    pub raise: Option<bool>,
    /// Whether its clearing condition is met.
    pub clear: Option<bool>,
    /// Whether nobody is to be told.
    pub suppress: Option<bool>,
    /// The columns after SELECT; `None` is not known.
    pub values: Vec<(String, Option<Cell>)>,
}

/// A memory as it is kept over a restart.
pub type WatchState = Vec<(Option<i64>, Option<f64>, Option<f64>)>;

/// A rule and what it remembers: some tens of bytes for each of its inputs.
#[derive(Debug)]
pub struct Watch {
    rule: Arc<Rule>,
    age_max: Duration,
    memories: Vec<Memory>,
    /// The first moment it was asked about: what was sampled before, or never, is as old as that. A
    /// gateway that was off has not missed anything of the signal.
    begun: Option<Timestamp>,
}

/// Where an input is in a batch.
struct Place<'a> {
    input: usize,
    sender: Option<u8>,
    column: ArrayRef,
    /// Rows whose sample is of bad quality, in order.
    bad: Vec<u32>,
    kind: Kind,
    measure: &'a Measure,
}

impl Watch {
    /// A rule that has seen nothing. Values older than `age_max` are not known to it.
    #[must_use]
    pub fn new(rule: Arc<Rule>, age_max: Duration) -> Self {
        let memories = vec![Memory::default(); rule.inputs().len()];
        Self { rule, age_max, memories, begun: None }
    }

    /// The rule.
    #[must_use]
    pub fn rule(&self) -> &Rule {
        &self.rule
    }

    /// What it remembers, under a plan made anew: nothing of what was sampled is forgotten, and
    /// silence goes on counting. A plan that looks at other things begins with nothing seen.
    #[must_use]
    pub fn under(self, rule: Arc<Rule>, age_max: Duration) -> Self {
        if self.rule.inputs() == rule.inputs() {
            Self { rule, age_max, ..self }
        } else {
            Self::new(rule, age_max)
        }
    }

    /// What to keep over a restart: when each input was good last, its number, its rate.
    #[must_use]
    pub fn state(&self) -> WatchState {
        let of = |memory: &Memory| {
            (memory.good.map(Timestamp::micros), memory.good.map(|_| memory.number), memory.rate)
        };
        self.memories.iter().map(of).collect()
    }

    /// Takes up what was kept.
    pub fn resume(&mut self, state: &WatchState) {
        for (memory, (good, number, rate)) in self.memories.iter_mut().zip(state) {
            memory.good = good.map(Timestamp::from_micros);
            memory.number = number.unwrap_or_default();
            memory.rate = *rate;
        }
    }

    /// Takes the rows of a batch and says what the rule makes of each that concerns it.
    ///
    /// # Errors
    /// When an expression fails on these rows, such as a text that is no number.
    pub fn feed(&mut self, batch: &Batch) -> Result<Vec<Moment>, DataFusionError> {
        let rule = Arc::clone(&self.rule);
        let places = places(&rule, batch)?;
        if places.is_empty() {
            return Ok(Vec::new());
        }
        if batch.table.name().starts_with("_aggregates_") {
            return self.feed_window(batch, &places);
        }
        let senders = batch.source_addresses();
        let mut columns = Columns::new(self.rule.inputs());
        let mut moments = Vec::new();
        for (row, ts) in batch.timestamps().iter().enumerate() {
            let sender = senders.and_then(|senders| senders.get(row)).copied();
            let mut concerns = false;
            for place in
                places.iter().filter(|place| place.sender.is_none_or(|s| Some(s) == sender))
            {
                concerns = true;
                self.remember(place, row, Timestamp::from_micros(*ts));
            }
            if concerns {
                moments.push(Timestamp::from_micros(*ts));
                self.look(Timestamp::from_micros(*ts), &mut columns);
            }
        }
        self.judge(&moments, columns)
    }

    /// Asks the rule about a moment without a sample.
    ///
    /// # Errors
    /// As [`Watch::feed`].
    pub fn tick(&mut self, ts: Timestamp) -> Result<Vec<Moment>, DataFusionError> {
        let mut columns = Columns::new(self.rule.inputs());
        self.look(ts, &mut columns);
        self.judge(&[ts], columns)
    }

    /// Rows of one window: all are remembered before the rule is asked.
    fn feed_window(
        &mut self,
        batch: &Batch,
        places: &[Place<'_>],
    ) -> Result<Vec<Moment>, DataFusionError> {
        let column = |name: &str| batch.rows.column_by_name(name);
        let paths = column("signal").and_then(|c| c.as_string_opt::<i32>());
        let ends =
            column("window_end").and_then(|c| c.as_primitive_opt::<TimestampMicrosecondType>());
        let senders = column("sa").and_then(|c| c.as_primitive_opt::<UInt8Type>());
        let (Some(paths), Some(ends)) = (paths, ends) else { return Ok(Vec::new()) };
        let mut latest = None;
        for row in 0..batch.rows.num_rows() {
            let path = paths.value(row);
            let sender = senders.filter(|s| s.is_valid(row)).map(|s| s.value(row));
            for place in places {
                let input = self.rule.inputs().get(place.input);
                if input.is_some_and(|input| input.path == path && input.sender == sender) {
                    let end = Timestamp::from_micros(ends.value(row));
                    self.remember(place, row, end);
                    latest = latest.max(Some(end));
                }
            }
        }
        latest.map_or_else(|| Ok(Vec::new()), |end| self.tick(end))
    }

    fn remember(&mut self, place: &Place<'_>, row: usize, ts: Timestamp) {
        let Some(memory) = self.memories.get_mut(place.input) else { return };
        let is_bad = u32::try_from(row).is_ok_and(|row| place.bad.binary_search(&row).is_ok());
        let value = if is_bad { None } else { cell(&place.column, place.kind, row) };
        memory.ts = Some(ts);
        if let Some(value) = &value {
            if let Cell::Number(number) = value {
                let seconds = memory.good.map(|before| seconds_between(before, ts));
                let near = seconds.filter(|s| *s > 0.0 && *s <= self.age_max.as_secs_f64());
                memory.rate = near.map(|seconds| (number - memory.number) / seconds);
                memory.number = *number;
            }
            memory.good = Some(ts);
        } else if *place.measure == Measure::Rate {
            memory.rate = None;
        }
        memory.value = value;
    }

    /// What is known at `ts`, as one more row.
    fn look(&mut self, ts: Timestamp, columns: &mut Columns) {
        let begun = *self.begun.get_or_insert(ts);
        for (input, memory) in self.memories.iter().enumerate() {
            let is_near = memory.ts.is_some_and(|taken| {
                seconds_between(taken, ts).abs() <= self.age_max.as_secs_f64()
            });
            let measure = self.rule.inputs().get(input).map(|input| &input.measure);
            let cell = match measure {
                Some(Measure::Age) => {
                    let since = memory.good.map_or(begun, |good| good.max(begun));
                    Some(Cell::Number(seconds_between(since, ts).max(0.0)))
                }
                Some(Measure::Rate) => memory.rate.filter(|_| is_near).map(Cell::Number),
                Some(Measure::Value) => memory.value.clone().filter(|_| is_near),
                // A window is as old as it is long; the next one takes its place.
                Some(Measure::Window(..)) => memory.value.clone(),
                None => None,
            };
            columns.push(input, cell.as_ref());
        }
    }

    /// What the rule says of the rows gathered.
    fn judge(
        &self,
        moments: &[Timestamp],
        columns: Columns,
    ) -> Result<Vec<Moment>, DataFusionError> {
        if moments.is_empty() {
            return Ok(Vec::new());
        }
        let options = RecordBatchOptions::new().with_row_count(Some(moments.len()));
        let rows = RecordBatch::try_new_with_options(
            Arc::clone(&self.rule.schema),
            columns.finish(),
            &options,
        )?;
        let raise = truth(&self.rule.raise, &rows)?;
        let clear = self.rule.clear.as_ref().map(|expr| truth(expr, &rows)).transpose()?;
        let suppress = self.rule.suppress.as_ref().map(|expr| truth(expr, &rows)).transpose()?;
        let told = self.told(&rows)?;
        let at = |array: &BooleanArray, row| array.is_valid(row).then(|| array.value(row));
        let moment = |(row, ts): (usize, &Timestamp)| {
            let raise = at(&raise, row);
            Moment {
                ts: *ts,
                raise,
                clear: match &clear {
                    Some(clear) => at(clear, row),
                    None => raise.map(|raise| !raise),
                },
                suppress: suppress.as_ref().and_then(|suppress| at(suppress, row)),
                values: told
                    .iter()
                    .map(|(name, kind, column)| (name.clone(), cell(column, *kind, row)))
                    .collect(),
            }
        };
        Ok(moments.iter().enumerate().map(moment).collect())
    }

    /// The columns after SELECT.
    fn told(&self, rows: &RecordBatch) -> Result<Vec<(String, Kind, ArrayRef)>, DataFusionError> {
        let mut told = Vec::with_capacity(self.rule.outputs.len());
        for (name, expr) in &self.rule.outputs {
            let column = expr.evaluate(rows)?.into_array(rows.num_rows())?;
            let kind = if *column.data_type() == DataType::Boolean {
                Kind::Truth
            } else if column.data_type().is_numeric() {
                Kind::Number
            } else {
                Kind::Text
            };
            told.push((name.clone(), kind, cast(&column, &kind.arrow())?));
        }
        Ok(told)
    }
}

/// Which inputs the batch has.
fn places<'a>(rule: &'a Rule, batch: &Batch) -> Result<Vec<Place<'a>>, DataFusionError> {
    let mut places = Vec::new();
    let name = batch.table.name();
    for (input, looked_at) in rule.inputs().iter().enumerate() {
        let found = match &looked_at.measure {
            Measure::Window(window, function) => {
                let is_its = name.strip_prefix("_aggregates_") == Some(window.as_str());
                is_its.then(|| batch.rows.column_by_name(function)).flatten().map(|c| (c, None))
            }
            Measure::Value | Measure::Rate | Measure::Age => {
                let mut signals = batch.table.signals().iter();
                let place = signals.position(|signal| signal.path == looked_at.path);
                place.map(|place| (batch.column(place), Some(place)))
            }
        };
        let Some((column, place)) = found else { continue };
        let bad = place.map_or_else(Vec::new, |place| {
            let flaws = batch.flaws.iter().filter(|flaw| usize::from(flaw.signal) == place);
            flaws.filter(|f| f.quality.class == QualityClass::Bad).map(|f| f.row).collect()
        });
        places.push(Place {
            input,
            sender: looked_at.sender,
            column: plain(column, looked_at)?,
            bad,
            kind: if place.is_some() { looked_at.kind } else { Kind::Number },
            measure: &looked_at.measure,
        });
    }
    Ok(places)
}

/// The column as rules see it.
fn plain(column: &ArrayRef, input: &Input) -> Result<ArrayRef, DataFusionError> {
    let wanted = match input.measure {
        Measure::Window(..) => Kind::Number,
        Measure::Value | Measure::Rate | Measure::Age => input.kind,
    };
    Ok(cast(column, &wanted.arrow())?)
}

fn cell(column: &ArrayRef, kind: Kind, row: usize) -> Option<Cell> {
    if column.is_null(row) {
        return None;
    }
    match kind {
        Kind::Number => Some(Cell::Number(column.as_primitive_opt::<Float64Type>()?.value(row))),
        Kind::Truth => Some(Cell::Truth(column.as_boolean_opt()?.value(row))),
        Kind::Text => Some(Cell::Text(column.as_string_opt::<i32>()?.value(row).to_owned())),
    }
}

fn seconds_between(from: Timestamp, to: Timestamp) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "spans of less than a century")]
    let micros = to.micros().saturating_sub(from.micros()) as f64;
    micros / 1e6
}

/// The inputs of some rows, being written.
struct Columns(Vec<Builder>);

enum Builder {
    Number(Float64Builder),
    Truth(BooleanBuilder),
    Text(StringBuilder),
}

impl Columns {
    fn new(inputs: &[Input]) -> Self {
        let builder = |input: &Input| match input.measured_kind() {
            Kind::Number => Builder::Number(Float64Builder::with_capacity(1)),
            Kind::Truth => Builder::Truth(BooleanBuilder::with_capacity(1)),
            Kind::Text => Builder::Text(StringBuilder::with_capacity(1, 16)),
        };
        Self(inputs.iter().map(builder).collect())
    }

    fn push(&mut self, input: usize, cell: Option<&Cell>) {
        match (self.0.get_mut(input), cell) {
            (Some(Builder::Number(column)), Some(Cell::Number(number))) => {
                column.append_value(*number);
            }
            (Some(Builder::Number(column)), _) => column.append_null(),
            (Some(Builder::Truth(column)), Some(Cell::Truth(truth))) => column.append_value(*truth),
            (Some(Builder::Truth(column)), _) => column.append_null(),
            (Some(Builder::Text(column)), Some(Cell::Text(text))) => column.append_value(text),
            (Some(Builder::Text(column)), _) => column.append_null(),
            (None, _) => {}
        }
    }

    fn finish(self) -> Vec<ArrayRef> {
        let finish = |builder| -> ArrayRef {
            match builder {
                Builder::Number(mut column) => Arc::new(column.finish()),
                Builder::Truth(mut column) => Arc::new(column.finish()),
                Builder::Text(mut column) => Arc::new(column.finish()),
            }
        };
        self.0.into_iter().map(finish).collect()
    }
}
