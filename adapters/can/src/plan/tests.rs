use ValueType::{Bytes, F32, F64, I32, Text, U8, U64};

use super::*;

fn database(file: &str, body: &str) -> Database {
    Database::from_bytes(file, body.as_bytes()).unwrap()
}

fn frame(id: u32, extended: bool) -> Frame {
    Frame { id, extended, ..Frame::default() }
}

const GROUP: &str = "BO_ 2364540158 EEC1: 8 A\n SG_ A : 0|8@1+ (1,0) [0|0] \"\" X\n\
                     BO_ 256 Plain: 8 A\n SG_ A : 0|8@1+ (1,0) [0|0] \"\" X\n";
const J1939: &str = "BA_DEF_ \"ProtocolType\" STRING ;\nBA_ \"ProtocolType\" \"J1939\";\n";

fn found<'a>(plan: &'a DecodePlan, frame: &Frame) -> Option<&'a str> {
    plan.find(frame).map(|at| plan.messages()[at].name.as_str())
}

#[test]
fn a_group_is_found_from_any_source_and_priority_and_eleven_bits_stay_exact() {
    let plan = DecodePlan::new(&[database("a.dbc", GROUP)], Matching::Pgn, |_, _| true);
    assert_eq!(found(&plan, &frame(0x0CF0_0400, true)), Some("EEC1"));
    assert_eq!(found(&plan, &frame(0x18F0_0421, true)), Some("EEC1"));
    assert_eq!(found(&plan, &frame(0x0CF0_0500, true)), None);
    assert_eq!(found(&plan, &frame(256, false)), Some("Plain"));
    assert_eq!(found(&plan, &frame(256, true)), None);
}

#[test]
fn the_database_decides_about_matching_unless_the_configuration_does() {
    let other_source = frame(0x0CF0_0400, true);
    for (body, matching, wanted) in [
        (GROUP.to_owned(), Matching::Auto, None),
        (format!("{GROUP}{J1939}"), Matching::Auto, Some("EEC1")),
        (format!("{GROUP}{J1939}"), Matching::Exact, None),
    ] {
        let plan = DecodePlan::new(&[database("a.dbc", &body)], matching, |_, _| true);
        assert_eq!(found(&plan, &other_source), wanted, "{matching:?}");
    }
}

#[test]
fn the_first_database_wins_and_the_lint_names_both() {
    let one = database("one.dbc", "BO_ 256 One: 8 A\n");
    let two = database("two.dbc", "BO_ 256 Two: 8 A\n");
    let plan = DecodePlan::new(&[one, two], Matching::Auto, |_, _| true);
    assert_eq!(found(&plan, &frame(256, false)), Some("One"));
    let lint = plan.lint()[0].to_string();
    assert!(lint.contains("two.dbc") && lint.contains("One of one.dbc"), "{lint}");
}

#[test]
fn the_first_database_wins_also_between_group_and_identifier() {
    let exact = database("one.dbc", "BO_ 2364540158 Exact: 8 A\n");
    let group = database("two.dbc", &format!("{GROUP}{J1939}"));
    let both = frame(0x0CF0_04FE, true);
    let plan = DecodePlan::new(&[exact.clone(), group.clone()], Matching::Auto, |_, _| true);
    assert_eq!(found(&plan, &both), Some("Exact"));
    assert_eq!(found(&plan, &frame(0x0CF0_0400, true)), Some("EEC1"));
    let plan = DecodePlan::new(&[group, exact], Matching::Auto, |_, _| true);
    assert_eq!(found(&plan, &both), Some("EEC1"));
}

#[test]
fn remote_and_error_frames_are_never_decoded() {
    let plan = DecodePlan::new(&[database("a.dbc", GROUP)], Matching::Auto, |_, _| true);
    for kind in [FrameKind::Remote, FrameKind::Error] {
        assert_eq!(plan.find(&Frame { kind, ..frame(256, false) }), None);
    }
}

#[test]
fn thousands_of_identifiers_are_all_found() {
    let lines = (0..5000_u32).map(|id| format!("BO_ {} M{id}: 8 A", 0x8000_0000 + id * 7919));
    let body = lines.collect::<Vec<_>>().join("\n");
    let plan = DecodePlan::new(&[database("a.dbc", &body)], Matching::Auto, |_, _| true);
    for id in 0..5000_u32 {
        let name = format!("M{id}");
        assert_eq!(found(&plan, &frame(id * 7919, true)), Some(name.as_str()));
        assert_eq!(found(&plan, &frame(id * 7919 + 1, true)), None);
    }
}

#[test]
fn exact_integers_take_the_smallest_column_and_scaled_ones_are_floats() {
    let body = "BO_ 1 M: 32 A\n SG_ A : 0|1@1+ (1,0) [0|0] \"\" X\n SG_ B : 0|17@1- (1,0) [0|0] \"\" X\n \
                SG_ C : 0|64@1+ (1,0) [0|0] \"\" X\n SG_ D : 0|8@1+ (1,-40) [0|0] \"\" X\n \
                SG_ E : 0|65@1+ (1,0) [0|0] \"\" X\n SG_ F : 0|72@1+ (1,0) [0|0] \"ASCII\" X\n \
                SG_ G : 0|32@1- (1,0) [0|0] \"\" X\n SG_ H : 0|64@1- (2,0) [0|0] \"\" X\n\
                SIG_VALTYPE_ 1 G : 1;\nSIG_VALTYPE_ 1 H : 2;\n";
    let plan = DecodePlan::new(&[database("a.dbc", body)], Matching::Auto, |_, _| true);
    let kinds: Vec<ValueType> = plan.messages()[0].signals.iter().map(|s| s.kind).collect();
    assert_eq!(kinds, [U8, I32, U64, F64, Bytes, Text, F32, F64]);
}
