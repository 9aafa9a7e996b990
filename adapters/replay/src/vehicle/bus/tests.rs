use super::*;

fn frame(at_us: u64, id: u32) -> Posted {
    Posted { at_us, id, sender: Sender::Own, bytes: [0; 8] }
}

#[test]
fn the_lowest_identifier_of_those_that_wait_goes_first() {
    let mut bus = Bus::default();
    for (at_us, id) in [(0, 0x300), (100, 0x200), (150, 0x100), (5_000, 0x050)] {
        bus.post(frame(at_us, id));
    }
    let mut order = vec![];
    while let Some(at_us) = bus.next_us() {
        order.push(bus.send(at_us).unwrap().1.id);
    }
    assert_eq!(order, [0x300, 0x100, 0x200, 0x050]);
}

#[test]
fn frames_follow_each_other_without_overlap() {
    let mut bus = Bus::default();
    (1..50).for_each(|id| bus.post(frame(0, id)));
    let mut last_end = 0;
    while let Some(at_us) = bus.next_us() {
        let (end, _) = bus.send(at_us).unwrap();
        assert!(at_us >= last_end && end >= at_us + 222, "{at_us} to {end}");
        last_end = end;
    }
}

#[test]
fn a_value_that_has_not_gone_is_overwritten_by_the_next() {
    let mut bus = Bus::default();
    bus.post(frame(0, 1));
    bus.post(Posted { bytes: [9; 8], ..frame(10, 1) });
    bus.post(Posted { sender: Sender::Intruder, ..frame(10, 1) });
    assert_eq!(bus.send(20).unwrap().1.bytes, [9; 8]);
    assert_eq!(bus.overwritten(), 1);
    assert_eq!(bus.send(300).unwrap().1.sender, Sender::Intruder);
}
