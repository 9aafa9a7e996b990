use super::*;

fn message(seq: u64, text: &str) -> Message {
    let payload = format!(r#"{{"gateway":"g","stream":"aggregates","seq":{seq},"text":"{text}"}}"#);
    Message { topic: "fieldgate/v1/g/aggregates".to_owned(), payload: payload.into_bytes() }
}

fn check(messages: &[(u64, &str)], expected: &[&str]) {
    let messages: Vec<_> = messages.iter().map(|(seq, text)| message(*seq, text)).collect();
    let wrong = delivery(&messages).wrong;
    assert_eq!(wrong.len(), expected.len(), "{wrong:?}");
    assert!(wrong.iter().zip(expected).all(|(told, begin)| told.starts_with(begin)), "{wrong:?}");
}

#[test]
fn a_duplicate_with_the_same_bytes_is_no_fault() {
    check(&[(7, "a"), (8, "b"), (7, "a"), (8, "b"), (9, "c")], &[]);
}

#[test]
fn other_bytes_a_hole_and_a_late_first_arrival_are_faults() {
    check(&[(7, "a"), (7, "b")], &["seq 7 came again with other bytes"]);
    check(&[(7, "a"), (9, "c")], &["seq 8 never came"]);
    check(&[(7, "a"), (9, "c"), (8, "b")], &["seq 8 came first after 9"]);
}

#[test]
fn the_bench_itself_loses_nothing_over_a_restart_of_the_broker() {
    let folder = tempfile::tempdir().unwrap();
    let mut broker = Mosquitto::start(folder.path());
    let subscriber = Subscriber::start(broker.port);
    publish(broker.port, 0..20);
    broker.stop();
    broker.start_again();
    publish(broker.port, 20..40);
    // Not so many messages: some may come twice.
    wait_until("the last message", Duration::from_secs(20), || {
        let heard = subscriber.stream("aggregates");
        !heard.is_empty() && delivery(&heard).seqs.1 == 39
    });
    let told = delivery(&subscriber.stream("aggregates"));
    assert!(told.wrong.is_empty() && told.seqs == (0, 39), "{told} {:?}", told.wrong);
}

/// Publishes messages and waits until the broker has acknowledged each.
fn publish(port: u16, seqs: std::ops::Range<u64>) {
    let (client, mut connection) = Client::new(MqttOptions::new("peer", "127.0.0.1", port), 64);
    let count = seqs.clone().count();
    for seq in seqs {
        let Message { topic, payload } = message(seq, "");
        client.publish(topic, QoS::AtLeastOnce, false, payload).unwrap();
    }
    let is_answer =
        |event: &Result<Event, _>| matches!(event, Ok(Event::Incoming(Packet::PubAck(_))));
    assert_eq!(connection.iter().filter(is_answer).take(count).count(), count);
}
