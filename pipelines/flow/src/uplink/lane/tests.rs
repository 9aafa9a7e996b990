use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;
use signals::Disk;

use super::*;
use crate::aggregate::fixtures;
use crate::disk::sim::SimDisk;
use crate::log::Log;
use crate::uplink::Outbox;

/// An outbox, its track, and what a broker has acknowledged, in that order.
struct Bench {
    log: Log<Envelope>,
    track: Track,
    delivered: Vec<u64>,
}

impl Bench {
    fn new() -> Self {
        let disk = SimDisk::new();
        let log = fixtures::outbox(&disk, "aggregates");
        let outbox = Outbox::of("aggregates", log.clone());
        let disk: Arc<dyn Disk> = Arc::new(disk);
        Self { track: Track::open(&outbox, "main", &disk), log, delivered: Vec::new() }
    }

    fn fill(&self, count: u64) {
        for _ in 0..count {
            self.log.append(Envelope { source: Offset(0), payload: Vec::new() }).unwrap();
        }
        self.log.sync().unwrap();
    }

    fn open(&self) -> Lane {
        Lane::open(String::new(), &self.track, SendOrder::LiveFirst)
    }

    /// Sends up to `count` messages of a side; the broker acknowledges all but the last `lost`.
    fn send(&mut self, lane: &mut Lane, side: Side, (count, lost): (usize, usize)) -> usize {
        let mut sent = Vec::new();
        while sent.len() < count
            && let Some(entry) = lane.peek(side, &self.track).unwrap()
        {
            lane.pass(side);
            sent.push(entry.offset);
        }
        sent.truncate(sent.len().saturating_sub(lost));
        for offset in &sent {
            self.track.settle(*offset);
            self.delivered.push(offset.0);
        }
        sent.len()
    }
}

#[test]
fn what_is_new_goes_first_and_the_backlog_is_sent_once_beside_it() {
    let mut bench = Bench::new();
    bench.fill(1_000);
    let mut lane = bench.open();
    for _ in 0..120 {
        bench.fill(1);
        assert_eq!(bench.send(&mut lane, Side::Live, (9, 0)), 1, "nothing but what is new");
        bench.send(&mut lane, Side::Backlog, (9, 0));
    }
    assert_eq!(bench.delivered[..3], [1_000, 0, 1]);
    assert_eq!(bench.track.floor(), Offset(1_120), "both have met");
    assert!(lane.live.is_none());
    let sent: BTreeSet<u64> = bench.delivered.iter().copied().collect();
    assert_eq!((sent.len(), bench.delivered.len()), (1_120, 1_120), "each once");
}

#[test]
fn strict_order_is_the_order_of_seq() {
    let mut bench = Bench::new();
    bench.fill(200);
    let mut lane = Lane::open(String::new(), &bench.track, SendOrder::Strict);
    bench.fill(50);
    assert_eq!(bench.send(&mut lane, Side::Backlog, (9, 0)), 0);
    bench.send(&mut lane, Side::Live, (1_000, 0));
    assert_eq!(bench.delivered, (0..250).collect::<Vec<_>>());
}

#[test]
fn a_flapping_link_opens_no_new_range_each_time() {
    let mut bench = Bench::new();
    bench.fill(1_000);
    for _ in 0..100 {
        let mut lane = bench.open();
        bench.fill(3);
        bench.send(&mut lane, Side::Live, (10, 0));
        bench.send(&mut lane, Side::Backlog, (2, 0));
    }
    assert_eq!(bench.track.floor(), Offset(200));
    assert_eq!(bench.track.ahead_end(), Some(Offset(1_300)));
    assert_eq!(bench.track.waiting(Offset(1_300)), 800, "one range");
}

proptest! {
    /// Outages of any length, cuts with messages on their way: everything is delivered.
    #[test]
    fn whatever_is_cut_everything_is_delivered_and_only_what_was_on_its_way_twice(
        rounds in prop::collection::vec((0..300_u64, 0..40_usize, 0..40_usize, 0..20_usize), 1..40),
    ) {
        let mut bench = Bench::new();
        for (produced, live, backlog, lost) in rounds {
            bench.fill(produced);
            let mut lane = bench.open();
            bench.fill(produced / 10);
            bench.send(&mut lane, Side::Live, (live, lost));
            bench.send(&mut lane, Side::Backlog, (backlog, lost));
        }
        let mut lane = bench.open();
        while bench.send(&mut lane, Side::Backlog, (1_000, 0)) > 0 {}
        while bench.send(&mut lane, Side::Live, (1_000, 0)) > 0 {}
        let head = bench.log.next();
        prop_assert_eq!(bench.track.floor(), head);
        let sent: BTreeSet<u64> = bench.delivered.iter().copied().collect();
        prop_assert_eq!(sent.len() as u64, head.0);
        prop_assert_eq!(bench.delivered.len(), sent.len(), "nothing acknowledged is sent again");
    }
}
