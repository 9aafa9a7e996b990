use std::fmt::Write as _;
use std::path::Path;

use models::Family;

use super::{Set, table};

/// Two signals that wander together; `fault` rows from `from` on are shifted and labelled.
fn rows(count: u32, from: u32, line: impl Fn(u32, f64, f64, bool) -> String) -> String {
    let wander = |row: u32, factor: u32| f64::from(row * factor % 101) / 50.0;
    (0..count).fold(String::new(), |mut text, row| {
        let fault = (from..from + 100).contains(&row);
        let (a, b) = (wander(row, 7_919), wander(row, 7_907));
        let shift = if fault { 3.0 } else { 0.0 };
        writeln!(text, "{}", line(row, a, a + 0.3 * b + shift, fault)).unwrap();
        text
    })
}

fn clock(row: u32) -> String {
    format!("2026-03-09 {:02}:{:02}:{:02}", row / 3_600, row / 60 % 60, row % 60)
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).unwrap();
}

#[test]
fn a_folder_in_the_layout_of_skab_gives_a_line_per_detector() {
    let folder = tempfile::tempdir().unwrap();
    let line = |row: u32, a: f64, b: f64, fault: bool| {
        format!("{};{a};{b};{};0.0", clock(row), f64::from(u8::from(fault)))
    };
    let text = format!("datetime;a;b;anomaly;changepoint\n{}", rows(1_000, 700, line));
    write(folder.path(), "valve1_0.csv", &text);
    write(folder.path(), "anomaly-free.csv", "is not read");
    for family in Family::ALL {
        let found = table(Set::Skab, folder.path(), family).unwrap();
        let cells: Vec<&str> = found.lines().nth(1).unwrap().split(',').collect();
        assert_eq!(cells[..2], [family.as_str(), "1"]);
        assert!(cells[2].parse::<f64>().unwrap() > 0.8, "{found}");
        assert_eq!(cells[6..9], ["1", "1", "0"], "{found}");
        assert!(found.lines().nth(2).unwrap().starts_with("greatest distance,1,"), "{found}");
    }
}

#[test]
fn a_folder_in_the_layout_of_nab_is_judged_by_its_windows() {
    let folder = tempfile::tempdir().unwrap();
    let line = |row: u32, _: f64, b: f64, _: bool| format!("{},{b}", clock(row));
    write(folder.path(), "x__y.csv", &format!("timestamp,value\n{}", rows(2_000, 1_500, line)));
    let windows = format!("{{\"x__y.csv\": [[\"{}\", \"{}\"]]}}", clock(1_490), clock(1_610));
    write(folder.path(), "windows.json", &windows);
    let found = table(Set::Nab, folder.path(), Family::Ewma).unwrap();
    let cells: Vec<&str> = found.lines().nth(1).unwrap().split(',').collect();
    assert!(cells[2].parse::<f64>().unwrap() > 80.0, "{found}");
}

#[test]
fn a_folder_without_files_or_windows_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let refusal = |set| format!("{:#}", table(set, folder.path(), Family::Ewma).unwrap_err());
    assert!(refusal(Set::Skab).contains("no file *.csv"), "{}", refusal(Set::Skab));
    assert!(refusal(Set::Nab).contains("windows.json"), "{}", refusal(Set::Nab));
    assert!(refusal(Set::Tep).contains("no file *.parquet"), "{}", refusal(Set::Tep));
}
