//! Cases: what must be true of what the machine told.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use signals::{Batch, Feed, Intake, ManualClock, Stop, Timestamp};

use crate::digest::digest;
use crate::host::told;
use crate::logs::Play;

/// The scenario, or the end of the test when the machine is skipped.
macro_rules! told {
    ($scenario:literal) => {
        match told($scenario) {
            Some(value) => value,
            None => return,
        }
    };
}

/// Recovery that is promised.
const RECOVERY_MAX_S: f64 = 2.0;
/// Share of an emulated processor that a bus without frames may take.
const IDLE_SHARE_MAX: f64 = 0.10;

/// Keeps what a replay offers.
#[derive(Default)]
struct Basket(Mutex<Vec<Batch>>);

impl Intake for Basket {
    fn offer(&self, batch: Batch) -> Result<(), Box<Batch>> {
        self.0.lock().unwrap().push(batch);
        Ok(())
    }
}

/// The digest of a log that the replay plays here, on the host.
fn replayed(play: Play) -> Value {
    let bus = play.bus(|config| {
        config.replay = Some("log".to_owned());
        config.channel = Some("can0".to_owned());
        config.speed = Some(10_000.0);
    });
    let adapter = bus.adapter().unwrap();
    let health = adapter.health().remove(0);
    let basket = Arc::new(Basket::default());
    let clock = Arc::new(ManualClock::new(Timestamp::from_micros(1_000_000_000)));
    let stop = Stop::new();
    let feed = Feed {
        intake: Arc::<Basket>::clone(&basket),
        clock: Arc::<ManualClock>::clone(&clock),
        stop: stop.clone(),
    };
    let player = std::thread::spawn(move || adapter.run(feed));
    let deadline = Instant::now() + Duration::from_secs(60);
    while health.vitals().detail != "the log has been played" {
        assert!(Instant::now() < deadline && !player.is_finished(), "{:?}", health.vitals());
        clock.advance(Duration::from_secs(1));
        std::thread::park_timeout(Duration::from_millis(5));
    }
    stop.raise();
    player.join().unwrap();
    let batches = basket.0.lock().unwrap();
    json!(digest(&batches))
}

fn seconds(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|s| s.as_f64().unwrap()).collect()
}

#[test]
fn a_recorded_truck_decodes_live_to_the_very_rows_of_its_replay() {
    let told = told!("truck");
    assert_eq!(told["received"], told["sent"]);
    assert_eq!(told["digest"], replayed(Play::Truck));
    assert_eq!(told["times_rise_within_the_run"], true);
    assert!(told["digest"].as_object().unwrap().len() > 10, "many tables");
}

#[test]
fn can_fd_frames_decode_live_to_the_very_rows_of_their_replay() {
    let told = told!("fd");
    assert_eq!(told["received"], told["sent"]);
    assert_eq!(told["digest"], replayed(Play::Fd));
    assert!(told["digest"].as_object().unwrap().len() > 40, "every message");
}

#[test]
fn rows_keep_their_order_through_steps_of_the_clock_and_each_step_is_one_event() {
    let told = told!("clock_steps");
    assert_eq!(told["rows"], told["sent"]);
    assert_eq!(told["in_order"], true);
    assert_eq!(told["times_rise"], true);
    let steps: Vec<i64> =
        told["steps_us"].as_array().unwrap().iter().map(|s| s.as_i64().unwrap()).collect();
    let about = |step: i64, wanted: i64| (step / 1_000_000 - wanted).abs() <= 2;
    let [back, forward] = steps[..] else { panic!("two steps: {steps:?}") };
    assert!(about(back, -3_600) && about(forward, 7_200), "{steps:?}");
    // An hour ahead in the end, not two: the hour behind cost no order.
    let span = told["span_s"].as_i64().unwrap();
    assert!((3_600..3_660).contains(&span), "{span} s");
}

