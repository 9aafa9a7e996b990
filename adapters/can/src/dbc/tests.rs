use super::*;

const HEAD: &str = "VERSION \"\"\nNS_ :\n\tCM_\n\tBA_\nBS_:\nBU_: A B\n";

fn load(body: &str) -> Database {
    Database::from_bytes("x.dbc", format!("{HEAD}{body}").as_bytes()).unwrap()
}

fn lints(database: &Database) -> Vec<String> {
    database.lint.rows().iter().map(ToString::to_string).collect()
}

fn check(body: &str, messages: usize, lint: &[&str]) -> Database {
    let database = load(body);
    assert_eq!(database.messages.len(), messages, "{:?}", lints(&database));
    let found = lints(&database);
    assert_eq!(found.len(), lint.len(), "{found:#?}");
    for (found, wanted) in found.iter().zip(lint) {
        assert!(found.contains(wanted), "{found} lacks {wanted}");
    }
    database
}

const SPEED: &str = " SG_ Speed : 0|16@1+ (0.5,0) [0|100] \"km/h\" X\n";

#[test]
fn a_message_has_its_signals_with_unit_comment_labels_and_lines() {
    let body = format!(
        "BO_ 256 Motion: 8 A\n{SPEED}CM_ SG_ 256 Speed \"over\nground\";\nVAL_ 256 Speed 3 \"Three\" ;\n"
    );
    let database = check(&body, 1, &[]);
    let signal = &database.messages[0].signals[0];
    assert_eq!((signal.unit.as_str(), signal.line, signal.limits), ("km/h", 8, (0.0, 100.0)));
    assert_eq!(signal.comment.as_deref(), Some("over\nground"));
    assert_eq!(signal.labels[&3], "Three");
}

#[test]
fn line_ends_marks_and_a_missing_last_line_feed_change_nothing() {
    let body = format!("{HEAD}BO_ 256 Motion: 8 A\n{SPEED}");
    for text in [body.replace('\n', "\r\n"), format!("\u{FEFF}{body}"), body.trim_end().to_owned()]
    {
        let database = Database::from_bytes("x.dbc", text.as_bytes()).unwrap();
        assert_eq!(database.messages[0].signals.len(), 1, "{:?}", lints(&database));
    }
}

#[test]
fn a_bad_signal_costs_itself_and_not_its_message() {
    let bad = " SG_ Bad : 0|16@7+ (1,0) [0|0] \"\" X\n";
    let body = format!("BO_ 256 Motion: 8 A\n{bad}{SPEED}BO_ 257 Other: 8 A\n");
    let database = check(&body, 2, &["x.dbc:8: error: Motion: the signal is left out"]);
    assert_eq!(database.messages[0].signals[0].name, "Speed");
}

#[test]
fn a_bad_statement_costs_itself_and_not_the_file() {
    let body = format!("BO_ 256 Motion: 8 A\n{SPEED}BA_DEF_ WHAT \"x\";\nVAL_ 256 Speed 1 ;\n");
    check(&body, 1, &["x.dbc:9: warning: BA_DEF_", "x.dbc:10: warning: VAL_"]);
}

#[test]
fn a_missing_receiver_is_forgiven() {
    let body = "BO_ 256 Motion: 8\n SG_ Speed : 0|16@1+ (1,0) [0|0] \"\"\n";
    assert_eq!(check(body, 1, &[]).messages[0].signals.len(), 1);
}

#[test]
fn identifiers_keep_their_width() {
    let body = "BO_ 2147483904 Wide: 8 A\n SG_ S : 0|8@1+ (1,0) [0|0] \"\" X\n\
                BO_ 256 Narrow: 8 A\n\
                BO_ 103596083 Meant: 8 A\n SG_ S : 0|8@1+ (1,0) [0|0] \"\" X\n\
                BO_ 1610612736 Impossible: 8 A\n\
                BO_ 3221225472 VECTOR__INDEPENDENT_SIG_MSG: 0 X\n SG_ S : 0|8@1+ (1,0) [0|0] \"\" X\n\
                VAL_ 103596083 S 1 \"One\" ;\n";
    let wanted = ["without bit 31", "more than 29 bits", "belong to no message"];
    let database = check(body, 3, &wanted);
    let ids: Vec<_> = database.messages.iter().map(|m| (m.id, m.extended)).collect();
    assert_eq!(ids, [(256, true), (256, false), (103_596_083, true)]);
    assert_eq!(database.messages[2].signals[0].labels[&1], "One");
}

