//! The text of a rule: read, held against the signals there are, and written again with one plain
//! column name for each sample it looks at.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr, Ident, Query,
    Select, SelectItem, SetExpr, Spanned as _, Statement, TableFactor, VisitMut as _, VisitorMut,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::Span;

use super::wrong::{mistake, not_sql, offer, place_of_asset};
use super::{Kind, Part, RuleMistake, RuleText};

/// What names of windows stand behind.
const AGGREGATES: &str = "aggregates/";
/// What a column is called once it is resolved; no name of a signal contains it.
const RESOLVED: &str = "\u{1}";

/// A window that aggregates are made over.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Window {
    /// Its name in tables: `10s`, `1m`.
    pub name: String,
    /// What is told of each signal: `mean`, `p95`; columns of its table.
    pub functions: Vec<String>,
}

/// The signals that rules may name.
pub trait RuleSignals {
    /// What the samples of the signal at `path` are; `None` when there is no such signal.
    fn kind(&self, path: &str) -> Option<Kind>;
    /// Paths of signals below `prefix`, for offering them.
    fn below(&self, prefix: &str) -> Vec<String>;
    /// The windows that aggregates are made over.
    fn windows(&self) -> Vec<Window>;
}

/// What of a signal's samples a rule looks at.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Measure {
    /// The newest value.
    Value,
    /// Its change per second.
    Rate,
    /// Seconds since the last good sample.
    Age,
    /// A function over a window: the window's name and the function's.
    Window(String, String),
}

/// One thing a rule looks at.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Input {
    /// Path of the signal.
    pub path: String,
    /// The sender, where the signal has several.
    pub sender: Option<u8>,
    /// What its samples are.
    pub kind: Kind,
    /// What of them is looked at.
    pub measure: Measure,
}

impl Input {
    /// What is looked at is.
    pub(super) fn measured_kind(&self) -> Kind {
        match self.measure {
            Measure::Value => self.kind,
            Measure::Rate | Measure::Age | Measure::Window(..) => Kind::Number,
        }
    }
}

/// A column after SELECT.
pub(super) struct Column {
    pub(super) name: String,
    pub(super) expr: String,
}

/// A rule whose names are resolved: conditions as SQL over plain columns.
pub(super) struct Asked {
    pub(super) inputs: Vec<Input>,
    pub(super) raise: String,
    pub(super) clear: Option<String>,
    pub(super) suppress: Option<String>,
    pub(super) columns: Vec<Column>,
}

/// Name of the column of the input at `place`.
pub(super) fn column_of(place: usize) -> String {
    format!("{RESOLVED}{place}")
}

/// A planner's message without the names that only we know.
pub(super) fn without_columns(message: &str) -> String {
    message.replace(RESOLVED, "column ")
}

pub(super) fn read(
    text: RuleText<'_>,
    signals: &dyn RuleSignals,
) -> Result<Asked, Vec<RuleMistake>> {
    let select = select(text.sql).map_err(|mistake| vec![mistake])?;
    let mut reader = Reader::of(&select, signals).map_err(|mistake| {
        // The parser does not say where a name in single quotes stands.
        let at = mistake.at.or_else(|| place_of_asset(text.sql));
        vec![RuleMistake { at, ..mistake }]
    })?;
    let raise = if let Some(condition) = &select.selection {
        reader.resolve(Part::Sql, condition.clone())
    } else {
        let (problem, remedy) =
            ("without WHERE it would be met always", "add `WHERE` and a condition");
        reader.mistakes.push(mistake(Part::Sql, select.span(), problem, remedy));
        String::new()
    };
    let columns = select.projection.iter().filter_map(|item| reader.column(item)).collect();
    let clear = text.clear.and_then(|text| reader.condition(Part::Clear, text));
    let suppress = text.suppress.and_then(|text| reader.condition(Part::Suppress, text));
    if !reader.mistakes.is_empty() {
        return Err(reader.mistakes);
    }
    Ok(Asked { inputs: reader.inputs, raise, clear, suppress, columns })
}

/// The one plain SELECT that a rule is.
fn select(sql: &str) -> Result<Select, RuleMistake> {
    let statements = Parser::parse_sql(&GenericDialect {}, sql);
    let statements = statements.map_err(|err| not_sql(Part::Sql, sql, err))?;
    let whole = |problem: &str| {
        let remedy = "write SELECT columns FROM 'asset' WHERE condition, and nothing else";
        RuleMistake {
            part: Part::Sql,
            at: None,
            problem: problem.to_owned(),
            remedy: remedy.into(),
        }
    };
    let mut statements = statements.into_iter();
    let (Some(Statement::Query(query)), None) = (statements.next(), statements.next()) else {
        return Err(whole("is not one SELECT"));
    };
    let Query { with: None, body, order_by: None, limit_clause: None, fetch: None, .. } = *query
    else {
        return Err(whole("WITH, ORDER BY and LIMIT have no meaning: a rule sees one moment"));
    };
    let SetExpr::Select(select) = *body else { return Err(whole("is not one SELECT")) };
    let is_grouped = match &select.group_by {
        GroupByExpr::Expressions(by, _) => !by.is_empty(),
        GroupByExpr::All(_) => true,
    };
    if is_grouped || select.having.is_some() || select.distinct.is_some() {
        return Err(whole("DISTINCT, GROUP BY and HAVING have no meaning: a rule sees one moment"));
    }
    Ok(*select)
}

