use std::time::Duration;

use super::{Slot, phases};

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
fn scans_of_one_period_are_spread_over_it() {
    let periods = [ms(1_000), ms(200), ms(1_000), ms(1_000), ms(1_000)];
    assert_eq!(phases(&periods), [ms(0), ms(0), ms(250), ms(500), ms(750)]);
    assert!(phases(&[]).is_empty());
}
