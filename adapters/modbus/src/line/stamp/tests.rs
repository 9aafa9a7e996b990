use std::time::Duration;

use signals::Timestamp;

use super::Stamper;

const fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

#[test]
fn rows_carry_the_wall_clock_as_long_as_it_rises() {
    let mut stamper = Stamper::default();
    assert_eq!(stamper.next(at(100), Duration::from_secs(1)).ts, at(100));
    assert_eq!(stamper.next(at(101), Duration::from_secs(2)).ts, at(101));
    let stepped = stamper.next(at(900), Duration::from_secs(3));
    assert_eq!(stepped.ts, at(900), "a step forward is followed");
    assert_eq!((stepped.before, stepped.step), (Some(at(101)), Duration::from_secs(798)));
}

#[test]
fn after_a_step_back_time_runs_at_half_speed_until_the_wall_has_caught_up() {
    let mut stamper = Stamper::default();
    let mut last = stamper.next(at(1_000), Duration::ZERO).ts;
    for second in 1..=30_i64 {
        let monotonic = Duration::from_secs(second.unsigned_abs());
        let given = stamper.next(at(990 + second), monotonic).ts;
        assert!(given > last, "second {second}");
        last = given;
    }
    assert_eq!(last, at(1_020), "on the wall clock again");
}

#[test]
fn two_rows_of_one_instant_differ_by_a_microsecond() {
    let mut stamper = Stamper::default();
    let first = stamper.next(at(5), Duration::ZERO).ts;
    assert_eq!(stamper.next(at(5), Duration::ZERO).ts.micros(), first.micros() + 1);
}
