use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(1_772_438_400_000_000 + second * 1_000_000)
}

fn written(labels: &[Label]) -> Vec<String> {
    let mut out = Vec::new();
    write(labels, &mut out).unwrap();
    String::from_utf8(out).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn every_label_has_the_fields_of_the_head_line_and_stands_in_order_of_time() {
    let late = Label::new(Class::Regime, "run", "pump", (at(60), at(120)));
    let early = Label {
        also: vec!["exchanger".to_owned()],
        signals: vec!["plant/pump/flow".to_owned(), "plant/pump/vibration".to_owned()],
        severity: Some(0.8),
        profile: "sudden",
        regime: "run".to_owned(),
        ..Label::new(Class::Fault, "suction_blocked", "pump", (at(0), at(30)))
    };
    let lines = written(&[late, early]);
    assert_eq!(
        lines[1],
        "2026-03-02T08:00:00.000000Z,2026-03-02T08:00:30.000000Z,fault,suction_blocked,pump,\
         exchanger,plant/pump/flow;plant/pump/vibration,0.80,sudden,run,"
    );
    assert!(lines[2].contains(",regime,run,pump,"));
    assert!(lines.iter().all(|line| line.matches(',').count() == 10), "{lines:?}");
}

#[test]
fn a_tag_with_a_comma_or_a_quote_stays_one_field() {
    let tag = "filter changed, \"dry\"".to_owned();
    let label = Label {
        maintenance: tag,
        ..Label::new(Class::Maintenance, "work", "pump", (at(0), at(1)))
    };
    let line = written(&[label]).pop().unwrap();
    assert!(line.ends_with(",\"filter changed, \"\"dry\"\"\""), "{line}");
}
