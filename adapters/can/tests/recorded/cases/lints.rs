//! Databases with something out of order.

use std::path::Path;

use adapters_can::dbc::{Database, LintSeverity};
use adapters_can::frame::Frame;
use adapters_can::plan::{DecodePlan, Matching};
use adapters_can::source::Source;

use super::{beside, database, files, folders};

fn own(name: &str) -> Database {
    database(&folders()[0].join("dbc").join(name))
}

fn lint_of(database: &Database) -> String {
    database.lint.rows().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn has(name: &str, severity: LintSeverity, text: &str) {
    let loaded = own(name);
    let found = loaded
        .lint
        .rows()
        .iter()
        .any(|row| row.severity == severity && row.to_string().contains(text));
    assert!(found, "{name} lacks `{text}`:\n{}", lint_of(&loaded));
}

#[test]
fn every_database_loads_or_gives_one_clear_message() {
    let databases = files("dbc", ".dbc");
    assert!(databases.len() >= 37, "{} databases", databases.len());
    for path in databases {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let loaded = match Database::load(&Source::File(path.clone())) {
            Ok(loaded) => loaded,
            Err(error) => {
                let text = error.to_string();
                assert!(text.contains(&name) && text.lines().count() == 1, "{text}");
                println!("{text}");
                continue;
            }
        };
        // Where, what, and how bad: a row that says less helps nobody.
        for row in loaded.lint.rows() {
            assert!(row.file == name && !row.text.is_empty(), "{row}");
        }
        let severe: Vec<_> = loaded
            .lint
            .rows()
            .iter()
            .filter(|r| r.severity == LintSeverity::Error)
            .map(ToString::to_string)
            .collect();
        println!(
            "{name}: {} messages, {} lint rows, errors: {severe:#?}",
            loaded.messages.len(),
            loaded.lint.rows().len()
        );
    }
}

#[test]
fn every_database_of_ours_has_vectors_but_those_that_the_oracle_refuses() {
    let refused = ["cantools-issue_199", "opendbc-tesla_can", "opendbc-toyota_2017_ref_pt"];
    let folder = &folders()[0];
    for path in files("dbc", ".dbc").iter().filter(|path| path.starts_with(folder)) {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let vectors = beside(path, "vectors", &format!("{name}.vectors.jsonl.gz"));
        assert_eq!(vectors.is_file(), !refused.contains(&name.as_str()), "{name}");
    }
}

#[test]
fn a_signal_past_the_end_of_its_message_is_reported_and_left_out() {
    has("cantools-bad_message_length.dbc", LintSeverity::Error, "Message1.Signal1: reaches past");
    assert!(own("cantools-bad_message_length.dbc").messages[0].signals.is_empty());
    has("opendbc-vw_pq.dbc", LintSeverity::Error, "Lenkhilfe_1.");
}

#[test]
fn a_database_in_windows_1252_loads() {
    assert!(lint_of(&own("cantools-cp1252.dbc")).contains("holds no messages"));
}

#[test]
fn identifiers_above_7ff_without_bit_31_are_taken_as_29_bits_with_a_warning() {
    has("cantools-issue_199.dbc", LintSeverity::Warning, "without bit 31");
    let loaded = own("cantools-issue_199.dbc");
    assert!(loaded.messages.iter().all(|m| m.extended == (m.id > 0x7FF)));
    let plan = DecodePlan::new(&[loaded], Matching::Exact, |_, _| true);
    let frame = Frame { id: 274_923_520, extended: true, ..Frame::default() };
    let found = plan.find(&frame).map(|at| plan.messages()[at].name.as_str());
    assert_eq!(found, Some("DriverDoorStatus"));
}

#[test]
fn identifiers_of_more_than_29_bits_cost_their_message_and_no_other() {
    has("opendbc-toyota_2017_ref_pt.dbc", LintSeverity::Error, "more than 29 bits");
    assert!(own("opendbc-toyota_2017_ref_pt.dbc").messages.len() > 100);
}

#[test]
fn labels_for_signals_that_do_not_exist_are_noted() {
    has("opendbc-tesla_can.dbc", LintSeverity::Note, "VAL_ for a signal that does not exist");
}

#[test]
fn a_lone_bare_m_is_the_multiplexer_and_a_warning() {
    has("opendbc-vw_pq.dbc", LintSeverity::Warning, "Motor_2.MO2_Mp_Code: multiplexer mark `m`");
    let loaded = own("opendbc-vw_pq.dbc");
    let motor = loaded.messages.iter().find(|m| m.name == "Motor_2").unwrap();
    let gate =
        motor.signals.iter().find(|s| s.name == "MO2_max_Mo").unwrap().gate.as_ref().unwrap();
    assert_eq!(motor.signals[gate.selector].name, "MO2_Mp_Code");
    assert_eq!(gate.ranges, [(3, 3)]);
}

#[test]
fn overlapping_signals_are_noted_and_both_decoded() {
    has("opendbc-nissan_xterra_2011.dbc", LintSeverity::Note, "shares bits with WHEEL_");
}

#[test]
fn long_names_replace_the_short_ones() {
    let loaded = own("cantools-long_names.dbc");
    let names: Vec<&str> = loaded.messages.iter().map(|m| m.name.as_str()).collect();
    assert!(names.contains(&"SS12345678901234567890123458789012345"), "{names:?}");
    let message = loaded.messages.iter().find(|m| m.id == 4).unwrap();
    assert_eq!(message.signals[0].name, "SS12345678901234567890123456789012");
}

#[test]
fn j1939_is_recognised_by_what_the_database_says() {
    assert!(own("j1939_common.dbc").messages.iter().all(|m| m.j1939));
    assert!(own("css-canmod-gps.dbc").messages.iter().all(|m| !m.j1939));
    let layout = beside(Path::new("a/b/c"), "dbc", "x.dbc");
    assert!(layout.ends_with("a/dbc/x.dbc"));
}
