use std::time::Duration;

use super::{Load, Slot, phases};

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn slots_do_not_drift_however_late_each_one_starts() {
    let mut slot = Slot::new(ms(5_000), ms(1_000));
    for k in 0..1_000 {
        assert_eq!(slot.due(), ms(5_000 + 1_000 * k));
        assert_eq!(slot.take(slot.due() + ms(700)), 0);
    }
}

#[test]
fn passed_slots_are_counted_and_skipped_and_never_caught_up() {
    let mut slot = Slot::new(ms(0), ms(100));
    assert_eq!(slot.take(ms(350)), 3, "0, 100 and 200; the one of 300 is taken");
    assert_eq!(slot.due(), ms(400));
    assert_eq!(slot.take(ms(400)), 0);
    assert_eq!((slot.due(), slot.deadline()), (ms(500), ms(600)));
}

#[test]
fn slots_that_move_keep_their_period_and_bring_no_missed_ones() {
    let mut slot = Slot::new(ms(0), ms(1_000));
    slot.move_to(ms(250), ms(3_300));
    assert_eq!(slot.due(), ms(4_250));
    slot.move_to(ms(5_100), ms(4_300));
    assert_eq!((slot.due(), slot.take(ms(5_100))), (ms(5_100), 0));
}

fn load(period: u64, cost: u64) -> Load {
    Load { period: ms(period), cost: ms(cost) }
}

#[test]
fn scans_of_one_period_stand_one_behind_the_other() {
    let loads = [load(1_000, 40), load(1_000, 30), load(1_000, 20)];
    assert_eq!(phases(&loads), [ms(0), ms(40), ms(70)]);
    assert!(phases(&[]).is_empty());
}

#[test]
fn slow_scans_are_dealt_out_behind_the_fast_ones() {
    let loads = [load(3_000, 40), load(1_000, 100), load(3_000, 50), load(3_000, 60)];
    assert_eq!(phases(&loads), [ms(100), ms(0), ms(1_100), ms(2_100)]);
    let full = [load(1_000, 100), load(2_000, 50), load(2_000, 50), load(2_000, 50)];
    assert_eq!(phases(&full), [ms(0), ms(100), ms(1_100), ms(150)]);
}
