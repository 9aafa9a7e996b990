//! `fieldgate check`: every mistake at once, each with its place, exit code 78.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::harness::{case, fieldgate, root, text};

/// Cases whose names begin as wanted: files `NN_what.toml` and folders `NN_what`.
fn cases(wanted: fn(&str) -> bool) -> Vec<PathBuf> {
    let listed = fs::read_dir(case("config")).unwrap().map(|entry| entry.unwrap().path());
    let is_case = |path: &PathBuf| path.is_dir() || path.extension().is_some_and(|e| e == "toml");
    let named = |path: &PathBuf| wanted(path.file_name().unwrap().to_str().unwrap());
    let mut found: Vec<PathBuf> = listed.filter(is_case).filter(named).collect();
    found.sort();
    found
}

/// Place, key, problem and remedy of each line of a case's `.expect`.
fn expected(path: &Path) -> Vec<(String, Vec<String>)> {
    let text = fs::read_to_string(path.with_extension("expect")).unwrap();
    let part = |text: &str| text.trim().to_owned();
    let lines = text.lines().filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let (place, rest) = line.split_once(' ').unwrap();
            (place.to_owned(), rest.split('|').map(part).collect())
        })
        .collect()
}

/// What printed lines lack of what is expected.
fn differences(path: &Path, out: &str) -> Vec<String> {
    let (expected, lines) = (expected(path), out.lines().collect::<Vec<_>>());
    let mut wrong = Vec::new();
    if expected.len() != lines.len() {
        wrong.push(format!("{} mistakes, {} printed", expected.len(), lines.len()));
    }
    for ((place, parts), line) in expected.iter().zip(&lines) {
        let file = if path.is_dir() { format!("{}/", text(path)) } else { String::new() };
        let alone = format!("{}:", text(path));
        let begins = line.starts_with(&format!("{file}{place}: "))
            || line.strip_prefix(&alone).is_some_and(|l| l.starts_with(&format!("{place}: ")))
            || line.contains(&format!("gateway.toml:{place}: "));
        if !begins || parts.iter().any(|part| !line.contains(part.as_str())) {
            wrong.push(format!("expected {place} {parts:?}, printed {line}"));
        }
    }
    wrong
}

#[test]
fn every_wrong_configuration_is_told_whole_with_places_and_exit_code_78() {
    let cases = cases(|name| !name.starts_with("ok_"));
    let mut wrong = Vec::new();
    let mut mistakes = 0;
    for path in cases.iter().filter(|path| path.with_extension("expect").is_file()) {
        let ran = fieldgate(&["check", "--offline", text(path)]);
        let out = String::from_utf8(ran.stdout).unwrap();
        mistakes += out.lines().count();
        let mut told = differences(path, &out);
        if ran.status.code() != Some(78) {
            told.push(format!("exit code {:?}", ran.status.code()));
        }
        wrong.extend(told.into_iter().map(|one| format!("{}: {one}", path.display())));
    }
    println!("{} configurations, {mistakes} mistakes", cases.len());
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(mistakes >= 100);
}

#[test]
fn the_same_mistakes_come_as_json_with_file_line_and_column() {
    for path in cases(|name| name.starts_with("02_") || name.starts_with("12_")) {
        let ran = fieldgate(&["check", "--offline", "--json", text(&path)]);
        assert_eq!(ran.status.code(), Some(78));
        let told: Vec<Value> = serde_json::from_slice(&ran.stdout).unwrap();
        let expected = expected(&path);
        assert_eq!(told.len(), expected.len(), "{}", path.display());
        for (one, (place, _)) in told.iter().zip(&expected) {
            assert_eq!(format!("{}:{}", one["line"], one["column"]), *place, "{one}");
            assert_eq!(one["file"].as_str(), Some(text(&path)));
        }
    }
}

#[test]
fn the_shipped_configurations_and_the_right_cases_are_right() {
    let shipped = ["config/demo/gateway.toml", "config/plant.toml"].map(|path| root().join(path));
    for path in cases(|name| name.starts_with("ok_")).into_iter().chain(shipped) {
        let ran = fieldgate(&["check", "--offline", text(&path)]);
        let out = String::from_utf8_lossy(&ran.stdout);
        assert_eq!(ran.status.code(), Some(0), "{}: {out}", path.display());
    }
}
