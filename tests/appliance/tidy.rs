//! Walls, sizes and words: what the tree itself must look like.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::root;

const FILE_LINES_MAX: usize = 600;
/// Which crates of this workspace a crate may see.
const WALLS: [(&str, &[&str]); 10] = [
    ("signals", &[]),
    ("adapters/modbus", &["signals"]),
    ("adapters/can", &["signals"]),
    ("adapters/replay", &["signals"]),
    ("pipelines/flow", &["signals"]),
    ("pipelines/sql", &["signals", "pipelines-flow"]),
    ("pipelines/upload", &["signals", "pipelines-flow"]),
    ("models", &["signals"]),
    (
        "gateway",
        &[
            "signals",
            "adapters-modbus",
            "adapters-can",
            "adapters-replay",
            "pipelines-flow",
            "pipelines-sql",
            "pipelines-upload",
            "models",
        ],
    ),
    ("tests", &[]),
];
/// Who alone may see an outside crate; tests may use any client.
const OWNERS: [(&str, &str); 10] = [
    ("candle-core", "models"),
    ("datafusion", "pipelines/sql"),
    ("rumqttc", "pipelines/flow"),
    ("rumqttd", "gateway"),
    ("axum", "gateway"),
    ("can-dbc", "adapters/can"),
    ("socketcan", "adapters/can"),
    ("object_store", "pipelines/upload"),
    ("toml_edit", "gateway"),
    ("clap", "gateway"),
];
/// Words that say nothing about what a thing is.
const EMPTY_WORDS: [&str; 6] = ["manager", "helper", "helpers", "util", "utils", "misc"];

/// Files of the repository: committed ones and new ones that are not ignored.
fn files() -> Vec<PathBuf> {
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git lists the files");
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let names = String::from_utf8(listed.stdout).expect("names are UTF-8");
    let mut files: Vec<PathBuf> =
        names.split('\0').filter(|n| !n.is_empty()).map(PathBuf::from).collect();
    files.retain(|file| root().join(file).is_file());
    files.sort();
    files.dedup();
    files
}

/// Text files written by people: no cases, no build results, no lock files.
fn sources(endings: &[&str]) -> Vec<(PathBuf, String)> {
    let is_ours = |file: &Path| {
        let name = file.to_str().unwrap_or_default();
        !["tests/cases/", "gateway/ui/dist/", "config/demo/can/"]
            .iter()
            .any(|f| name.starts_with(f))
            && !["Cargo.lock", "package-lock.json"].iter().any(|end| name.ends_with(end))
    };
    let ends = |file: &Path| {
        endings.is_empty()
            || file.extension().is_some_and(|end| endings.iter().any(|wanted| end == *wanted))
    };
    let read = |file: PathBuf| fs::read_to_string(root().join(&file)).ok().map(|text| (file, text));
    files().into_iter().filter(|file| is_ours(file) && ends(file)).filter_map(read).collect()
}

/// Names in `[dependencies]`, and with `dev` those of `[dev-dependencies]` too.
fn dependencies(package: &str, dev: bool) -> BTreeSet<String> {
    let path = root().join(package).join("Cargo.toml");
    let text = fs::read_to_string(&path).expect("every member has a manifest");
    let mut section = "";
    let mut found = BTreeSet::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line;
        }
        let counts = section.ends_with("dependencies]") && (dev || !section.contains("dev-"));
        if let Some((name, _)) = line.split_once(['.', '=', ' ']).filter(|_| counts)
            && !line.starts_with(['[', '#'])
        {
            found.insert(name.trim().to_owned());
        }
    }
    found
}

#[test]
fn every_crate_sees_only_the_crates_its_walls_allow() {
    let ours: BTreeSet<String> = WALLS.iter().map(|(path, _)| path.replace('/', "-")).collect();
    for (package, allowed) in WALLS {
        let seen = dependencies(package, true);
        let over: Vec<_> = seen
            .iter()
            .filter(|name| ours.contains(*name) && !allowed.contains(&name.as_str()))
            .collect();
        assert!(over.is_empty(), "{package} sees {over:?}");
    }
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let (_, after) = manifest.split_once("members = [").unwrap();
    let members = after.split(']').next().unwrap().matches('"').count() / 2;
    assert_eq!(members, WALLS.len(), "a member of the workspace has no wall here");
}

#[test]
fn a_library_behind_a_wall_is_seen_by_its_owner_alone() {
    for (package, _) in WALLS.iter().filter(|(package, _)| *package != "tests") {
        let seen = dependencies(package, false);
        for (library, owner) in OWNERS {
            assert!(*package == owner || !seen.contains(library), "{package} sees {library}");
        }
    }
}

#[test]
fn versions_stand_in_the_root_alone() {
    for (package, _) in WALLS {
        let text = fs::read_to_string(root().join(package).join("Cargo.toml")).unwrap();
        let section = text.split("dependencies]").skip(1);
        let own: Vec<&str> = section
            .flat_map(|part| part.split("\n[").next().unwrap_or_default().lines())
            .filter(|line| line.contains('=') && !line.contains("workspace = true"))
            .collect();
        assert!(own.is_empty(), "{package}: {own:?}");
    }
}