#[test]
fn the_first_of_two_messages_with_one_identifier_counts() {
    let body = "BO_ 256 First: 8 A\n\nBO_ 256 Second: 8 A\n";
    let database = check(body, 1, &["Second: has the identifier of First"]);
    assert_eq!(database.messages[0].name, "First");
}

#[test]
fn a_floating_point_signal_of_another_width_is_left_out() {
    let body = "BO_ 256 M: 8 A\n SG_ F : 0|16@1- (1,0) [0|0] \"\" X\nSIG_VALTYPE_ 256 F : 1;\n";
    assert!(check(body, 1, &["32 or 64 bits and not 16"]).messages[0].signals.is_empty());
}

#[test]
fn multiplexed_signals_without_a_multiplexer_are_always_present_and_a_warning() {
    let body = "BO_ 256 M: 8 A\n SG_ A m1 : 0|8@1+ (1,0) [0|0] \"\" X\n";
    assert!(check(body, 1, &["nothing says which"]).messages[0].signals[0].gate.is_none());
}

#[test]
fn multiplexers_that_select_each_other_are_left_out() {
    let body = "BO_ 256 M: 8 A\n SG_ A m1M : 0|8@1+ (1,0) [0|0] \"\" X\n \
                SG_ B m1M : 8|8@1+ (1,0) [0|0] \"\" X\n SG_ C : 16|8@1+ (1,0) [0|0] \"\" X\n\
                SG_MUL_VAL_ 256 A B 1-1;\nSG_MUL_VAL_ 256 B A 1-1;\n";
    let database = load(body);
    let names: Vec<_> = database.messages[0].signals.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["C"], "{:?}", lints(&database));
}

#[test]
fn what_hangs_below_a_multiplexer_that_is_left_out_goes_too_and_the_rest_keeps_its_own() {
    let body = "BO_ 256 M: 2 A\n SG_ Gone M : 64|8@1+ (1,0) [0|0] \"\" X\n \
                SG_ A m1 : 0|8@1+ (1,0) [0|0] \"\" X\n SG_ B : 8|8@1+ (1,0) [0|0] \"\" X\n";
    let database = check(body, 1, &["Gone: reaches past", "M.A: its multiplexer cannot be read"]);
    assert_eq!(database.messages[0].signals.len(), 1);
}

#[test]
fn nothing_noise_and_other_encodings_are_one_clear_error() {
    for (bytes, why) in [
        (&b""[..], "it is empty"),
        (b"\xFF\xFEB\0O\0", "UTF-16"),
        (b"hello world\n", "no known keyword"),
    ] {
        let error = Database::from_bytes("x.dbc", bytes).unwrap_err().to_string();
        assert!(error.starts_with("x.dbc: ") && error.contains(why), "{error}");
    }
}

#[test]
fn windows_1252_is_read_when_it_is_not_utf_8() {
    let mut bytes = HEAD.as_bytes().to_vec();
    bytes.extend_from_slice(b"BO_ 1 M: 8 A\n SG_ T : 0|8@1+ (1,0) [0|0] \"\xB0C \x80\" X\n");
    let database = Database::from_bytes("x.dbc", &bytes).unwrap();
    assert_eq!(database.messages[0].signals[0].unit, "°C €");
}

#[test]
fn a_missing_file_says_so() {
    let source = crate::source::Source::File("/no/such/file.dbc".into());
    let error = Database::load(&source).unwrap_err().to_string();
    assert!(error.contains("/no/such/file.dbc: cannot be read"), "{error}");
}
