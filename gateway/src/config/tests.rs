use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use super::*;

/// Wrong configurations with their expected mistakes, and right ones named `ok_…`.
const CASES: &str = "tests/cases/config";

fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let found = here.ancestors().find(|folder| folder.join(CASES).is_dir());
    found.expect("the cases are part of the repository").to_owned()
}

/// Cases with the given beginning: files `NN_what.toml` and folders `NN_what`.
fn cases(wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let listed = fs::read_dir(root().join(CASES)).unwrap().map(|entry| entry.unwrap().path());
    let is_case = |path: &PathBuf| path.is_dir() || path.extension().is_some_and(|e| e == "toml");
    let named = |path: &PathBuf| wanted(path.file_name().unwrap().to_str().unwrap());
    let mut found: Vec<PathBuf> = listed.filter(is_case).filter(named).collect();
    found.sort();
    found
}

fn mistakes(path: &Path) -> Vec<Located> {
    match load(path) {
        Ok(_) => Vec::new(),
        Err(LoadError::Mistakes(found)) => found,
        Err(err) => panic!("{err}"),
    }
}

fn of_text(text: &str) -> Vec<Located> {
    from_text("gateway.toml", text, Files::Embedded(&[])).err().unwrap_or_default()
}

/// `12:8 key | problem | remedy`, in a folder `conf.d/a.toml:12:8 key | problem | remedy`.
fn differs(expected: &str, found: &Located, folder: &Path) -> bool {
    let (place, rest) = expected.split_once(' ').unwrap();
    let mut parts = rest.split('|').map(str::trim);
    let mut holds = |text: &str| text.contains(parts.next().unwrap_or_default());
    let name = Path::new(&found.file).strip_prefix(folder).map_or("", |p| p.to_str().unwrap());
    let short = format!("{}:{}", found.line, found.column);
    let long = format!("{name}:{short}");
    let matches = holds(&found.key) && holds(&found.problem) && holds(&found.remedy);
    !matches || (place != short && place != long)
}

#[test]
fn every_wrong_configuration_gives_exactly_its_mistakes_at_their_places() {
    let mut wrong = Vec::new();
    let cases = cases(|name| !name.starts_with("ok_"));
    for case in &cases {
        let expected = fs::read_to_string(case.with_extension("expect")).unwrap();
        let expected: Vec<&str> = expected.lines().filter(|line| !line.is_empty()).collect();
        let found = mistakes(case);
        let pairs = expected.iter().zip(&found);
        let differ = pairs.filter(|(e, f)| differs(e, f, case)).count();
        if differ > 0 || expected.len() != found.len() {
            wrong.push(format!("{}\n  {}", expected.join("\n  "), Located::list(&found)));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n\n"));
    assert!(cases.len() >= 40, "only {} cases", cases.len());
}

#[test]
fn right_configurations_have_no_mistake() {
    let examples = ["config/demo/gateway.toml", "config/plant.toml"].map(|path| root().join(path));
    let examples = examples.into_iter().filter(|path| path.is_file());
    for path in cases(|name| name.starts_with("ok_")).into_iter().chain(examples) {
        let found = mistakes(&path);
        assert!(found.is_empty(), "{}", Located::list(&found));
    }
}

#[test]
fn every_mistake_says_what_to_do_and_every_file_line_exists() {
    for case in cases(|name| !name.starts_with("ok_")) {
        for found in mistakes(&case) {
            assert!(!found.problem.is_empty() && !found.remedy.is_empty(), "{found}");
            let lines = fs::read_to_string(&found.file).unwrap().lines().count();
            assert!((1..=lines).contains(&found.line) && found.column > 0, "{found}");
        }
    }
}

#[test]
fn a_secret_is_never_repeated() {
    for case in cases(|name| name.contains("secret")) {
        for found in mistakes(&case) {
            let all = format!("{found} {found:?}");
            assert!(!all.contains("hunter2") && !all.contains("1234567"), "{found}");
        }
    }
}

#[test]
fn mistakes_are_sorted_by_file_and_line() {
    for case in cases(|_| true) {
        let places: Vec<_> =
            mistakes(&case).into_iter().map(|m| (m.file, m.line, m.column)).collect();
        let mut sorted = places.clone();
        // gateway.toml is read before conf.d/*.toml.
        sorted.sort_by_key(|(file, line, column)| {
            (file.contains("conf.d"), file.clone(), *line, *column)
        });
        assert_eq!(places, sorted);
    }
}

#[test]
fn the_same_file_gives_the_same_mistakes_whatever_its_line_ends() {
    let unix = "[gateway]\nid = 3\n[web]\nlisten = \"x\"\n";
    let dos = unix.replace('\n', "\r\n");
    assert_eq!(of_text(unix), of_text(&dos));
    assert_eq!(of_text(unix).len(), 2);
}

#[test]
fn any_cut_of_a_configuration_is_answered_without_a_crash() {
    let whole = fs::read_to_string(root().join(CASES).join("ok_everything.toml")).unwrap();
    let ends: BTreeSet<usize> =
        (0..whole.len()).step_by(13).filter(|end| whole.is_char_boundary(*end)).collect();
    for end in ends {
        drop(of_text(&whole[..end]));
        drop(of_text(&whole[end..]));
    }
}

#[test]
fn any_character_replaced_is_answered_without_a_crash() {
    let whole = fs::read_to_string(root().join(CASES).join("ok_everything.toml")).unwrap();
    let places = whole.char_indices().enumerate();
    for (number, (at, old)) in places.filter(|(number, _)| number % 5 == 0) {
        let new = ['"', '[', ']', '{', '=', ',', '.', '#', '\n', '\0', 'é', '9'][number / 5 % 12];
        let end = at + old.len_utf8();
        drop(of_text(&format!("{}{new}{}", &whole[..at], &whole[end..])));
    }
}

#[test]
fn ten_thousand_wrong_tags_are_all_told() {
    let tag = "[[device.tag]]\nname = \"t\"\nat = 4\ntype = \"u17\"\n";
    let text = format!(
        "[gateway]\nid = \"gw-1\"\n[[line]]\nname = \"a\"\nhost = \"h\"\n\
         [[device]]\nname = \"d\"\nline = \"a\"\nunit = 1\n{}",
        tag.repeat(10_000)
    );
    let found = of_text(&text);
    // A wrong type of the key `at`, an unknown register type, and all names but the first.
    assert_eq!(found.len(), 29_999);
    assert_eq!(found.last().map(|m| (m.line, m.column)), Some((40_009, 8)));
}

#[test]
fn a_path_that_is_not_there_is_an_io_error_with_the_path_in_it() {
    let err = load(Path::new("/nowhere/gateway.toml")).unwrap_err();
    assert!(matches!(err, LoadError::Read { .. }));
    assert!(err.to_string().starts_with("/nowhere/gateway.toml: cannot be read"));
}

#[test]
fn defaults_are_loopback_utc_and_a_second_of_loss() {
    let text = "[gateway]\nid = \"gw-1\"\n";
    let config = from_text("gateway.toml", text, Files::Embedded(&[])).unwrap();
    assert!(config.web.listen.ip().is_loopback());
    assert_eq!(config.gateway.timezone, "UTC");
    assert_eq!(config.journal.sync_interval, Duration::from_secs(1));
    assert_eq!(config.local_broker, None);
}

mod drift;
mod mutated;