/// Resolves names, and keeps what is wrong with them.
struct Reader<'a> {
    signals: &'a dyn RuleSignals,
    prefix: String,
    window: Option<Window>,
    inputs: Vec<Input>,
    mistakes: Vec<RuleMistake>,
    part: Part,
}

impl<'a> Reader<'a> {
    fn of(select: &Select, signals: &'a dyn RuleSignals) -> Result<Self, RuleMistake> {
        let (name, span) = from(select)?;
        let (window, prefix) = match name.strip_prefix(AGGREGATES) {
            Some(rest) => {
                let (window, prefix) = rest.split_once('/').unwrap_or((rest, ""));
                let known = signals.windows();
                let Some(found) = known.iter().find(|known| known.name == window) else {
                    let problem = format!("there is no window \"{window}\"");
                    let names: Vec<String> = known.into_iter().map(|known| known.name).collect();
                    let remedy = offer(window, &names, "add an [[aggregate]] with that window");
                    return Err(mistake(Part::Sql, span, &problem, &remedy));
                };
                (Some(found.clone()), prefix.to_owned())
            }
            None => (None, name),
        };
        if signals.below(&prefix).is_empty() {
            let problem = format!("there is no signal below \"{prefix}\"");
            let every = signals.below("");
            let assets: Vec<String> =
                every.iter().filter_map(|path| Some(path.rsplit_once('/')?.0.to_owned())).collect();
            let remedy = offer(&prefix, &assets, "name an asset, as the page lists them");
            return Err(mistake(Part::Sql, span, &problem, &remedy));
        }
        let (inputs, mistakes) = (Vec::new(), Vec::new());
        Ok(Self { signals, prefix, window, inputs, mistakes, part: Part::Sql })
    }

    /// The condition in a text of its own.
    fn condition(&mut self, part: Part, text: &str) -> Option<String> {
        let parsed = Parser::new(&GenericDialect {}).try_with_sql(text).and_then(|mut parser| {
            let expr = parser.parse_expr()?;
            parser.expect_token(&datafusion::sql::sqlparser::tokenizer::Token::EOF)?;
            Ok(expr)
        });
        match parsed {
            Ok(expr) => Some(self.resolve(part, expr)),
            Err(err) => {
                self.mistakes.push(not_sql(part, text, err));
                None
            }
        }
    }

    fn column(&mut self, item: &SelectItem) -> Option<Column> {
        let (name, expr) = match item {
            SelectItem::UnnamedExpr(expr) => (expr.to_string(), expr),
            SelectItem::ExprWithAlias { expr, alias } => (alias.value.clone(), expr),
            SelectItem::ExprWithAliases { .. }
            | SelectItem::Wildcard(_)
            | SelectItem::QualifiedWildcard(..) => {
                let remedy = "name the columns that an operator wants to see";
                let problem = "`*` would be every signal of the asset";
                self.mistakes.push(mistake(Part::Sql, item.span(), problem, remedy));
                return None;
            }
        };
        Some(Column {
            name: name.trim_matches('"').to_owned(),
            expr: self.resolve(Part::Sql, expr.clone()),
        })
    }

    /// The expression as SQL over plain columns.
    fn resolve(&mut self, part: Part, mut expr: Expr) -> String {
        self.part = part;
        let ControlFlow::Continue(()) = expr.visit(self);
        expr.to_string()
    }

    /// The column of a name; a column of nothing when there is no such signal, which is a mistake.
    fn name(&mut self, parts: &[Ident], wanted: Option<Measure>) -> Expr {
        let span = parts.first().map_or_else(Span::empty, |first| first.span);
        let found = self.found(parts, wanted);
        let place = match found {
            Ok(input) => self.place_of(input),
            Err((problem, remedy)) => {
                self.mistakes.push(mistake(self.part, span, &problem, &remedy));
                0
            }
        };
        Expr::Identifier(Ident::with_quote('"', column_of(place)))
    }

