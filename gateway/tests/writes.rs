//! Writing as a plant does it: the real binary, its API and command line, and a device that can
//! misbehave (`tests/peers/modbus_fault_server.py`).

#[cfg(test)]
#[path = "writes/plant.rs"]
mod plant;

use serde_json::json;

use plant::{Gateway, Plant};

#[test]
fn a_value_goes_from_the_command_line_into_the_device_and_into_the_audit() {
    let plant = Plant::start(&json!([7, 0, 0, 0]));
    let gateway = Gateway::start(&plant, "enabled = true");
    let written = gateway.write(&["site/pump/setpoint", "42"]);
    assert_eq!(
        (written.code, written.out.trim()),
        (0, "confirmed_by_readback: the device shows the value")
    );
    assert_eq!(plant.word(0), 42);
    let audit = gateway.fieldgate(&["audit", "verify"]);
    assert_eq!(audit.code, 0);
    // Who may, which the commands before the start have changed; the begin of the write; its end.
    assert!(audit.out.starts_with("records 1 to 3 in 1 files hold"), "{}", audit.out);
    assert!(!gateway.log().contains(&gateway.token), "the token is in the log");
}

#[test]
fn limits_and_tokens_are_kept_and_nothing_is_sent() {
    let plant = Plant::start(&json!([7, 0, 0, 0]));
    let gateway = Gateway::start(&plant, "enabled = true");
    for (args, code) in [
        (&["site/pump/setpoint", "101"][..], "above_max"),
        (&["site/pump/setpoint", "9", "--expected-old", "8"], "expected_old"),
        (&["site/pump/setpoint", "9", "--not-after", "2020-01-01T00:00:00Z"], "expired"),
        (&["site/pump/level", "1"], "not_writable"),
        (&["site/pump/locked", "1"], "interlock"),
    ] {
        let refused = gateway.write(args);
        assert_eq!(refused.code, 1, "{args:?}");
        assert!(refused.err.contains(&format!("({code})")), "{args:?}: {}", refused.err);
    }
    let body = r#"{"tag": "site/pump/setpoint", "value": 9}"#;
    assert_eq!(gateway.post(None, body).0, 401);
    assert_eq!(gateway.post(Some("fgt_0000"), body).0, 401);
    assert_eq!(gateway.post(Some(&gateway.viewer), body).0, 403);
    assert_eq!(plant.writes(), 0);
    let revoked = gateway.fieldgate(&["token", "revoke", "--name", "eva"]);
    assert_eq!(revoked.code, 0, "{}", revoked.err);
    assert_eq!(gateway.post(Some(&gateway.token), body).0, 401);
}

#[test]
fn writing_is_off_unless_it_is_switched_on() {
    let plant = Plant::start(&json!([7, 0, 0, 0]));
    let gateway = Gateway::start(&plant, "");
    let (status, body) =
        gateway.post(Some(&gateway.token), r#"{"tag": "site/pump/setpoint", "value": 9}"#);
    assert_eq!((status, body["code"].as_str()), (403, Some("writes_disabled")));
    assert_eq!(plant.writes(), 0);
}

#[test]
fn a_second_step_is_done_with_confirm_alone() {
    let plant = Plant::start(&json!([7, 0, 0, 0]));
    let gateway = Gateway::start(&plant, "enabled = true");
    let first = gateway.write(&["site/pump/careful", "5"]);
    assert!(first.code == 1 && first.err.contains("--confirm"), "{}", first.err);
    assert_eq!(plant.writes(), 0);
    let second = gateway.write(&["site/pump/careful", "5", "--confirm"]);
    assert_eq!((second.code, plant.word(1)), (0, 5), "{}", second.err);
}

#[test]
fn a_device_that_lies_or_loses_answers_is_written_to_once() {
    let plant = Plant::start(&json!([7, 0, 0, 0]));
    let gateway = Gateway::start(&plant, "enabled = true");
    for (value, action, outcome) in [
        ("11", json!({"action": "ack_only"}), "readback_mismatch"),
        ("12", json!({"action": "store_instead", "words": [50]}), "readback_mismatch"),
        ("13", json!({"action": "drop"}), "confirmed_by_readback"),
        ("14", json!({"action": "exception", "code": 4}), "rejected_exc_4"),
        ("15", json!({"action": "close"}), "confirmed_by_readback"),
    ] {
        let before = plant.writes();
        plant.fault(&json!([{"id": "w", "match": {"unit": 1, "fc": 6}, "do": [action]}]));
        let written = gateway.write(&["site/pump/setpoint", value]);
        assert!(written.out.starts_with(outcome), "{value}: {} {}", written.out, written.err);
        assert_eq!(plant.writes() - before, 1, "{value}");
        plant.fault(&json!([]));
    }
}

#[test]
fn a_kill_before_the_reading_back_is_an_unknown_outcome_at_the_next_start() {
    let plant = Plant::start(&json!([7, 0, 0, 0]));
    let gateway = Gateway::start(&plant, "enabled = true");
    let writing = gateway.write_in_background(&["site/pump/slow", "6"]);
    plant.wait("the write has reached the device", |plant| plant.writes() == 1);
    let gateway = gateway.kill_and_start_again();
    drop(writing);
    let last = gateway.audit_lines().pop().expect("there are records");
    assert!(last.contains("outcome_unknown") && last.contains("site/pump/slow"), "{last}");
    assert!(gateway.log().contains("the gateway ended before the write was read back"));
    let verify = || gateway.fieldgate(&["audit", "verify"]);
    assert_eq!(verify().code, 0);
    gateway.flip_a_byte_of_the_first_record();
    let broken = verify();
    assert!(broken.code == 1 && broken.out.contains("BROKEN: record 1"), "{}", broken.out);
    assert_eq!(plant.writes(), 1, "written once");
}
