use proptest::prelude::*;

use super::*;

const NOW: Duration = Duration::ZERO;

fn message(offset: u64) -> Cargo {
    Cargo::Message { stream: 0, offset: Offset(offset) }
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
