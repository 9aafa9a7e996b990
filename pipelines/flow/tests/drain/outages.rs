//! Outages, their drains, and what went wrong meanwhile.

use std::time::{Duration, Instant};

use crate::broker::{Mosquitto, Seen, Subscriber};
use crate::child::{Child, Plan};
use crate::proxy::{Proxy, Weather};

/// Messages a second that the demo's plant and truck make.
const MESSAGES_PER_S: u64 = 2;
/// Messages a second that may be sent.
const RATE_PER_S: u64 = 1_000;
/// What is new must arrive within this while the backlog drains.
const LIVE_MAX: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_mins(20);

fn hours(short: f64) -> f64 {
    let given = std::env::var("FIELDGATE_DRAIN_HOURS").ok().and_then(|text| text.parse().ok());
    given.unwrap_or(short)
}

pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// How many messages an outage of so many hours leaves.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "some hundred thousand"
)]
fn backlog_of(hours: f64) -> u64 {
    (hours * 3_600.0) as u64 * MESSAGES_PER_S
}

/// Everything below `head` has arrived; tells how.
fn check(seen: &Seen, head: u64, (cuts, window): (usize, usize)) {
    let missing: Vec<u64> = (0..head).filter(|seq| !seen.first.contains_key(seq)).collect();
    assert!(missing.is_empty(), "{} never came: {:?}…", missing.len(), &missing[..1]);
    assert_eq!(seen.differing, 0, "messages came again with other bytes");
    let most = seen.most_within(1);
    println!(
        "{head} messages, {} came again over {cuts} cuts, at most {most} in a second",
        seen.again
    );
    assert!(seen.again <= cuts * window, "{} came again over {cuts} cuts", seen.again);
}

#[test]
fn days_without_a_broker_are_drained_through_restarts_and_kills_and_live_does_not_wait() {
    let (hours, kills) = (hours(0.5), 10);
    let backlog = backlog_of(hours);
    let folder = tempfile::tempdir().unwrap();
    let mut broker = Mosquitto::start(folder.path());
    let subscriber = Subscriber::start(broker.port);
    // In the short one the drain must not be over before the kills are.
    let rate = RATE_PER_S.min(backlog / 25).max(20);
    let data = folder.path().join("data");
    let plan = Plan { data, port: broker.port, rate, live_ms: 200 };
    plan.fill(backlog);
    let begun = Instant::now();
    subscriber.mark(backlog);
    let mut child = Child::start(&plan);
    for kill in 1..=kills {
        let share = backlog * kill / (kills + 2);
        wait_until("some more arrive", || subscriber.counts().1 >= share);
        child = child.kill_and_restart(&plan);
        if kill % 3 == 0 {
            broker.restart();
        }
    }
    wait_until("the backlog is gone", || subscriber.counts().0 == backlog);
    let drained = begun.elapsed();
    let head = child.stop(&plan);
    subscriber.mark(head);
    wait_until("the last arrive", || subscriber.counts().0 == head);
    let seen = subscriber.seen();
    check(&seen, head, (10 + 3, 20));
    let late = seen.live_latencies(backlog);
    let slow = late.iter().filter(|took| **took > LIVE_MAX).count();
    let median = late.get(late.len() / 2).copied().unwrap_or_default();
    println!(
        "{hours} h drained in {drained:?}; {} new meanwhile, half within {median:?}, {slow} slower than {LIVE_MAX:?}",
        late.len()
    );
    // What was made while the gateway or the broker was away has waited for it.
    assert!(slow <= 13 * 25 && late.len() > slow * 2, "{slow} of {} were slow", late.len());
    // In five seconds: a busy machine delivers some messages late, and then together.
    let most = seen.most_within(5) as u64;
    assert!(most <= rate * 5, "{most} in five seconds at a rate of {rate}");
}

#[test]
fn a_link_that_flaps_loses_a_third_and_takes_half_a_second_loses_no_message() {
    let hours = hours(0.02);
    let backlog = backlog_of(hours);
    let folder = tempfile::tempdir().unwrap();
    let broker = Mosquitto::start(folder.path());
    let subscriber = Subscriber::start(broker.port);
    let flaps =
        Weather { up: Duration::from_secs(5), down: Duration::from_secs(1), ..Weather::bad() };
    let proxy = Proxy::start(broker.port, flaps);
    let data = folder.path().join("data");
    let plan = Plan { data, port: proxy.port, rate: RATE_PER_S, live_ms: 1_000 };
    plan.fill(backlog);
    let begun = Instant::now();
    subscriber.mark(backlog);
    let child = Child::start(&plan);
    wait_until("the backlog is gone", || subscriber.counts().0 == backlog);
    println!("{backlog} messages in {:?} over {} flaps", begun.elapsed(), proxy.flaps());
    let head = child.stop(&plan);
    assert!(proxy.flaps() > 1, "nothing flapped: the test shows nothing");
    let seen = subscriber.seen();
    // The stop may leave some of the newest in the outbox; below, nothing is missing.
    let arrived = (0..head).take_while(|seq| seen.first.contains_key(seq)).count() as u64;
    assert!(head - arrived <= 30, "{arrived} of {head} arrived");
    check(&seen, arrived.max(backlog), (proxy.flaps() + 1, 20));
}
