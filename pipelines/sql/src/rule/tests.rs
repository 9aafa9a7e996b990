use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use signals::{
    Batch, BatchBuilder, ClockState, Quality, Reason, Signal, Table, Timestamp, Value, ValueType,
};

use super::{Cell, Kind, Moment, Part, Rule, RuleMistake, RuleSignals, RuleText, Watch, Window};

const ASSET: &str = "site/line2/pump3";

struct Plant(BTreeMap<String, Kind>);

impl Plant {
    fn new() -> Self {
        let signals = [
            ("site/line2/pump3/pressure", Kind::Number),
            ("site/line2/pump3/running", Kind::Truth),
            ("site/line2/pump3/mode", Kind::Text),
            ("site/line2/pump3/motor/current", Kind::Number),
            ("site/line2/fan/speed", Kind::Number),
        ];
        Self(signals.map(|(path, kind)| (path.to_owned(), kind)).into())
    }
}

impl RuleSignals for Plant {
    fn kind(&self, path: &str) -> Option<Kind> {
        self.0.get(path).copied()
    }

    fn below(&self, prefix: &str) -> Vec<String> {
        let below = |path: &&String| {
            prefix.is_empty() || path.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('/'))
        };
        self.0.keys().filter(below).cloned().collect()
    }

    fn windows(&self) -> Vec<Window> {
        let functions = ["mean", "max"].map(str::to_owned).to_vec();
        vec![Window { name: "1m".to_owned(), functions }]
    }
}

fn where_(condition: &str) -> String {
    format!("SELECT pressure FROM '{ASSET}' WHERE {condition}")
}

fn plan(sql: &str) -> Result<Rule, Vec<RuleMistake>> {
    Rule::plan(RuleText { sql, clear: None, suppress: None }, &Plant::new())
}

fn watch(sql: &str) -> Watch {
    Watch::new(Arc::new(plan(sql).expect("a rule")), Duration::from_secs(10))
}

fn mistakes(sql: &str) -> Vec<RuleMistake> {
    plan(sql).expect_err("it has a mistake")
}

fn pump() -> Arc<Table> {
    let signals = vec![
        Signal::new(format!("{ASSET}/pressure"), "pressure", ValueType::F64),
        Signal::new(format!("{ASSET}/running"), "running", ValueType::Bool),
        Signal::new(format!("{ASSET}/mode"), "mode", ValueType::Text),
    ];
    Table::of_signals("pump3_1s".to_owned(), "pump3".to_owned(), false, signals).expect("a table")
}

fn motor() -> Arc<Table> {
    let signals =
        vec![Signal::new(format!("{ASSET}/motor/current"), "motor_current", ValueType::I16)];
    Table::of_signals("motor_1s".to_owned(), "motor".to_owned(), false, signals).expect("a table")
}

fn second(second: i64) -> Timestamp {
    Timestamp::from_micros(second * 1_000_000)
}

/// Rows of the pump: second and pressure; `None` was not read, for a bad reason.
fn pressures(rows: &[(i64, Option<f64>)]) -> Batch {
    let mut batch = BatchBuilder::new(pump());
    for (at, pressure) in rows {
        batch.begin(second(*at), 0, ClockState::Synced);
        match pressure {
            Some(pressure) => batch.set(0, Value::F64(*pressure)),
            None => batch.flaw(0, Quality::bad(Reason::Timeout)),
        }
    }
    batch.finish().expect("rows")
}

fn current(at: i64, amperes: i64) -> Batch {
    let mut batch = BatchBuilder::new(motor());
    batch.begin(second(at), 0, ClockState::Synced);
    batch.set(0, Value::I64(amperes));
    batch.finish().expect("a row")
}

fn raises(moments: &[Moment]) -> Vec<(i64, Option<bool>)> {
    moments.iter().map(|moment| (moment.ts.micros() / 1_000_000, moment.raise)).collect()
}

#[test]
fn a_condition_is_met_not_met_or_not_known_row_by_row() {
    let mut watch = watch(&where_("pressure > 8"));
    let moments = watch.feed(&pressures(&[(1, Some(7.0)), (2, Some(9.0)), (3, None)]));
    let moments = moments.expect("evaluates");
    assert_eq!(raises(&moments), [(1, Some(false)), (2, Some(true)), (3, None)]);
    assert_eq!(moments.first().and_then(|m| m.clear), Some(true), "without `clear`, the opposite");
    assert_eq!(moments.last().and_then(|m| m.clear), None);
}

#[test]
fn the_columns_after_select_are_told_under_their_names() {
    let mut watch = watch(&format!(
        "SELECT pressure, pressure * 14.5 AS psi, mode FROM '{ASSET}' WHERE pressure > 8"
    ));
    let moments = watch.feed(&pressures(&[(1, Some(10.0))])).expect("evaluates");
    let expected = [
        ("pressure".to_owned(), Some(Cell::Number(10.0))),
        ("psi".to_owned(), Some(Cell::Number(145.0))),
        ("mode".to_owned(), None),
    ];
    assert_eq!(moments.first().map(|m| m.values.as_slice()), Some(expected.as_slice()));
}

