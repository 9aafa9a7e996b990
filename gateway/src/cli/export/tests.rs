//! What the arguments mean, and every mistake in them.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use clap::Parser as _;

use super::plan::{Plan, Wish, matches};
use super::{ExportArgs, Format};

#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    args: ExportArgs,
}

fn schemas() -> BTreeMap<String, SchemaRef> {
    let signal = |column: &str, path: &str| {
        let about = HashMap::from([("path".to_owned(), path.to_owned())]);
        Field::new(column, DataType::Float64, true).with_metadata(about)
    };
    let table = |signals: Vec<Field>| {
        let key = |name| Field::new(name, DataType::Int64, false);
        let fields = [vec![key("ts"), key("q")], signals].concat();
        Arc::new(Schema::new(fields))
    };
    let pump = table(vec![signal("flow", "plant/pump/flow"), signal("rpm", "plant/pump/rpm")]);
    let boiler = table(vec![signal("level", "plant/boiler/level")]);
    BTreeMap::from([("pump_1s".to_owned(), pump), ("boiler_10s".to_owned(), boiler)])
}

fn plan(out: &Path, arguments: &[&str]) -> Result<Plan, Vec<String>> {
    let fixed = ["export", "--data", "/nowhere", "--out", out.to_str().unwrap()];
    let args = Line::parse_from(fixed.iter().chain(arguments)).args;
    Wish { args: &args, schemas: Some(&schemas()) }.plan()
}

#[test]
fn without_arguments_every_column_of_every_table_goes_into_a_file_a_table() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(folder.path(), &[]).unwrap();
    assert_eq!(plan.format, Format::Parquet);
    let targets: Vec<_> = plan.parts.iter().map(|part| part.target.clone()).collect();
    let named = |name: &str| folder.path().join(name);
    assert_eq!(targets, [named("boiler_10s.parquet"), named("pump_1s.parquet")]);
    assert_eq!(plan.parts[1].columns, ["ts", "q", "flow", "rpm"]);
}

#[test]
fn a_signal_comes_with_its_time_and_quality_and_tables_without_it_stay_out() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("flow.csv");
    let plan = plan(&out, &["--signals", "plant/*/flow"]).unwrap();
    assert_eq!((plan.format, plan.parts.len()), (Format::Csv, 1));
    assert_eq!(plan.parts[0].columns, ["ts", "q", "flow"]);
    assert_eq!(plan.parts[0].target, out);
}

#[test]
fn times_are_utc_unless_they_say_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let times = ["--from", "2026-11-23", "--to", "2026-11-23T11:30:00+01:00"];
    let plan = plan(folder.path(), &times).unwrap();
    assert_eq!(plan.from.unwrap().to_string(), "2026-11-23T00:00:00.000000Z");
    assert_eq!(plan.to.unwrap().to_string(), "2026-11-23T10:30:00.000000Z");
}

#[test]
fn every_mistake_is_told_at_once_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("all.parquet");
    std::fs::write(folder.path().join("taken.csv"), "").unwrap();
    let wrong = ["pump_1", "*_1?s", "--from", "yesterday", "--format", "csv"];
    let told = plan(&out, &wrong).unwrap_err().join("\n");
    for part in [
        "no table is called \"pump_1\"; did you mean \"pump_1s\"?",
        "no table is called \"*_1?s\"",
        "--from: \"yesterday\" is no time; write",
        "--format: csv does not go with",
    ] {
        assert!(told.contains(part), "{part} is not in\n{told}");
    }
    let backwards = ["--from", "2026-11-24", "--to", "2026-11-23", "--signals", "plant/pump/flw"];
    let told = plan(&out, &backwards).unwrap_err().join("\n");
    assert!(told.contains("is not after --from"), "{told}");
    assert!(told.contains("did you mean \"plant/pump/flow\"?"), "{told}");
    let told = plan(&out, &[]).unwrap_err().join("\n");
    assert!(told.contains("is one file, and 2 tables are asked for"), "{told}");
    let taken = folder.path().join("taken.csv");
    let told = plan(&taken, &["pump_1s"]).unwrap_err().join("\n");
    assert!(told.contains("is there already; name another place, or add --overwrite"), "{told}");
    assert!(plan(&taken, &["pump_1s", "--overwrite"]).is_ok());
}

#[test]
fn a_star_stands_for_any_letters() {
    for (pattern, name, is_like) in [
        ("pump_*", "pump_1s", true),
        ("*", "anything", true),
        ("*flow", "plant/pump/flow", true),
        ("plant/*/fl*w", "plant/pump/flow", true),
        ("a*a", "a", false),
        ("a*b*b", "ab", false),
        ("pump", "pump_1s", false),
        ("*_1", "pump_1s", false),
    ] {
        assert_eq!(matches(pattern, name), is_like, "{pattern} {name}");
    }
}
