use super::*;
use crate::bus::Filter;

fn replayed() -> CanConfig {
    CanConfig {
        name: Some("truck".to_owned()),
        replay: Some("a.log.gz".to_owned()),
        dbc: vec!["a.dbc".to_owned()],
        ..CanConfig::default()
    }
}

fn mistakes(config: CanConfig) -> Vec<String> {
    let found = config.check(Files::Folder(Path::new("/etc/x")), "site").unwrap_err();
    found.into_iter().map(|m| m.key).collect()
}

#[test]
fn a_replayed_bus_takes_files_beside_its_configuration_and_sane_defaults() {
    let bus = replayed().check(Files::Folder(Path::new("/etc/x")), "site").unwrap();
    assert_eq!((bus.path.as_str(), bus.matching), ("site/truck", Matching::Auto));
    assert_eq!(bus.dbc, [Source::File("/etc/x/a.dbc".into())]);
    let Origin::Replay(replay) = bus.origin else { panic!("not a replay") };
    assert_eq!((replay.speed, replay.repeat), (1.0, false));
}

#[test]
fn all_mistakes_come_at_once() {
    let config = CanConfig {
        name: Some("a b".to_owned()),
        path: Some("a//b".to_owned()),
        replay: Some(" ".to_owned()),
        channel: Some(String::new()),
        speed: Some(f64::NAN),
        dbc: vec!["x".to_owned(), "x".to_owned(), String::new()],
        r#match: Some("fuzzy".to_owned()),
        signals: vec!["EEC1".to_owned(), "EEC1.*".to_owned(), ".x".to_owned()],
        ..CanConfig::default()
    };
    let wanted = [
        "name",
        "replay",
        "speed",
        "channel",
        "dbc[1]",
        "dbc[2]",
        "match",
        "signals[0]",
        "signals[2]",
        "path",
    ];
    assert_eq!(mistakes(config), wanted);
    assert_eq!(mistakes(CanConfig::default()), ["name", "replay", "dbc", "path"][..3]);
}

#[test]
fn a_bus_is_live_or_recorded_and_keys_of_the_other_kind_are_mistakes() {
    let both = CanConfig { interface: Some("can0".to_owned()), ..replayed() };
    assert_eq!(mistakes(both), ["replay"]);
    let live = CanConfig { interface: Some("can0".to_owned()), replay: None, ..replayed() };
    assert!(live.clone().check(Files::Folder(Path::new(".")), "s").is_ok());
    assert_eq!(mistakes(CanConfig { speed: Some(2.0), ..live.clone() }), ["speed"]);
    let long = CanConfig { interface: Some("a-very-long-name".to_owned()), ..live };
    assert_eq!(mistakes(long), ["interface"]);
}

#[test]
fn a_log_at_its_own_times_is_played_once() {
    let files = Files::Folder(Path::new("/etc/x"));
    let original = CanConfig { time: Some("original".to_owned()), ..replayed() };
    let bus = original.clone().check(files, "s").unwrap();
    let Origin::Replay(replay) = bus.origin else { panic!("not a replay") };
    assert_eq!(replay.time, ReplayTime::Original);
    assert_eq!(mistakes(CanConfig { r#loop: Some(true), ..original.clone() }), ["loop"]);
    let made_up =
        CanConfig { source: Some("synthetic".to_owned()), replay: None, ..original.clone() };
    assert_eq!(mistakes(made_up), ["time"]);
    let live = CanConfig { interface: Some("can0".to_owned()), replay: None, ..original };
    assert_eq!(mistakes(live), ["time"]);
    assert_eq!(mistakes(CanConfig { time: Some("now".to_owned()), ..replayed() }), ["time"]);
}

#[test]
fn built_in_files_are_found_by_name_and_others_do_not_exist() {
    let files = [("a.log.gz", &b"log"[..]), ("a.dbc", b"dbc")];
    let bus = replayed().check(Files::Embedded(&files), "s").unwrap();
    assert_eq!(bus.dbc[0].file_name(), "a.dbc");
    let missing = replayed().check(Files::Embedded(&files[..1]), "s").unwrap_err();
    assert_eq!(missing[0].key, "dbc[0]");
}

#[test]
fn an_interface_says_how_it_must_be_set_and_what_cannot_be_is_a_mistake() {
    let live = CanConfig {
        interface: Some("can0".to_owned()),
        replay: None,
        bitrate: Some(500_000),
        data_bitrate: Some(2_000_000),
        listen_only: Some(true),
        filter: Some("known".to_owned()),
        ..replayed()
    };
    let bus = live.clone().check(Files::Folder(Path::new(".")), "s").unwrap();
    let Origin::Interface(checked) = bus.origin else { panic!("not live") };
    assert!(checked.fd && checked.listen_only);
    assert_eq!((checked.bitrate, checked.filter), (Some(500_000), Filter::Known));
    let wrong = CanConfig {
        bitrate: Some(500),
        data_bitrate: Some(50_000_000),
        fd: Some(false),
        filter: Some("some".to_owned()),
        ..live.clone()
    };
    assert_eq!(mistakes(wrong), ["bitrate", "data_bitrate", "fd", "filter"]);
    let recorded = CanConfig { interface: None, replay: Some("a.log".to_owned()), ..live };
    assert_eq!(mistakes(recorded), ["bitrate", "data_bitrate", "listen_only", "filter"]);
}

#[test]
fn mistakes_in_what_is_expected_of_messages_stand_at_their_keys() {
    let message = |name: &str| MessageConfig { name: Some(name.to_owned()), ..Default::default() };
    let config = CanConfig {
        message: vec![
            MessageConfig { cycle: Some("fast".to_owned()), ..message("A") },
            MessageConfig { cycle: Some("2 d".to_owned()), ..message("A") },
            MessageConfig { checksum: Some("C".to_owned()), ..message("B") },
            MessageConfig { checksum_kind: Some("md5".to_owned()), ..message("D") },
            MessageConfig::default(),
        ],
        ..replayed()
    };
    let wanted = [
        "message[0].cycle",
        "message[1].name",
        "message[1].cycle",
        "message[2].checksum_kind",
        "message[3].checksum_kind",
        "message[4].name",
    ];
    assert_eq!(mistakes(config), wanted);
}

#[test]
fn a_bus_may_be_made_up_and_is_then_neither_live_nor_recorded() {
    let made_up = CanConfig { source: Some("synthetic".to_owned()), replay: None, ..replayed() };
    let channel = CanConfig { channel: Some("can0".to_owned()), ..made_up.clone() };
    assert_eq!(mistakes(channel), ["channel"]);
    let bus = made_up.clone().check(Files::Folder(Path::new(".")), "s").unwrap();
    let Origin::Replay(replay) = bus.origin else { panic!("not replayed") };
    assert_eq!(replay.log, Recording::Synthetic);
    let both = CanConfig { replay: Some("a.log".to_owned()), ..made_up.clone() };
    assert_eq!(mistakes(both), ["source"]);
    let both = CanConfig { interface: Some("can0".to_owned()), ..made_up.clone() };
    assert_eq!(mistakes(both), ["source"]);
    assert_eq!(mistakes(CanConfig { source: Some("noise".to_owned()), ..made_up }), ["source"]);
    let held_back = CanConfig {
        interface: Some("can0".to_owned()),
        replay: None,
        filter: Some("known".to_owned()),
        keep_raw: Some(true),
        ..replayed()
    };
    assert_eq!(mistakes(held_back), ["keep_raw"]);
}
