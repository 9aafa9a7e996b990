use super::*;
use crate::bus::Filter;

fn wanted() -> Live {
    Live {
        interface: "can0".to_owned(),
        bitrate: Some(500_000),
        data_bitrate: None,
        fd: false,
        listen_only: true,
        filter: Filter::All,
    }
}

fn link() -> Link {
    Link {
        index: 3,
        is_up: true,
        bitrate: Some(500_000),
        is_listen_only: Some(true),
        controller: Some(CanState::ErrorActive),
        ..Link::default()
    }
}

#[test]
fn an_interface_set_as_asked_is_up() {
    assert_eq!(link().sign(&wanted()), Sign::Up(Some(Confinement::Active)));
    let virtual_one = Live { bitrate: Some(250_000), listen_only: false, ..wanted() };
    let link = Link { is_up: true, ..Link::default() };
    assert_eq!(link.sign(&virtual_one), Sign::Up(None), "no bit rate is no wrong one");
}

#[test]
fn another_bit_rate_or_a_mode_that_is_not_confirmed_is_refused_and_says_what_to_do() {
    let slow = Link { bitrate: Some(250_000), ..link() };
    assert_eq!(slow.sign(&wanted()), Sign::Misset);
    let told = slow.deviations(&wanted()).join("\n");
    assert!(told.contains("at bitrate 250000 bit/s, not at 500000; set it"), "{told}");
    for is_listen_only in [None, Some(false)] {
        let speaking = Link { is_listen_only, ..link() };
        assert_eq!(speaking.sign(&wanted()), Sign::Misset);
    }
    let fd = Live { fd: true, data_bitrate: Some(2_000_000), ..wanted() };
    assert_eq!(link().deviations(&fd).len(), 1);
    assert!(Link { is_fd: true, ..link() }.deviations(&fd).is_empty());
}

#[test]
fn an_interface_that_is_down_is_not_judged_by_its_settings() {
    let down = Link { is_up: false, bitrate: None, controller: Some(CanState::Stopped), ..link() };
    assert_eq!(down.sign(&wanted()), Sign::WentDown);
}

#[test]
fn a_name_that_no_interface_has_is_absent_and_no_error() {
    assert_eq!(Link::read("no-such-bus").unwrap(), None);
    assert_eq!(DriverLosses::read("no-such-bus"), None);
}

#[test]
fn the_loopback_interface_can_be_read_and_has_nothing_of_a_controller() {
    let link = Link::read("lo").unwrap().expect("every Linux has it");
    assert_eq!((link.controller, link.bitrate, link.is_fd), (None, None, false));
    assert!(DriverLosses::read("lo").is_some());
}

#[test]
fn counters_that_begin_anew_take_nothing_back() {
    let before = DriverLosses { controller: 7, kernel: 9 };
    let after = DriverLosses { controller: 2, kernel: 12 };
    assert_eq!(after.since(before), DriverLosses { controller: 0, kernel: 3 });
}