#[test]
fn a_value_of_bad_quality_is_not_known_whatever_it_says() {
    let mut batch = BatchBuilder::new(pump());
    batch.begin(second(1), 0, ClockState::Synced);
    batch.set(0, Value::F64(99.0));
    batch.flaw(0, Quality::bad(Reason::RangeHigh));
    let mut watch = watch(&where_("pressure > 8"));
    let moments = watch.feed(&batch.finish().expect("a row")).expect("evaluates");
    assert_eq!(raises(&moments), [(1, None)]);
}

#[test]
fn a_value_of_another_table_counts_until_it_is_too_old() {
    let mut watch = watch(&where_("pressure > 8 AND \"motor/current\" > 40"));
    assert_eq!(raises(&watch.feed(&current(0, 45)).expect("evaluates")), [(0, None)]);
    let moments = watch.feed(&pressures(&[(10, Some(9.0)), (11, Some(9.0))])).expect("evaluates");
    assert_eq!(raises(&moments), [(10, Some(true)), (11, None)]);
}

#[test]
fn one_half_of_an_and_that_is_false_is_enough_to_know() {
    let mut watch = watch(&where_("pressure > 8 AND \"motor/current\" > 40"));
    let moments = watch.feed(&pressures(&[(1, Some(7.0))])).expect("evaluates");
    assert_eq!(raises(&moments), [(1, Some(false))]);
}

#[test]
fn a_rate_is_the_change_per_second_between_good_samples_that_are_near() {
    let mut watch = watch(&where_("rate(pressure) > 0.4"));
    let rows = [
        (1, Some(5.0)),
        (2, Some(5.1)),
        (4, Some(6.1)),
        (5, None),
        (6, Some(6.2)),
        (30, Some(99.0)),
    ];
    let moments = watch.feed(&pressures(&rows)).expect("evaluates");
    let expected =
        [(1, None), (2, Some(false)), (4, Some(true)), (5, None), (6, Some(false)), (30, None)];
    assert_eq!(raises(&moments), expected);
}

#[test]
fn an_age_grows_while_nothing_good_comes_and_without_any_sample() {
    let mut watch = watch(&where_("age(pressure) > 3"));
    let moments =
        watch.feed(&pressures(&[(1, Some(5.0)), (3, None), (5, None)])).expect("evaluates");
    assert_eq!(raises(&moments), [(1, Some(false)), (3, Some(false)), (5, Some(true))]);
    assert_eq!(raises(&watch.tick(second(60)).expect("evaluates")), [(60, Some(true))]);
    let moments = watch.feed(&pressures(&[(61, Some(5.0))])).expect("evaluates");
    assert_eq!(raises(&moments), [(61, Some(false))]);
}

#[test]
fn a_signal_that_never_came_is_as_old_as_the_first_question() {
    let mut watch = watch(&where_("age(pressure) > 3"));
    assert_eq!(raises(&watch.tick(second(100)).expect("evaluates")), [(100, Some(false))]);
    assert_eq!(raises(&watch.tick(second(104)).expect("evaluates")), [(104, Some(true))]);
}

#[test]
fn however_the_rows_are_cut_into_batches_the_verdicts_are_the_same() {
    let rows: Vec<(i64, Option<f64>)> = (0..40)
        .map(|at| (at, (at % 7 != 3).then_some(f64::from(u8::try_from(at % 11).expect("small")))))
        .collect();
    let sql = where_("rate(pressure) > 0 OR age(pressure) > 1 OR pressure > 9");
    let whole = watch(&sql).feed(&pressures(&rows)).expect("evaluates");
    let mut cut = watch(&sql);
    let mut pieces = Vec::new();
    for piece in rows.chunks(3) {
        pieces.extend(cut.feed(&pressures(piece)).expect("evaluates"));
    }
    assert_eq!(whole, pieces);
}

#[test]
fn what_was_kept_over_a_restart_goes_on() {
    let sql = where_("rate(pressure) > 0.4 OR age(pressure) > 20");
    let mut before = watch(&sql);
    before.feed(&pressures(&[(1, Some(5.0))])).expect("evaluates");
    let mut after = watch(&sql);
    after.resume(&before.state());
    let rows = pressures(&[(2, Some(6.0)), (3, Some(6.0))]);
    assert_eq!(after.feed(&rows).expect("evaluates"), before.feed(&rows).expect("evaluates"));
}

#[test]
fn rows_that_do_not_concern_a_rule_say_nothing() {
    let mut watch = watch(&where_("pressure > 8"));
    assert_eq!(watch.feed(&current(1, 5)).expect("evaluates"), []);
}

