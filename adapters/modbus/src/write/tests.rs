//! Commands against a device with bad habits: what is sent, what is recorded, what is reported.

mod bench;
mod device;

use std::sync::Arc;
use std::time::Duration;

use signals::Timestamp;

use self::bench::{Bench, Memory, START, command, point, refusal, tag};
use self::device::{Device, Habit};
use super::rule::{Interlock, Readback, WriteFunction, WriteRule};
use super::{Outcome, Reply, Setting};
use crate::decode::RegisterType;

fn number(value: f64) -> Setting {
    Setting::Real(value)
}

/// One command of 42 for a register that holds 7.
async fn order_42(habit: Option<Habit>, rule: WriteRule) -> (Bench, super::Report) {
    let device = Device::new(&[7]);
    let device = match habit {
        Some(habit) => device.with(habit),
        None => device,
    };
    let bench = Bench::new(device, tag(RegisterType::U16, rule));
    let report = bench.order(command(number(42.0))).await;
    (bench, report)
}

#[tokio::test(start_paused = true)]
async fn a_good_write_is_recorded_before_it_is_sent_and_confirmed_by_reading_back() {
    let (bench, report) = order_42(None, WriteRule::default()).await;
    assert_eq!(report.outcome, Outcome::ConfirmedByReadback);
    assert_eq!(
        (report.old, report.written),
        (Some(Setting::Unsigned(7)), Some(Setting::Unsigned(42)))
    );
    assert_eq!((bench.device.functions(), bench.device.register(0)), (vec![6], 42));
    assert_eq!(*bench.memory.seen.lock().unwrap(), [0], "recorded before anything was sent");
    let begun = bench.memory.begun.lock().unwrap();
    assert_eq!((begun[0].old_raw.as_deref(), &begun[0].new_raw[..]), (Some(&[7][..]), &[42][..]));
    assert_eq!((begun[0].who.as_str(), begun[0].address.as_str()), ("eva", "holding:0"));
    assert_eq!(bench.ended(), "confirmed_by_readback");
}

#[tokio::test(start_paused = true)]
async fn a_device_that_says_yes_and_does_otherwise_is_found_out() {
    for (habit, shown) in [(Habit::AckOnly, 7), (Habit::Instead(40), 40)] {
        let (bench, report) = order_42(Some(habit), WriteRule::default()).await;
        assert_eq!(report.outcome, Outcome::ReadbackMismatch);
        assert_eq!(report.readback, Some(Setting::Unsigned(shown)));
        assert_eq!(bench.device.functions(), [6], "written once");
    }
}

#[tokio::test(start_paused = true)]
async fn a_difference_within_the_tolerance_is_the_same_value() {
    let readback = Some(Readback { after: Duration::from_secs(2), tolerance: 2 });
    let rule = WriteRule { readback, ..WriteRule::default() };
    let (_, report) = order_42(Some(Habit::Instead(40)), rule).await;
    assert_eq!(report.outcome, Outcome::ConfirmedByReadback);
}

