//! Rules: a `SELECT … FROM 'asset' WHERE …` that is planned once and asked of every sample.
//!
//! ```text
//! text ─► parse, resolve names (text) ─► physical expressions (here) ─► verdicts per row (watch)
//! ```
//!
//! The table of a rule is an asset: the signals whose paths begin with the name after FROM. A
//! column is the rest of a path: `discharge_pressure`, or `"motor/current"`. After
//! `FROM 'aggregates/1m/asset'` a column is a function of a signal over that window: `flow.mean`.
//! `rate(x)` is the change of `x` per second, `age(x)` the seconds since its last good sample.
//!
//! - RU-1 A rule sees one moment: neither aggregates nor other tables, neither the time of day nor
//!   chance. The same samples give the same verdicts.
//! - RU-2 Numbers are 64-bit floats: a division by zero is infinite and never an error; whole
//!   numbers above 2^53 are rounded.

use std::sync::{Arc, OnceLock};

use arrow_array::{Array as _, BooleanArray, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use datafusion::common::DFSchema;
use datafusion::error::DataFusionError;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::{Expr, ExprSchemable as _, Volatility};
use datafusion::physical_plan::PhysicalExpr;
use datafusion::prelude::SessionConfig;

mod text;
mod watch;
mod wrong;

pub use text::{Input, Measure, RuleSignals, Window};
pub use watch::{Cell, Moment, Watch, WatchState};

use text::{Asked, Column};

/// What a rule says, as written.
#[derive(Clone, Copy, Debug)]
pub struct RuleText<'a> {
    /// `SELECT columns FROM 'asset' WHERE condition`.
    pub sql: &'a str,
    /// The condition that ends it; without it, that the first one is not met.
    pub clear: Option<&'a str>,
    /// The condition under which nobody is told.
    pub suppress: Option<&'a str>,
}

/// Which text of a rule a mistake is in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Part {
    /// `sql`.
    Sql,
    /// `clear`.
    Clear,
    /// `suppress`.
    Suppress,
}

impl Part {
    /// Its key in a configuration.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Sql => "sql",
            Self::Clear => "clear",
            Self::Suppress => "suppress",
        }
    }
}

/// Something wrong in a rule.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RuleMistake {
    /// Where.
    pub part: Part,
    /// Line and column in that text, from 1; `None` where it is about the whole.
    pub at: Option<(u64, u64)>,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub remedy: String,
}

/// What a signal's samples are to a rule.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A number, as a 64-bit float.
    Number,
    /// True or false.
    Truth,
    /// Text.
    Text,
}

impl Kind {
    fn arrow(self) -> DataType {
        match self {
            Self::Number => DataType::Float64,
            Self::Truth => DataType::Boolean,
            Self::Text => DataType::Utf8,
        }
    }
}

/// A planned rule.
#[derive(Debug)]
pub struct Rule {
    inputs: Vec<Input>,
    schema: SchemaRef,
    raise: Arc<dyn PhysicalExpr>,
    clear: Option<Arc<dyn PhysicalExpr>>,
    suppress: Option<Arc<dyn PhysicalExpr>>,
    outputs: Vec<(String, Arc<dyn PhysicalExpr>)>,
}

impl Rule {
    /// Plans a rule over `signals`.
    ///
    /// # Errors
    /// Every mistake in its texts; never empty.
    pub fn plan(text: RuleText<'_>, signals: &dyn RuleSignals) -> Result<Self, Vec<RuleMistake>> {
        let asked = text::read(text, signals)?;
        let fields = asked.inputs.iter().enumerate();
        let fields = fields.map(|(place, input)| {
            Field::new(text::column_of(place), input.measured_kind().arrow(), true)
        });
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let planner = Planner::new(&schema)?;
        planner.rule(asked, schema)
    }

    /// The samples it looks at.
    #[must_use]
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// Names of the columns after SELECT.
    pub fn outputs(&self) -> impl Iterator<Item = &str> {
        self.outputs.iter().map(|(name, _)| name.as_str())
    }

    /// Whether it may change its mind without a sample.
    #[must_use]
    pub fn is_timed(&self) -> bool {
        self.inputs.iter().any(|input| input.measure == Measure::Age)
    }

    /// Whether it says itself when it ends.
    #[must_use]
    pub fn has_clear(&self) -> bool {
        self.clear.is_some()
    }
}

/// Turns expressions into what can be evaluated.
struct Planner {
    schema: DFSchema,
}

impl Planner {
    fn new(schema: &SchemaRef) -> Result<Self, Vec<RuleMistake>> {
        let schema = DFSchema::try_from(Arc::clone(schema));
        let schema = schema.map_err(|err| vec![mistake_of(Part::Sql, &err)])?;
        Ok(Self { schema })
    }

