//! Right configurations with one mistake each, made by a generator: every one is refused at its
//! place, with what to do, and none panics.

use super::*;

/// A configuration with a mistake.
struct Mutant {
    text: String,
    /// Line of the mistake, from 1.
    line: usize,
    /// What was done.
    what: &'static str,
    /// What the remedy must name.
    names: Option<String>,
}

/// `key = value` that is whole on its line.
fn assignment(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once('=')?;
    let is_key = key.trim().chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
    let is_whole = line.parse::<toml_edit::DocumentMut>().is_ok();
    (is_key && is_whole).then(|| (key.trim(), value.trim()))
}

/// A value with a unit: `"250 ms"`, `"64 MiB"`.
fn has_unit(value: &str) -> bool {
    let text = value.trim_matches('"');
    value.starts_with('"')
        && text.starts_with(|c: char| c.is_ascii_digit())
        && text.split_once(' ').is_some_and(|(number, unit)| {
            number.parse::<f64>().is_ok() && unit.chars().all(char::is_alphabetic)
        })
}

/// Keys that any number is right for.
const UNBOUNDED: [&str; 2] = ["offset", "scale"];

/// The mistakes that can be made on a line of `text`.
fn mutants_of(line: &str, text: &str) -> Vec<(&'static str, String, Option<String>)> {
    let bare = line.trim();
    if let Some(name) = bare.strip_prefix("[[").and_then(|rest| rest.strip_suffix("]]")) {
        // With parts of its own it is their TOML that is wrong then: they stand twice.
        if name.contains('.') || text.contains(&format!("[{name}.")) {
            return Vec::new();
        }
        return vec![("a section misspelt", format!("[[{name}x]]"), Some(name.to_owned()))];
    }
    let Some((key, value)) = assignment(line) else { return Vec::new() };
    let mut made = vec![
        ("a key misspelt", format!("{key}x = {value}"), Some(key.to_owned())),
        ("a value of another type", format!("{key} = {{ wrong = 1 }}"), None),
        ("a key twice", format!("{key} = {value}\n{key} = {value}"), None),
    ];
    if has_unit(value) {
        made.push(("a span without a number", format!("{key} = \"soon\""), None));
        made.push(("a span of another kind", format!("{key} = \"3 apples\""), None));
    }
    if value.ends_with('"') && value.len() > 1 {
        made.push((
            "a text without an end",
            format!("{key} = {}", &value[..value.len() - 1]),
            None,
        ));
    }
    if value.parse::<i64>().is_ok() {
        if !UNBOUNDED.contains(&key) {
            made.push(("a number out of all ranges", format!("{key} = {}", i64::MIN), None));
        }
        made.push(("a text for a number", format!("{key} = \"many\""), None));
    }
    made
}

fn mutants(text: &str) -> Vec<Mutant> {
    let lines: Vec<&str> = text.lines().collect();
    let mut all = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        for (what, instead, names) in mutants_of(line, text) {
            let mut changed = lines.clone();
            changed[at] = &instead;
            all.push(Mutant { text: changed.join("\n"), line: at + 1, what, names });
        }
    }
    all
}

/// What is wrong with what was found.
fn flaws(mutant: &Mutant, found: &[Located]) -> Option<String> {
    let lines = mutant.text.lines().count();
    if found.is_empty() {
        return Some("accepted".to_owned());
    }
    for one in found {
        let Located { file, line, column, problem, remedy, .. } = one;
        let is_whole = !file.is_empty() && !problem.is_empty() && !remedy.is_empty();
        if !is_whole || *line == 0 || *line > lines + 1 || *column == 0 {
            return Some(format!("not whole: {one:?}"));
        }
    }
    // A key given twice may be told at either of its places.
    let is_there = |one: &&Located| (mutant.line..=mutant.line + 1).contains(&one.line);
    let here: Vec<_> = found.iter().filter(is_there).collect();
    let names = mutant.names.as_deref().unwrap_or_default();
    if here.iter().any(|one| one.remedy.contains(names) || one.problem.contains(names)) {
        return None;
    }
    Some(format!("not there, or without {names:?}: {}", Located::list(found)))
}

#[test]
fn every_mutation_of_a_right_configuration_is_refused_at_its_place_with_what_to_do() {
    let examples = ["config/demo/gateway.toml", "config/plant.toml"].map(|path| root().join(path));
    let right = cases(|name| name.starts_with("ok_")).into_iter().chain(examples);
    let (mut count, mut wrong) = (0, Vec::new());
    for path in right.filter(|path| path.is_file()) {
        let (text, folder) = (fs::read_to_string(&path).unwrap(), path.parent().unwrap());
        for mutant in mutants(&text) {
            count += 1;
            let refused = from_text("gateway.toml", &mutant.text, Files::Folder(folder));
            if let Some(flaw) = flaws(&mutant, &refused.err().unwrap_or_default()) {
                let line = mutant.text.lines().nth(mutant.line - 1).unwrap_or_default();
                let name = path.file_name().unwrap().to_string_lossy();
                wrong.push(format!("{name}:{} {} `{line}`: {flaw}", mutant.line, mutant.what));
            }
        }
    }
    println!("{count} mutations");
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count >= 200, "only {count}");
}