#[test]
fn what_a_burst_loses_is_what_is_counted_and_what_is_missing_and_is_told_once() {
    let told = told!("overflow");
    let missing = told["missing_numbers"].as_u64().unwrap();
    assert!(missing > 0, "the burst was too small: {told}");
    assert_eq!(told["counted"], json!(f64::from(u32::try_from(missing).unwrap())));
    assert_eq!(told["in_event"], missing);
    assert_eq!((&told["in_order"], &told["severity"]), (&json!(true), &json!("alarm")));
    assert_eq!(told["kinds"], json!({ "can_bus_state": 1, "can_frames_lost": 1 }));
    let detail = format!("{missing} frames lost before they could be read");
    let gap = json!({ "table": "bus_*", "cause": "rx_queue_overflow", "detail": detail,
        "is_forward": true });
    assert_eq!(told["gaps"], json!([gap]));
    let received = told["received"].as_u64().unwrap();
    assert!(received > 10_000, "the buffer holds more than {received} frames");
}

#[test]
fn an_interface_that_comes_and_goes_is_followed_without_haste_or_delay() {
    let told = told!("coming_and_going");
    let states: Vec<&str> =
        told["states"].as_array().unwrap().iter().map(|s| s.as_str().unwrap()).collect();
    // An interface that is removed, or that has just come, may be seen down for a moment.
    let removed = ["absent", "active"];
    let firm = ["absent", "down", "active", "down", "active"];
    assert_eq!(states[..firm.len()], firm, "{states:?}");
    let rest: Vec<&str> =
        states[firm.len()..].iter().copied().filter(|state| *state != "down").collect();
    assert_eq!(rest, removed.repeat(4), "{states:?}");
    for recovery in seconds(&told["recoveries_s"]) {
        assert!(recovery <= RECOVERY_MAX_S, "{told}");
    }
    for (state, share) in told["processor_share"].as_object().unwrap() {
        assert!(share.as_f64().unwrap() <= IDLE_SHARE_MAX, "{state}: {told}");
    }
    assert_eq!(told["files"][0], told["files"][1], "open files");
    let causes = told["gap_causes"].as_array().unwrap();
    assert_eq!(causes.len(), 6, "one gap for each time without the bus: {told}");
}

#[test]
fn error_frames_lead_through_the_states_and_the_bus_comes_back_within_two_seconds() {
    let told = told!("error_frames");
    let wanted = ["active", "warning", "passive", "bus_off", "active", "bus_off", "active"];
    assert_eq!(told["states"], json!(wanted));
    for recovery in seconds(&told["recoveries_s"]) {
        assert!(recovery <= RECOVERY_MAX_S, "{told}");
    }
    assert_eq!(told["counters_while_off"], json!([130.0, 128.0]));
    assert_eq!(told["bus_off"], 2.0);
    assert_eq!(told["restarts"], 1.0);
    assert_eq!(told["gap_causes"], json!(["bus_off", "bus_off"]));
}

#[test]
fn a_storm_of_error_frames_is_counted_whole_and_told_twice() {
    let told = told!("error_storm");
    let errors = told["error_frames"].as_f64().unwrap();
    assert_eq!(told["lost"], 0.0);
    assert_eq!(
        (&told["counted_stuff"], &told["counted_bus_error"]),
        (&json!(errors), &json!(errors))
    );
    assert_eq!(told["rows"], told["frames"]);
    let kinds = json!({ "can_bus_state": 1, "can_error_storm": 1, "can_error_storm_ended": 1 });
    assert_eq!(told["kinds"], kinds);
    assert!(told["a_second"].as_f64().unwrap() > 5_000.0, "{told}");
}

#[test]
fn an_interface_that_is_set_otherwise_is_not_opened_before_it_is_set_right() {
    let told = told!("settings");
    let bit_rate = &told["bit_rate"];
    let states: Vec<&str> =
        bit_rate["states"].as_array().unwrap().iter().map(|s| s.as_str().unwrap()).collect();
    assert_eq!((states.first(), states.last()), (Some(&"refused"), Some(&"active")), "{states:?}");
    assert_eq!(bit_rate["heard_while_refused"], false);
    assert_eq!(bit_rate["heard_when_right"], true);
    let text = bit_rate["told"].as_str().unwrap();
    assert!(text.contains("can0 runs at bitrate 250000 bit/s, not at 500000"), "{text}");
    assert_eq!(told["fd"][0], "refused");
    let text = told["no_can"].as_str().unwrap();
    assert!(text.contains("check that it is a CAN interface"), "{text}");
}

