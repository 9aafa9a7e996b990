use super::*;

fn field(start: u64, width: u64) -> Field {
    Field::new(start, width, false).unwrap()
}

fn payload(bytes: &[u8]) -> Payload {
    let mut payload = Payload::new();
    payload.load(bytes);
    payload
}

/// Hears frames of one sender, one every 100 ms, up to `count`.
fn heard(watch: &mut Watch, count: u32) -> Duration {
    let mut now = Duration::ZERO;
    for number in 0..count {
        now = Duration::from_millis(100) * number;
        let ts = Timestamp::default().plus(now);
        assert_eq!(watch.hear((7, ts), now, &payload(&[])), None);
    }
    now
}

#[test]
fn a_message_is_stale_once_after_five_cycles_and_fresh_with_its_next_frame() {
    let cycle = Some(Duration::from_millis(500));
    let mut watch = Watch::new(Expectation { cycle, ..Expectation::default() });
    let last = heard(&mut watch, 2);
    assert_eq!(watch.silent(last + Duration::from_millis(2_500)).count(), 0);
    let late = last + Duration::from_millis(2_501);
    assert_eq!(watch.silent(late).collect::<Vec<_>>(), [7]);
    assert_eq!(watch.silent(late * 2).count(), 0);
    assert!(watch.heard(late).all(|sender| sender.stale));
    watch.hear((7, Timestamp::default().plus(late)), late, &payload(&[]));
    assert!(watch.heard(late).all(|sender| !sender.stale));
    assert_eq!(watch.counts().stale, 1);
}

#[test]
fn a_cycle_is_learned_from_the_longest_of_32_distances_and_only_if_wanted() {
    for (learns, expected) in [(true, Some(Duration::from_millis(100))), (false, None)] {
        let mut watch = Watch::new(Expectation { learns, ..Expectation::default() });
        let last = heard(&mut watch, 32);
        assert_eq!(watch.heard(last).next().unwrap().cycle, None, "31 distances");
        let mut watch = Watch::new(Expectation { learns, ..Expectation::default() });
        let last = heard(&mut watch, 33);
        assert_eq!(watch.heard(last).next().unwrap().cycle, expected);
        let silent = watch.silent(last + Duration::from_millis(1_001)).count();
        assert_eq!(silent, usize::from(learns));
    }
}

#[test]
fn a_counter_that_stands_still_is_stale_and_one_that_jumps_is_counted() {
    let counter = Some(field(0, 4));
    let mut watch = Watch::new(Expectation { counter, ..Expectation::default() });
    let told: Vec<_> = [13, 14, 14, 15, 0, 3]
        .map(|count| watch.hear((0, Timestamp::default()), Duration::ZERO, &payload(&[count])))
        .into();
    assert_eq!(told, [None, None, Some(Reason::Stale), None, None, None]);
    assert_eq!((watch.counts().counter_still, watch.counts().counter_missed), (1, 2));
}

#[test]
fn checksums_are_those_of_their_catalogues_and_a_wrong_one_takes_the_values_away() {
    // The check value of CRC-8/SAE-J1850 in the catalogue of parametrised CRC algorithms.
    assert_eq!(ChecksumKind::Crc8J1850.of(b"123456789", usize::MAX), 0x4B);
    assert_eq!(ChecksumKind::Xor8.of(&[0x12, 0x34, 0xFF], 2), 0x26);
    assert_eq!(ChecksumKind::Sum8.of(&[0xF0, 0x20, 0xFF], 2), 0x10);
    let checksum = Some((field(16, 8), ChecksumKind::Sum8));
    let mut watch = Watch::new(Expectation { checksum, ..Expectation::default() });
    let mut hear =
        |bytes: &[u8]| watch.hear((0, Timestamp::default()), Duration::ZERO, &payload(bytes));
    assert_eq!(hear(&[0xF0, 0x20, 0x10]), None);
    assert_eq!(hear(&[0xF0, 0x21, 0x10]), Some(Reason::Crc));
    assert_eq!(hear(&[0xF0]), None, "too short to have one: the signals say so themselves");
    assert_eq!(watch.counts().checksum, 1);
}
