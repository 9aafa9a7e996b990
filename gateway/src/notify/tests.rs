use std::os::unix::net::UnixDatagram;

use signals::ClockState;

use super::*;

fn readiness(devices_failed: usize, devices: usize) -> Readiness {
    Readiness { journal_error: None, devices_failed, devices, clock: ClockState::Synced }
}

fn look(readiness: Readiness) -> Look {
    Look { readiness, next: Offset(0), durable: Offset(0), failed_commits: 0 }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Judges and tells, as `follow` does; what was told.
fn tell(vigil: &mut Vigil, look: &Look, now: Duration) -> String {
    let notice = vigil.judge(look, now);
    let lines = notice.lines();
    vigil.settle(notice);
    lines
}

#[test]
fn ready_is_told_once_and_only_when_a_device_answers() {
    let mut vigil = Vigil::default();
    let none = tell(&mut vigil, &look(readiness(2, 2)), seconds(0));
    assert_eq!(none, "EXTEND_TIMEOUT_USEC=30000000\nWATCHDOG=1\nSTATUS=0 of 2 devices answer");
    let first = tell(&mut vigil, &look(readiness(1, 2)), seconds(1));
    assert_eq!(first, "READY=1\nWATCHDOG=1\nSTATUS=1 of 2 devices answer");
    assert_eq!(tell(&mut vigil, &look(readiness(1, 2)), seconds(2)), "WATCHDOG=1");
    let gone = tell(&mut vigil, &look(readiness(2, 2)), seconds(3));
    assert_eq!(gone, "WATCHDOG=1\nSTATUS=0 of 2 devices answer");
}

#[test]
fn a_gateway_without_devices_is_ready_at_once() {
    let told = tell(&mut Vigil::default(), &look(readiness(0, 0)), seconds(0));
    assert_eq!(told, "READY=1\nWATCHDOG=1\nSTATUS=no devices");
}

#[test]
fn ready_that_could_not_be_sent_is_told_again() {
    let mut vigil = Vigil::default();
    let lost = vigil.judge(&look(readiness(0, 1)), seconds(0));
    assert!(lost.is_ready);
    assert!(vigil.judge(&look(readiness(0, 1)), seconds(1)).is_ready);
}

#[test]
fn a_journal_that_neither_commits_nor_fails_for_a_minute_ends_the_signs_of_life() {
    let mut vigil = Vigil::default();
    let waiting = Look { next: Offset(9), durable: Offset(5), ..look(readiness(0, 1)) };
    assert!(tell(&mut vigil, &waiting, seconds(10)).contains("WATCHDOG=1"));
    assert!(tell(&mut vigil, &waiting, seconds(69)).contains("WATCHDOG=1"));
    let hung = tell(&mut vigil, &waiting, seconds(70));
    assert_eq!(hung, "STATUS=journal: nothing committed for 1 min, and no error");
    let moved = Look { durable: Offset(6), ..waiting };
    assert!(tell(&mut vigil, &moved, seconds(71)).contains("WATCHDOG=1"));
}

#[test]
fn a_disk_that_refuses_every_commit_is_told_and_is_no_reason_to_be_killed() {
    let mut vigil = Vigil::default();
    for second in 0..600 {
        let journal_error = Some("no space\nleft".to_owned());
        let readiness = Readiness { journal_error, ..readiness(0, 1) };
        let (next, failed_commits) = (Offset(9), second);
        let look = Look { next, failed_commits, ..look(readiness) };
        let told = tell(&mut vigil, &look, seconds(second));
        assert!(told.contains("WATCHDOG=1") && !told.contains("READY=1"), "{second}: {told}");
        assert!(second > 0 || told.contains("STATUS=journal: no space left; 1 of 1"), "{told}");
    }
}

#[test]
fn notices_reach_a_socket_at_a_path_and_one_of_an_abstract_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let name = format!("fieldgate-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    for (place, bound) in [
        (path.clone().into_os_string(), UnixDatagram::bind(&path)),
        (format!("@{name}").into(), UnixDatagram::bind_addr(&address)),
    ] {
        let bound = bound.unwrap();
        Service::at(&place, Some(seconds(30))).unwrap().stopping();
        let mut told = [0; 256];
        let length = bound.recv(&mut told).unwrap();
        assert!(told[..length].starts_with(b"STOPPING=1\nSTATUS=stopping"), "{}", place.display());
    }
    assert!(Service::at(OsStr::new("/no/such/socket"), None).is_err());
}

#[test]
fn looks_come_three_times_as_often_as_signs_are_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let _bound = UnixDatagram::bind(&path).unwrap();
    let every = |watchdog| Service::at(path.as_os_str(), watchdog).unwrap().look_every;
    assert_eq!(every(Some(seconds(6))), seconds(2));
    assert_eq!(every(Some(seconds(60))), LOOK_READY_MAX);
    assert_eq!(every(None), LOOK_READY_MAX);
}