#[test]
fn a_controller_that_must_only_listen_is_refused_until_it_does_and_then_sends_nothing() {
    let told = told!("listen_only");
    assert_eq!(told["states"][0], "refused");
    assert_eq!(told["heard_while_refused"], false);
    assert_eq!(told["in_order"], true);
    // The emulated controller may run over when the host is busy: then that is what is counted.
    assert!(told["rows"] == 500 || told["overruns"].as_f64().unwrap() > 0.0, "{told}");
    assert_eq!((&told["sent_by_us"], &told["dropped_by_us"]), (&json!(0), &json!(0)));
    assert!(told["sent_by_the_other"].as_u64().unwrap() >= 500, "{told}");
}

#[test]
fn the_receive_buffer_is_the_one_asked_for() {
    let told = told!("granted_buffer");
    assert_eq!(told["bytes"], 8_388_608.0);
    assert!(told["rmem_max"].as_u64().unwrap() < 8_388_608, "the limit was passed: {told}");
}

/// Frames a second of the fastest run without a missing frame.
fn sustained(told: &Value) -> f64 {
    let runs = told["tried"].as_array().unwrap().iter();
    let whole = runs.filter(|run| run["missing"] == 0);
    whole.map(|run| run["achieved"].as_f64().unwrap()).fold(0.0, f64::max)
}

#[test]
fn no_frame_is_lost_at_twice_the_worst_case_of_a_megabit_or_at_what_candump_sustains() {
    let (candump, ours) = (told!("rate_of_candump"), told!("rate_of_ours"));
    println!("frames/s without a loss: candump {}, ours {}", sustained(&candump), sustained(&ours));
    let runs = ours["tried"].as_array().unwrap();
    for run in runs {
        assert_eq!(json!(run["missing"].as_f64().unwrap()), run["lost"], "all is counted: {run}");
    }
    // Asked for 18,000 a second, and as many as the machine can send.
    let is_lossless = runs.len() == 1 && runs[0]["missing"] == 0;
    assert!(
        is_lossless || sustained(&ours) >= sustained(&candump),
        "candump {candump}\nours {ours}"
    );
}

#[test]
fn a_terminal_shows_what_candump_shows_of_a_bus() {
    let told = told!("terminal");
    assert_eq!((&told["lines"], &told["lines_of_candump"]), (&json!(3_001), &json!(3_001)));
    assert_eq!(
        (&told["frames_equal"], &told["times_equal"]),
        (&json!(true), &json!(true)),
        "{told}"
    );
    let last = told["last"].as_str().unwrap();
    assert!(last.ends_with("vcan0 20000004#0008000000000000"), "an error frame: {last}");
    assert_eq!((&told["lost"], &told["ends_when_told"]), (&json!(0), &json!(true)));
    assert_eq!(told["ends_by_itself"], true);
    // 29-bit frames of 8 bytes: 131 bits without a stuff bit, at most 160 with all of them.
    let seconds = told["seconds_at_500k"].as_f64().unwrap();
    assert!((0.7..0.97).contains(&seconds), "{seconds}");
    let text = |key: &str| told[key].as_str().unwrap().to_owned();
    assert!(text("absent").contains("nocan0: no such interface"), "{told}");
    assert!(text("down").contains("ip link set vcan0 up"), "{told}");
}

#[test]
fn databases_that_change_while_frames_flow_cost_no_frame_and_none_is_decoded_twice() {
    let told = told!("databases");
    assert_eq!((&told["rows"], &told["wrong"]), (&told["sent"], &json!(0)), "{told}");
    assert_eq!(told["factors"], json!([1.0, 0.5, 0.25]));
    let kinds = &told["kinds"];
    assert_eq!(
        (&kinds["can_databases_changed"], &kinds["can_databases_refused"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(told["status_while_refused"], "maintenance");
    assert!(told["error_while_refused"].as_str().unwrap().contains("a.dbc"), "{told}");
}