#[test]
fn there_is_one_arrow_one_parquet_and_one_tls() {
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut name = "";
    for line in lock.lines() {
        if let Some(found) = line.strip_prefix("name = ") {
            name = found.trim_matches('"');
        } else if let Some(version) = line.strip_prefix("version = ") {
            versions.entry(name).or_default().insert(version.trim_matches('"'));
        }
    }
    let single = ["parquet", "rustls", "tokio", "datafusion", "candle-core"];
    let is_arrow = |name: &str| name == "arrow" || name.starts_with("arrow-");
    let mut of_arrow: BTreeSet<&str> = BTreeSet::new();
    for (name, found) in &versions {
        if is_arrow(name) || single.contains(name) {
            assert_eq!(found.len(), 1, "{name}: {found:?}");
        }
        if is_arrow(name) {
            of_arrow.extend(found);
        }
    }
    assert_eq!(of_arrow.len(), 1, "arrow in several versions: {of_arrow:?}");
}

#[test]
fn no_source_file_is_longer_than_six_hundred_lines() {
    let endings = ["rs", "ts", "svelte", "py", "mjs", "css"];
    let lengths = sources(&endings).into_iter().map(|(file, text)| (text.lines().count(), file));
    let long: Vec<_> = lengths.filter(|(lines, _)| *lines > FILE_LINES_MAX).collect();
    assert!(long.is_empty(), "{long:?}");
}

/// The words of an identifier: `LakeFile` and `lake_file` are `lake`, `file`.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for letter in name.chars() {
        let begins = letter.is_uppercase() && words.last().is_some_and(|w| !w.is_empty());
        if !letter.is_alphanumeric() || begins {
            words.push(String::new());
        }
        if letter.is_alphanumeric() {
            words.last_mut().unwrap().extend(letter.to_lowercase());
        }
    }
    words
}

/// The names a line of Rust defines.
fn defined(line: &str) -> Option<&str> {
    let keywords = ["fn ", "struct ", "enum ", "trait ", "mod ", "type ", "const ", "static "];
    let line = line.trim_start();
    let line = line.strip_prefix("pub(crate) ").or(line.strip_prefix("pub ")).unwrap_or(line);
    let line = line.strip_prefix("async ").unwrap_or(line);
    let after = keywords.iter().find_map(|keyword| line.strip_prefix(keyword))?;
    after.split(|letter: char| !letter.is_alphanumeric() && letter != '_').next()
}

#[test]
fn names_say_what_a_thing_is() {
    let mut empty = Vec::new();
    for file in files() {
        let stem = file.file_stem().and_then(|s| s.to_str()).unwrap_or_default();
        if words(stem).iter().any(|word| EMPTY_WORDS.contains(&word.as_str())) {
            empty.push(file.display().to_string());
        }
    }
    for (file, text) in sources(&["rs"]) {
        for name in text.lines().filter_map(defined) {
            let is_empty = words(name).iter().any(|word| EMPTY_WORDS.contains(&word.as_str()));
            if is_empty || ["process", "handle"].contains(&name) {
                empty.push(format!("{}: {name}", file.display()));
            }
        }
    }
    assert!(empty.is_empty(), "{empty:#?}");
}

#[test]
fn the_repository_speaks_of_itself_alone() {
    // Written in two parts: this file is searched too.
    let foreign = [concat!("/wo", "rk/"), concat!("shared/", "design"), concat!("/tm", "p/tg-")];
    let mut found = Vec::new();
    for (file, text) in sources(&[]) {
        for (place, line) in text.lines().enumerate() {
            if foreign.iter().any(|word| line.contains(word)) {
                found.push(format!("{}:{}: {line}", file.display(), place + 1));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// Targets of `[text](target)` in a line of Markdown, without those that name a host or a place.
fn links(line: &str) -> impl Iterator<Item = &str> {
    let targets = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets
        .map(|target| target.split('#').next().unwrap_or_default().trim())
        .filter(|target| !target.is_empty() && !target.contains("://") && !target.contains(' '))
        .filter(|target| !target.starts_with("mailto:"))
}

#[test]
fn every_relative_link_leads_somewhere() {
    let mut broken = Vec::new();
    for (file, text) in sources(&["md"]) {
        let folder = root().join(file.parent().unwrap_or(Path::new("")));
        for target in text.lines().flat_map(links) {
            if !folder.join(target).try_exists().unwrap_or(false) {
                broken.push(format!("{}: {target}", file.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// Rows of the tables of a document whose last column names tests; headings left out.
fn rows_with_tests(file: &str, heading: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(file)).unwrap();
    let is_row =
        |line: &&str| line.starts_with('|') && !line.contains("---") && !line.starts_with(heading);
    text.lines().filter(is_row).map(str::to_owned).collect()
}

/// Every test that the last column of a row names exists; `open` names none.
fn check_tests(rows: &[String]) {
    let tests: BTreeSet<String> = sources(&["rs"])
        .iter()
        .flat_map(|(_, text)| {
            text.lines().filter_map(defined).map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    for row in rows {
        let cell = row.trim_end_matches('|').rsplit('|').next().unwrap_or_default();
        let named: Vec<&str> = cell.split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty() || cell.trim() == "open", "no test: {row}");
        for name in named {
            let last = name.rsplit("::").next().unwrap_or_default();
            assert!(tests.contains(last), "{name} is no test: {row}");
        }
    }
}

#[test]
fn every_cell_of_the_loss_matrix_names_a_test_that_exists() {
    let rows = rows_with_tests("docs/delivery.md", "| event |");
    assert!(rows.len() >= 15, "{} rows", rows.len());
    assert!(!rows.iter().any(|row| row.ends_with("| open |")), "nothing is open here");
    check_tests(&rows);
}

#[test]
fn every_threat_has_a_test_that_exists_or_says_that_it_is_open() {
    let rows = rows_with_tests("docs/threat-model.md", "| # |");
    assert_eq!(rows.len(), 25);
    for (place, row) in rows.iter().enumerate() {
        assert!(row.starts_with(&format!("| {} |", place + 1)), "{row}");
    }
    check_tests(&rows);
}
