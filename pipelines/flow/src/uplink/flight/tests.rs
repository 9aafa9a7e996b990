use proptest::prelude::*;

use super::*;

const NOW: Duration = Duration::ZERO;

fn message(offset: u64) -> Cargo {
    Cargo::Message(Parcel { stream: 0, offset: Offset(offset), side: Side::Live })
}

/// A flight with messages 0..n on their way, whose packet ids are 1..=n.
fn flight(n: u16) -> Flight {
    let mut flight = Flight::new(20);
    for packet_id in 1..=n {
        flight.send(message(u64::from(packet_id) - 1), NOW);
        flight.number(packet_id);
    }
    flight
}

#[test]
fn an_acknowledgement_behind_a_gap_delivers_nothing_yet() {
    let mut flight = flight(3);
    assert_eq!(flight.acknowledge(3, NOW), []);
    assert_eq!(flight.acknowledge(1, NOW), [message(0)]);
    assert_eq!(flight.acknowledge(2, NOW), [message(1), message(2)]);
    assert!(flight.is_empty());
}

#[test]
fn a_message_behind_a_gap_takes_room_until_the_gap_is_closed() {
    let mut flight = flight(20);
    flight.acknowledge(2, NOW);
    assert!(!flight.has_room());
    flight.acknowledge(1, NOW);
    assert!(flight.has_room());
}

#[test]
fn an_acknowledgement_of_nothing_sent_or_a_second_one_proves_nothing() {
    let mut flight = flight(2);
    assert_eq!(flight.acknowledge(9, NOW), []);
    assert_eq!(flight.acknowledge(2, NOW), []);
    assert_eq!(flight.acknowledge(2, NOW), []);
    assert_eq!(flight.oldest(), Some(message(0)));
}

#[test]
fn waiting_counts_from_the_last_acknowledgement() {
    let mut flight = flight(2);
    let seconds = Duration::from_secs;
    assert_eq!(flight.waiting(seconds(5)), seconds(5));
    flight.acknowledge(1, seconds(5));
    assert_eq!(flight.waiting(seconds(7)), seconds(2));
    flight.acknowledge(2, seconds(8));
    assert_eq!(flight.waiting(seconds(60)), seconds(0));
}

/// Sends as much of the backlog as there is room for and acknowledges each after `took`, `rounds`
/// times from `begin` on; how many there was room for at last, and when it ended.
fn settle(
    flight: &mut Flight,
    begin: Duration,
    (rounds, took): (u16, Duration),
) -> (u16, Duration) {
    let late = Parcel { stream: 0, offset: Offset(0), side: Side::Backlog };
    let (mut sent, mut now) = (0, begin);
    for id in 1..=rounds {
        sent = 0;
        while flight.has_room_for_backlog() {
            flight.send(Cargo::Message(late), now);
            flight.number(id * 100 + sent);
            sent += 1;
        }
        now += took;
        (0..sent).for_each(|place| drop(flight.acknowledge(id * 100 + place, now)));
    }
    (sent, now)
}

#[test]
fn the_backlog_takes_most_of_a_quick_window_and_little_of_a_full_one() {
    let mut flight = Flight::new(20);
    let quick = Duration::from_millis(5);
    let (sent, now) = settle(&mut flight, NOW, (1, quick));
    assert_eq!(sent, 2, "it begins low");
    let (sent, now) = settle(&mut flight, now, (40, quick));
    assert_eq!(sent, 14);
    let (sent, now) = settle(&mut flight, now, (10, Duration::from_secs(3)));
    assert_eq!(sent, 1);
    assert_eq!(settle(&mut flight, now, (40, quick)).0, 14, "it comes back");
}

#[test]
fn a_way_that_is_long_and_not_full_is_used() {
    let mut flight = Flight::new(20);
    let (sent, now) = settle(&mut flight, NOW, (40, Duration::from_secs(1)));
    assert_eq!(sent, 14);
    assert_eq!(settle(&mut flight, now, (5, Duration::from_secs(4))).0, 1, "now it is full");
}

proptest! {
    #[test]
    fn acknowledgements_in_any_order_deliver_all_in_order(
        order in Just((1..=20_u16).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let mut flight = flight(20);
        let delivered: Vec<_> =
            order.into_iter().flat_map(|id| flight.acknowledge(id, NOW)).collect();
        prop_assert_eq!(delivered, (0..20).map(message).collect::<Vec<_>>());
    }
}