    fn found(&self, parts: &[Ident], wanted: Option<Measure>) -> Result<Input, (String, String)> {
        let mut parts: Vec<&str> = parts.iter().map(|part| part.value.as_str()).collect();
        let measure = match (&self.window, wanted) {
            (Some(_), Some(_)) => {
                let problem = "`rate` and `age` are of samples, not of windows".to_owned();
                return Err((problem, "ask the asset itself: FROM 'asset'".to_owned()));
            }
            (Some(window), None) => {
                let function = parts.pop().unwrap_or_default();
                let has_it = window.functions.iter().any(|known| known == function);
                if !has_it || parts.is_empty() {
                    let problem = format!("\"{function}\" is no function of that window");
                    let known = window.functions.join(", ");
                    let remedy = format!("write signal.function; there are {known}");
                    return Err((problem, remedy));
                }
                Measure::Window(window.name.clone(), function.to_owned())
            }
            (None, wanted) => wanted.unwrap_or(Measure::Value),
        };
        let rest = parts.join("/");
        let full =
            if self.prefix.is_empty() { rest.clone() } else { format!("{}/{rest}", self.prefix) };
        let (path, sender) = match full.rsplit_once('@') {
            Some((path, sender)) => match sender.parse() {
                Ok(sender) => (path.to_owned(), Some(sender)),
                Err(_) => (full.clone(), None),
            },
            None => (full.clone(), None),
        };
        let Some(kind) = self.signals.kind(&path) else {
            let problem = format!("there is no signal \"{full}\"");
            let known = self.signals.below(&self.prefix);
            return Err((problem, offer(&full, &known, "check the asset after FROM")));
        };
        if measure == Measure::Rate && kind != Kind::Number {
            let problem = format!("\"{full}\" is not a number: it has no rate");
            return Err((problem, "compare it with a value".to_owned()));
        }
        Ok(Input { path, sender, kind, measure })
    }

    fn place_of(&mut self, input: Input) -> usize {
        if let Some(place) = self.inputs.iter().position(|known| *known == input) {
            return place;
        }
        self.inputs.push(input);
        self.inputs.len() - 1
    }

    /// `rate(x)` and `age(x)`; `None` for any other function.
    fn function(&mut self, call: &Function) -> Option<Expr> {
        let measure = match call.name.to_string().to_lowercase().as_str() {
            "rate" => Measure::Rate,
            "age" => Measure::Age,
            _ => return None,
        };
        if let Some(parts) = only_name(&call.args) {
            return Some(self.name(&parts, Some(measure)));
        }
        let problem = "`rate` and `age` take one signal and nothing else";
        let remedy = "write `rate(pressure)`";
        self.mistakes.push(mistake(self.part, call.name.span(), problem, remedy));
        None
    }
}

impl VisitorMut for Reader<'_> {
    type Break = std::convert::Infallible;

    #[expect(clippy::wildcard_enum_match_arm, reason = "names, functions and queries alone matter")]
    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Self::Break> {
        let resolved = match expr {
            Expr::Identifier(name) if name.value.starts_with(RESOLVED) => None,
            Expr::Identifier(name) => Some(self.name(std::slice::from_ref(name), None)),
            Expr::CompoundIdentifier(parts) => Some(self.name(parts, None)),
            Expr::Function(call) => self.function(call),
            Expr::Subquery(_) | Expr::InSubquery { .. } | Expr::Exists { .. } => {
                let problem = "a query in a rule has no meaning: it sees one moment";
                let remedy = "name the signals, or make the value a signal of its own";
                self.mistakes.push(mistake(self.part, expr.span(), problem, remedy));
                Some(Expr::value(datafusion::sql::sqlparser::ast::Value::Null))
            }
            _ => None,
        };
        if let Some(resolved) = resolved {
            *expr = resolved;
        }
        ControlFlow::Continue(())
    }
}

/// The name that is a function's only argument.
fn only_name(arguments: &FunctionArguments) -> Option<Vec<Ident>> {
    let FunctionArguments::List(list) = arguments else { return None };
    match list.args.as_slice() {
        [FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Identifier(name)))] => {
            Some(vec![name.clone()])
        }
        [FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::CompoundIdentifier(parts)))] => {
            Some(parts.clone())
        }
        _ => None,
    }
}

/// The asset after FROM.
fn from(select: &Select) -> Result<(String, Span), RuleMistake> {
    let remedy = "write FROM 'site/line2/pump3': the path of one asset";
    let wrong = |span, problem: &str| mistake(Part::Sql, span, problem, remedy);
    let [table] = select.from.as_slice() else {
        return Err(wrong(select.span(), "a rule is about one asset"));
    };
    if !table.joins.is_empty() {
        return Err(wrong(
            table.span(),
            "JOIN has no meaning: all signals below an asset are there",
        ));
    }
    let TableFactor::Table { name, alias: None, args: None, .. } = &table.relation else {
        return Err(wrong(table.span(), "after FROM stands no asset"));
    };
    let parts: Option<Vec<&Ident>> = name.0.iter().map(|part| part.as_ident()).collect();
    match parts.as_deref() {
        Some([asset]) => Ok((asset.value.trim_matches('/').to_owned(), asset.span)),
        _ => Err(wrong(table.span(), "after FROM stands no asset")),
    }
}
