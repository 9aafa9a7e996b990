use super::*;

/// Signals that have much, little and nothing beside their path.
fn signals() -> Vec<Signal> {
    let mut full = Signal::new("plant/pump/flow", "flow", ValueType::F64);
    full.unit = Some("m³/h".to_owned());
    full.description = Some("behind the valve".to_owned());
    full.range = Some(Range { low: 0.0, high: 120.5 });
    full.source = "input:42 f32 CDAB".to_owned();
    let mut named = Signal::new("plant/pump/Mode", "mode_raw", ValueType::U16);
    named.unit = Some(String::new());
    named.labels = [(-1, "off".to_owned()), (1, "on".to_owned())].into();
    let bare = Signal::new("", "", ValueType::Bool);
    let mut last = Signal::new("plant/pump/öl", "l", ValueType::Text);
    last.description = Some(String::new());
    last.range = Some(Range { low: -1.0, high: 1.0 });
    let mut long = Signal::new("plant/pump/long", "long", ValueType::F32);
    long.description = Some("é".repeat(40_000));
    long.labels = [(5, "five".to_owned())].into();
    let mut longest = Signal::new("plant/pump/longest", "longest", ValueType::F32);
    longest.source = "s".repeat(65_534);
    let too_long = Signal { source: "s".repeat(65_535), ..longest.clone() };
    vec![
        full,
        named,
        bare,
        last,
        long,
        longest,
        too_long,
        Signal::new("p/end", "end", ValueType::I8),
    ]
}

#[test]
fn what_comes_out_is_what_was_put_in() {
    let list = SignalList::from(signals());
    let out: Vec<Signal> = list.iter().map(SignalRef::to_signal).collect();
    assert_eq!(out, signals());
    assert_eq!((list.len(), list.iter().len()), (8, 8));
    assert_eq!(list.get(8), None);
}

#[test]
fn a_list_is_serialised_as_its_signals_are() {
    let text = serde_json::to_string(&signals()).unwrap();
    let list = SignalList::from(signals());
    assert_eq!(serde_json::to_string(&list).unwrap(), text);
    assert_eq!(serde_json::from_str::<SignalList>(&text).unwrap(), list);
    for signal in signals() {
        let list = SignalList::from(vec![signal.clone()]);
        let alone = serde_json::to_string(&list.get(0)).unwrap();
        assert_eq!(alone, serde_json::to_string(&signal).unwrap());
    }
}

#[test]
fn lists_differ_where_one_signal_does() {
    let list = SignalList::from(signals());
    for place in 0..8 {
        let mut other = signals();
        other[place].description = Some("another".to_owned());
        assert_ne!(SignalList::from(other), list);
        let mut other = signals();
        other[place].labels.insert(7, "seven".to_owned());
        assert_ne!(SignalList::from(other), list);
        let mut other = signals();
        other[place].range = Some(Range { low: 5.0, high: 6.0 });
        assert_ne!(SignalList::from(other), list);
    }
}

#[test]
fn a_signal_takes_its_texts_and_16_bytes() {
    let signal = |n: usize| {
        let mut signal = Signal::new(format!("p/s{n:03}"), format!("s{n:03}"), ValueType::U16);
        signal.unit = Some("bar".to_owned());
        signal.source = "holding:1 u16".to_owned();
        signal
    };
    let list = SignalList::from((0..100).map(signal).collect::<Vec<_>>());
    let texts = "p/s000".len() + "bar".len() + "holding:1 u16".len();
    assert_eq!(list.memory_bytes(), 100 * (texts + 16));
}
