//! Live first: what is new does not wait behind the backlog, and nothing is lost or doubled by it.

use super::*;

fn plant(port: u16, rate: f64) -> Plant {
    let mut plant = Plant::new(port);
    plant.settings.order = SendOrder::LiveFirst;
    plant.settings.allowance.rate_per_s = Some(rate);
    plant
}

#[test]
fn what_is_new_arrives_at_once_while_the_backlog_drains() {
    let broker = Broker::start(&[Habit::Kind]);
    let plant = plant(broker.port, 500.0);
    fill(&plant.aggregates, 1_000);
    let running = plant.start();
    running.wait_for_state(UplinkState::Online);
    for new in 1_000..1_020 {
        let made = Instant::now();
        fill(&plant.aggregates, 1);
        broker.wait_until("what is new", |seen| {
            seen.arrivals.iter().any(|a| a.topic.ends_with("aggregates") && seq(a) == new)
        });
        assert!(made.elapsed() < Duration::from_millis(500), "{:?}", made.elapsed());
        assert!(cursor(&plant.aggregates) < Offset(1_000), "the backlog was gone before");
    }
    wait_for(&plant.aggregates, 1_020);
    let seqs: Vec<u64> = broker.arrivals("aggregates").iter().map(seq).collect();
    assert_eq!(seqs.len(), 1_020, "each once");
    let backlog: Vec<u64> = seqs.iter().copied().filter(|seq| *seq < 1_000).collect();
    assert!(backlog.is_sorted(), "the backlog is sent in order");
    assert_eq!(seqs.iter().copied().collect::<BTreeSet<_>>(), (0..1_020).collect());
}

#[test]
fn cuts_and_restarts_in_the_middle_of_a_drain_cost_a_window_each_and_lose_nothing() {
    let cut = |i: usize| Habit::Cuts { messages: 60 + i * 13 % 50, unacknowledged: i * 7 % 20 };
    let habits: Vec<_> = (0..15).map(cut).chain([Habit::Kind]).collect();
    let broker = Broker::start(&habits);
    let plant = plant(broker.port, 5_000.0);
    fill(&plant.aggregates, 1_000);
    for restart in 0..5 {
        let running = plant.start();
        let connections = running.health.vitals().connections;
        wait_until("two connections", || running.health.vitals().connections >= connections + 2);
        fill(&plant.aggregates, 100 + restart);
    }
    let _running = plant.start();
    wait_for(&plant.aggregates, 1_510);
    let arrivals = broker.arrivals("aggregates");
    let seqs: BTreeSet<u64> = arrivals.iter().map(seq).collect();
    assert_eq!(seqs, (0..1_510).collect());
    let doubled = arrivals.len() - seqs.len();
    assert!(doubled <= 20 * 20, "{doubled} came twice");
}

#[test]
fn the_days_bytes_end_aggregates_and_not_events() {
    let broker = Broker::start(&[Habit::Kind]);
    let mut plant = Plant::new(broker.port);
    plant.settings.allowance.bytes_per_day = Some(1_000);
    fill(&plant.aggregates, 100);
    let running = plant.start();
    wait_until("the day's bytes are used up", || {
        running.health.vitals().bytes_left_today.is_some_and(|left| left < 60)
    });
    fill(&plant.events, 10);
    wait_for(&plant.events, 10);
    let sent: usize =
        broker.arrivals("aggregates").iter().map(|a| a.payload.len() + a.topic.len() + 9).sum();
    assert!((900..=1_000).contains(&sent), "{sent} bytes");
    assert!(cursor(&plant.aggregates) < Offset(30));
}