#[test]
fn a_sender_is_named_behind_the_signal_and_others_do_not_count() {
    let signals = vec![Signal::new(format!("{ASSET}/pressure"), "pressure", ValueType::F64)];
    let table = Table::of_signals("truck".to_owned(), "truck".to_owned(), true, signals);
    let mut batch = BatchBuilder::new(table.expect("a table"));
    for (at, sender, pressure) in [(1, 11, 9.0), (2, 49, 3.0), (3, 11, 7.0)] {
        batch.begin(second(at), sender, ClockState::Synced);
        batch.set(0, Value::F64(pressure));
    }
    let mut watch =
        watch(&format!("SELECT \"pressure@11\" FROM '{ASSET}' WHERE \"pressure@11\" > 8"));
    let moments = watch.feed(&batch.finish().expect("rows")).expect("evaluates");
    assert_eq!(raises(&moments), [(1, Some(true)), (3, Some(false))]);
}

#[test]
fn numbers_divide_by_zero_without_an_error() {
    let mut watch = watch(&where_("1 / pressure > 5"));
    let moments = watch.feed(&pressures(&[(1, Some(0.0)), (2, Some(1.0))])).expect("evaluates");
    assert_eq!(raises(&moments), [(1, Some(true)), (2, Some(false))]);
}

#[test]
fn a_misspelt_signal_is_told_with_its_place_and_the_nearest_name() {
    let found = mistakes(&format!("SELECT pressure FROM '{ASSET}' WHERE presure > 8"));
    let expected = RuleMistake {
        part: Part::Sql,
        at: Some((1, 47)),
        problem: format!("there is no signal \"{ASSET}/presure\""),
        remedy: format!("did you mean \"{ASSET}/pressure\"?"),
    };
    assert_eq!(found, [expected]);
}

#[test]
fn every_mistake_of_a_rule_is_told_at_once() {
    let sql = format!("SELECT *, a FROM '{ASSET}' WHERE b > 8");
    let text = RuleText { sql: &sql, clear: Some("pressure <"), suppress: Some("c") };
    let found = Rule::plan(text, &Plant::new()).expect_err("it has mistakes");
    let told: Vec<(Part, &str)> = found.iter().map(|m| (m.part, m.problem.as_str())).collect();
    assert_eq!(told.len(), 5, "{told:?}");
    assert_eq!(told.iter().filter(|(part, _)| *part == Part::Clear).count(), 1);
    assert!(found.iter().all(|mistake| mistake.at.is_some()), "{found:?}");
}

#[test]
fn what_a_rule_cannot_be_is_refused_with_what_to_do() {
    for (sql, problem) in [
        ("SELECT 1", "a rule is about one asset"),
        ("DELETE FROM 'site/line2/pump3'", "is not one SELECT"),
        ("SELECT pressure FROM 'site/line2/pump3'", "without WHERE it would be met always"),
        (
            "SELECT pressure FROM 'site/line2/pump9' WHERE pressure > 1",
            "there is no signal below \"site/line2/pump9\"",
        ),
        (
            "SELECT avg(pressure) FROM 'site/line2/pump3' WHERE pressure > 1",
            "avg is not a function of one moment",
        ),
        (
            "SELECT pressure FROM 'site/line2/pump3' WHERE avg(pressure) > 1",
            "avg is not a function of one moment",
        ),
        (
            "SELECT pressure FROM 'site/line2/pump3' WHERE pressure > random()",
            "random is not a function of one moment",
        ),
        (
            "SELECT pressure FROM 'site/line2/pump3' WHERE now() > pressure",
            "now is not a function of one moment",
        ),
        (
            "SELECT pressure FROM 'site/line2/pump3' WHERE pressure",
            "the condition is Float64, not true or false",
        ),
        (
            "SELECT pressure FROM 'site/line2/pump3' WHERE pressure > (SELECT 1)",
            "a query in a rule has no meaning: it sees one moment",
        ),
        (
            "SELECT pressure FROM 'site/line2/pump3' WHERE rate(mode) > 1",
            "\"site/line2/pump3/mode\" is not a number: it has no rate",
        ),
        (
            "SELECT pressure FROM 'aggregates/7m/site/line2/pump3' WHERE pressure.mean > 1",
            "there is no window \"7m\"",
        ),
        (
            "SELECT pressure.mean FROM 'aggregates/1m/site/line2/pump3' WHERE pressure.median > 1",
            "\"median\" is no function of that window",
        ),
        (
            "SELECT pressure FROM 'site/line2/pump3' WHERE pressure > 1 GROUP BY pressure",
            "DISTINCT, GROUP BY and HAVING have no meaning: a rule sees one moment",
        ),
    ] {
        let found = mistakes(sql);
        assert!(found.iter().any(|m| m.problem == problem), "{sql}: {found:?}");
        assert!(found.iter().all(|m| !m.remedy.is_empty()), "{sql}: {found:?}");
    }
}

#[test]
fn text_that_is_not_sql_is_told_with_its_place() {
    let found = mistakes("SELECT pressure FROM 'site/line2/pump3' WHERE pressure > > 8");
    let first = found.first().expect("a mistake");
    assert!(first.problem.starts_with("not SQL"), "{first:?}");
    assert_eq!(first.at, Some((1, 58)));
}