#[tokio::test(start_paused = true)]
async fn without_reading_back_the_word_of_the_device_is_all_there_is() {
    let rule = WriteRule { readback: None, ..WriteRule::default() };
    let (_, report) = order_42(Some(Habit::AckOnly), rule).await;
    assert_eq!(report.outcome, Outcome::Acknowledged);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_settled_by_reading_and_never_by_writing_again() {
    let cases = [
        (Habit::Drop, Outcome::ConfirmedByReadback),
        (Habit::Hang, Outcome::ConfirmedByReadback),
        (Habit::Ignore, Outcome::ReadbackMismatch),
        (Habit::Refuse(11), Outcome::ReadbackMismatch),
        (Habit::Refuse(5), Outcome::ReadbackMismatch),
    ];
    for (habit, outcome) in cases {
        let rule = WriteRule { readback: None, ..WriteRule::default() };
        let (bench, report) = order_42(Some(habit.clone()), rule).await;
        assert_eq!(report.outcome, outcome, "{habit:?}: {}", report.detail);
        assert_eq!(bench.device.functions(), [6], "{habit:?}: written once");
    }
}

#[tokio::test(start_paused = true)]
async fn a_device_that_falls_silent_after_a_write_leaves_the_outcome_unknown() {
    let bench = Bench::new(Device::new(&[7]), tag(RegisterType::U16, WriteRule::default()));
    let silence = async {
        while bench.memory.begun.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        bench.device.0.lock().unwrap().silent = true;
        std::future::pending::<()>().await;
    };
    let report = tokio::select! {
        report = bench.order(command(number(42.0))) => report,
        () = silence => unreachable!(),
    };
    assert_eq!(report.outcome, Outcome::Unknown, "{}", report.detail);
    assert_eq!(bench.device.functions(), [6], "written once");
    assert_eq!(bench.ended(), "outcome_unknown");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_by_the_device_is_the_outcome_and_nothing_else_is_tried() {
    for code in [1, 2, 3, 4, 6, 10] {
        let (bench, report) = order_42(Some(Habit::Refuse(code)), WriteRule::default()).await;
        assert_eq!(report.outcome, Outcome::Rejected(code));
        assert_eq!((bench.device.functions(), bench.device.register(0)), (vec![6], 7));
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_device_is_not_written_to() {
    let device = Device::new(&[7]);
    device.0.lock().unwrap().silent = true;
    let bench = Bench::new(device, tag(RegisterType::U16, WriteRule::default()));
    let report = bench.order(command(number(42.0))).await;
    assert_eq!(report.outcome, Outcome::NotConnected);
    assert!(bench.device.functions().is_empty());
    assert_eq!(bench.memory.refused.lock().unwrap()[0].1.result, "not_connected");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_that_is_not_in_the_audit() {
    let memory = Memory { is_broken: true, ..Memory::default() };
    let tag = tag(RegisterType::U16, WriteRule::default());
    let bench = Bench::with(Device::new(&[7]), tag, memory);
    let report = bench.order(command(number(42.0))).await;
    assert_eq!(refusal(&report), "audit");
    assert!(bench.device.functions().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_value_over_two_registers_goes_in_one_request_or_not_at_all() {
    let bench = Bench::new(Device::new(&[0, 0]), tag(RegisterType::F32, WriteRule::default()));
    let report = bench.order(command(number(25.0))).await;
    assert_eq!(report.outcome, Outcome::ConfirmedByReadback);
    assert_eq!(bench.device.functions(), [16]);
    assert_eq!((bench.device.register(0), bench.device.register(1)), (0x41C8, 0));

    let rule = WriteRule { function: WriteFunction::Single, ..WriteRule::default() };
    let bench = Bench::new(Device::new(&[0, 0]), tag(RegisterType::F32, rule));
    assert_eq!(refusal(&bench.order(command(number(25.0))).await), "not_one_request");
    assert!(bench.device.functions().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_bit_is_written_by_mask_and_its_neighbours_stay() {
    let bench = bit_3(true, WriteRule::default());
    let report = bench.order(command(Setting::Bool(true))).await;
    assert_eq!(report.outcome, Outcome::ConfirmedByReadback);
    assert_eq!((bench.device.functions(), bench.device.register(0)), (vec![22], 0b1010_1010));
}

#[tokio::test(start_paused = true)]
async fn without_mask_write_a_register_is_rewritten_only_when_that_is_allowed() {
    let bench = bit_3(false, WriteRule::default());
    let report = bench.order(command(Setting::Bool(true))).await;
    assert_eq!(report.outcome, Outcome::Rejected(1));
    assert!(report.detail.contains("rmw"), "{}", report.detail);
    assert_eq!(bench.device.register(0), 0b1010_0010);

    let bench = bit_3(false, WriteRule { rmw: true, ..WriteRule::default() });
    let report = bench.order(command(Setting::Bool(true))).await;
    assert_eq!(report.outcome, Outcome::ConfirmedByReadback);
    assert_eq!((bench.device.functions(), bench.device.register(0)), (vec![22, 6], 0b1010_1010));
}

/// Bit 3 of a register that holds `0b1010_0010`.
fn bit_3(knows_mask: bool, rule: WriteRule) -> Bench {
    let device = Device::new(&[0b1010_0010]);
    device.0.lock().unwrap().knows_mask = knows_mask;
    let mut tag = tag(RegisterType::Bit, rule);
    Arc::make_mut(&mut tag.point.format).bit = 3;
    Bench::new(device, tag)
}

#[tokio::test(start_paused = true)]
async fn an_interlock_that_is_false_or_cannot_be_read_stops_a_write() {
    for (at, outcome) in [(1, "interlock"), (2, "allowed"), (9, "interlock")] {
        let interlock = Interlock {
            path: "pump/remote".to_owned(),
            unit: 1,
            point: point(at, RegisterType::U16),
            timeout: Duration::from_millis(100),
        };
        let rule = WriteRule { interlock: Some(interlock), ..WriteRule::default() };
        let bench = Bench::new(Device::new(&[7, 0, 1]), tag(RegisterType::U16, rule));
        let report = bench.order(command(number(42.0))).await;
        if outcome == "allowed" {
            assert_eq!(report.outcome, Outcome::ConfirmedByReadback);
        } else {
            assert_eq!(refusal(&report), outcome);
            assert!(bench.device.functions().is_empty());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn step_and_expected_value_are_held_against_what_the_device_has_now() {
    let rule = WriteRule { step_max: Some(30.0), ..WriteRule::default() };
    let (bench, report) = order_42(None, rule.clone()).await;
    assert_eq!((refusal(&report), bench.device.functions().len()), ("step", 0));

    let bench = Bench::new(Device::new(&[12]), tag(RegisterType::U16, rule));
    assert_eq!(bench.order(command(number(42.0))).await.outcome, Outcome::ConfirmedByReadback);
    let stale = super::Command { expected_old: Some(number(12.0)), ..command(number(43.0)) };
    assert_eq!(refusal(&bench.order(stale).await), "expected_old");
    let fresh = super::Command { expected_old: Some(number(42.0)), ..command(number(43.0)) };
    assert_eq!(bench.order(fresh).await.outcome, Outcome::ConfirmedByReadback);
}

#[tokio::test(start_paused = true)]
async fn the_second_step_needs_the_token_of_the_first_and_works_once() {
    let rule = WriteRule { confirm: true, ..WriteRule::default() };
    let bench = Bench::new(Device::new(&[7]), tag(RegisterType::U16, rule));
    let Reply::Confirm(first) = bench.handle.order(command(number(42.0))).await else { panic!() };
    assert!(bench.device.functions().is_empty());
    let token = Some(first.token);
    let again = super::Command { confirm_token: token.clone(), ..command(number(42.0)) };
    assert_eq!(bench.order(again.clone()).await.outcome, Outcome::ConfirmedByReadback);
    assert_eq!(refusal(&bench.order(again).await), "confirm_token");
    assert_eq!(bench.device.functions(), [6]);
}

#[tokio::test(start_paused = true)]
async fn writes_of_a_tag_keep_their_distance() {
    let rule = WriteRule { interval_min: Duration::from_secs(5), ..WriteRule::default() };
    let bench = Bench::new(Device::new(&[7]), tag(RegisterType::U16, rule));
    assert_eq!(bench.order(command(number(1.0))).await.outcome, Outcome::ConfirmedByReadback);
    bench.clock.advance(Duration::from_millis(4999));
    assert_eq!(refusal(&bench.order(command(number(2.0))).await), "too_soon");
    bench.clock.advance(Duration::from_millis(1));
    assert_eq!(bench.order(command(number(2.0))).await.outcome, Outcome::ConfirmedByReadback);
}

#[tokio::test(start_paused = true)]
async fn a_command_whose_time_is_over_before_its_turn_comes_is_not_sent() {
    let bench = Bench::new(Device::new(&[7]), tag(RegisterType::U16, WriteRule::default()));
    let late = super::Command { not_after: Some(START), ..command(number(42.0)) };
    let waiting = bench.give(late);
    let mut desk = bench.handle.desk();
    desk.ready().await;
    bench.clock.advance(Duration::from_micros(1));
    let mut wire = bench.device.connect();
    desk.next_order().unwrap().carry_out(Some(&mut wire), Duration::ZERO).await;
    assert_eq!(refusal(&waiting.await.unwrap()), "expired");
    assert!(bench.device.functions().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_command_from_a_cloud_must_say_until_when_it_holds() {
    let bench = Bench::new(Device::new(&[7]), tag(RegisterType::U16, WriteRule::default()));
    let origin = super::Origin::Cloud("broker".to_owned());
    let endless = super::Command { origin, ..command(number(42.0)) };
    assert_eq!(refusal(&bench.order(endless.clone()).await), "no_expiry");
    let until = Some(START.plus(Duration::from_secs(1)));
    let timely = super::Command { not_after: until, ..endless };
    assert_eq!(bench.order(timely).await.outcome, Outcome::ConfirmedByReadback);
    assert!(Timestamp::default() < START);
}

#[tokio::test(start_paused = true)]
async fn the_seventeenth_open_command_is_refused_and_the_others_wait_for_their_turn() {
    let bench = Bench::new(Device::new(&[7]), tag(RegisterType::U16, WriteRule::default()));
    let give = |value| bench.give(command(number(value)));
    let waiting: Vec<_> = (0..16).map(|value| give(f64::from(value))).collect();
    tokio::task::yield_now().await;
    assert_eq!(refusal(&give(99.0).await.unwrap()), "queue_full");
    let mut wire = bench.device.connect();
    let all = async {
        for report in waiting {
            assert_eq!(report.await.unwrap().outcome, Outcome::ConfirmedByReadback);
        }
    };
    tokio::select! { () = all => {}, () = bench.work(&mut wire) => {} }
    assert_eq!((bench.device.functions().len(), bench.device.register(0)), (16, 15));
}

#[tokio::test(start_paused = true)]
async fn a_line_that_stops_before_the_reading_back_says_so() {
    let readback = Some(Readback { after: Duration::from_secs(5), tolerance: 0 });
    let rule = WriteRule { readback, ..WriteRule::default() };
    let bench = Bench::new(Device::new(&[7]), tag(RegisterType::U16, rule));
    let waiting = bench.give(command(number(42.0)));
    let (mut desk, mut wire) = (bench.handle.desk(), bench.device.connect());
    desk.ready().await;
    desk.next_order().unwrap().carry_out(Some(&mut wire), Duration::ZERO).await;
    drop(desk);
    let report = waiting.await.unwrap();
    assert_eq!((report.outcome, bench.ended()), (Outcome::Unknown, "outcome_unknown".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn whoever_does_not_wait_takes_a_command_back_that_was_not_begun() {
    let bench = Bench::new(Device::new(&[7]), tag(RegisterType::U16, WriteRule::default()));
    let given =
        tokio::time::timeout(Duration::from_secs(1), bench.handle.order(command(number(42.0))));
    assert!(given.await.is_err());
    let (mut desk, mut wire) = (bench.handle.desk(), bench.device.connect());
    desk.next_order().unwrap().carry_out(Some(&mut wire), Duration::ZERO).await;
    assert!(bench.device.functions().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_line_without_connection_answers_at_once() {
    let bench = Bench::new(Device::new(&[7]), tag(RegisterType::U16, WriteRule::default()));
    let waiting = bench.give(command(number(42.0)));
    let mut desk = bench.handle.desk();
    desk.ready().await;
    desk.next_order().unwrap().carry_out(None, Duration::ZERO).await;
    assert_eq!(waiting.await.unwrap().outcome, Outcome::NotConnected);
}