    fn rule(&self, asked: Asked, schema: SchemaRef) -> Result<Rule, Vec<RuleMistake>> {
        let mut mistakes = Vec::new();
        let mut condition = |part, expr: Option<&str>| {
            let planned = self.condition(part, expr?);
            planned.map_err(|mistake| mistakes.push(mistake)).ok()
        };
        let raise = condition(Part::Sql, Some(&asked.raise));
        let clear = condition(Part::Clear, asked.clear.as_deref());
        let suppress = condition(Part::Suppress, asked.suppress.as_deref());
        let mut outputs = Vec::with_capacity(asked.columns.len());
        for Column { name, expr } in asked.columns {
            match self.physical(Part::Sql, &expr) {
                Ok((planned, _)) => outputs.push((name, planned)),
                Err(mistake) => mistakes.push(mistake),
            }
        }
        match raise {
            Some(raise) if mistakes.is_empty() => {
                Ok(Rule { inputs: asked.inputs, schema, raise, clear, suppress, outputs })
            }
            _ => Err(mistakes),
        }
    }

    fn condition(&self, part: Part, expr: &str) -> Result<Arc<dyn PhysicalExpr>, RuleMistake> {
        let (planned, kind) = self.physical(part, expr)?;
        if kind == DataType::Boolean {
            return Ok(planned);
        }
        Err(RuleMistake {
            part,
            at: None,
            problem: format!("the condition is {kind}, not true or false"),
            remedy: "compare it with something, as in `pressure > 8`".to_owned(),
        })
    }

    fn physical(
        &self,
        part: Part,
        expr: &str,
    ) -> Result<(Arc<dyn PhysicalExpr>, DataType), RuleMistake> {
        let wrong = |err: DataFusionError| mistake_of(part, &err);
        let logical = state().create_logical_expr(expr, &self.schema).map_err(wrong)?;
        if let Some(name) = unfit(&logical).map_err(wrong)? {
            return Err(RuleMistake {
                part,
                at: None,
                problem: format!("{name} is not a function of one moment"),
                remedy: "for means and extremes ask a window: FROM 'aggregates/1m/…' and \
                         `flow.mean`; for times use `age(x)` and the key `for`"
                    .to_owned(),
            });
        }
        let planned = state().create_physical_expr(logical.clone(), &self.schema).map_err(wrong)?;
        let kind = planned.data_type(self.schema.as_arrow()).map_err(wrong)?;
        // Planned from the same schema: it cannot fail where the physical one has not.
        let _checked = logical.get_type(&self.schema).map_err(wrong)?;
        Ok((planned, kind))
    }
}

/// What in an expression a rule may not use (RU-1).
#[expect(clippy::wildcard_enum_match_arm, reason = "three kinds of calls alone matter")]
fn unfit(expr: &Expr) -> Result<Option<String>, DataFusionError> {
    use datafusion::common::tree_node::{TreeNode as _, TreeNodeRecursion};
    let mut found = None;
    expr.apply(|expr| {
        found = match expr {
            Expr::AggregateFunction(call) => Some(call.func.name().to_owned()),
            Expr::WindowFunction(call) => Some(call.fun.name().to_owned()),
            Expr::ScalarFunction(call)
                if call.func.signature().volatility != Volatility::Immutable =>
            {
                Some(call.func.name().to_owned())
            }
            _ => return Ok(TreeNodeRecursion::Continue),
        };
        Ok(TreeNodeRecursion::Stop)
    })?;
    Ok(found)
}

/// Functions of rows and the planner's rules; no tables, no threads.
fn state() -> &'static SessionState {
    static STATE: OnceLock<SessionState> = OnceLock::new();
    STATE.get_or_init(|| {
        let config = SessionConfig::new().with_create_default_catalog_and_schema(false);
        SessionStateBuilder::new().with_config(config).with_default_features().build()
    })
}

fn mistake_of(part: Part, err: &DataFusionError) -> RuleMistake {
    let text = err.strip_backtrace();
    let problem = text.lines().next().unwrap_or_default();
    let problem = problem.trim_start_matches("Error during planning: ");
    RuleMistake {
        part,
        at: None,
        problem: text::without_columns(problem),
        remedy: "check names, types and functions there".to_owned(),
    }
}

/// Evaluates a condition on rows of inputs.
fn truth(
    expr: &Arc<dyn PhysicalExpr>,
    rows: &RecordBatch,
) -> Result<BooleanArray, DataFusionError> {
    let array = expr.evaluate(rows)?.into_array(rows.num_rows())?;
    let truth = array.as_any().downcast_ref::<BooleanArray>();
    truth
        .cloned()
        .ok_or_else(|| DataFusionError::Internal("a condition is a truth value".to_owned()))
}

#[cfg(test)]
mod tests;
