use crate::config::{DeviceConfig, LineConfig, TagConfig, check};

/// What is told of a line at 9,600 baud whose devices have so many registers each, a gap apart.
fn told(devices: i64, tags: u32, every: &str) -> Option<String> {
    let text = |text: &str| Some(text.to_owned());
    let line = LineConfig {
        name: text("boiler-house"),
        transport: text("rtu"),
        port: text("/dev/ttyS1"),
        baud: Some(9600),
        ..LineConfig::default()
    };
    let tag = |place: u32| TagConfig {
        name: Some(format!("t{place}")),
        at: Some(format!("holding:{}", place * 500)),
        r#type: text("u16"),
        ..TagConfig::default()
    };
    let device = |unit: i64| DeviceConfig {
        name: Some(format!("pump-{unit}")),
        line: text("boiler-house"),
        unit: Some(unit),
        every: text(every),
        tag: (0..tags).map(tag).collect(),
        ..DeviceConfig::default()
    };
    let checked = check(vec![line], (1..=devices).map(device).collect(), "plant");
    checked.err().map(|told| told.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

#[test]
fn a_line_that_is_asked_for_more_than_it_can_carry_is_told_with_numbers() {
    // One register takes 13 + 2 characters of 1.146 ms, 4 ms of turnaround and two gaps of 4 ms.
    assert_eq!(
        told(9, 5, "1 s").unwrap(),
        "line[0]: line \"boiler-house\" needs 131 % of its time; slowest: pump-1 every 1 s (5 \
         requests, 15 %), pump-2 every 1 s (5 requests, 15 %), pump-3 every 1 s (5 requests, 15 \
         %); scan slower: at 2 s it would need 66 %; or raise baud"
    );
}

#[test]
fn a_line_that_is_busy_but_can_carry_it_is_right() {
    assert_eq!(told(9, 5, "2 s"), None);
    assert_eq!(told(6, 5, "1 s"), None, "88 %");
}
