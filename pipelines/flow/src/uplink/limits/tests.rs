use super::*;
use crate::disk::sim::SimDisk;

const WISH: Wish = Wish { bytes: 1_000, side: Side::Live, is_urgent: false };

fn limits(disk: &SimDisk, allowance: &Allowance) -> Limits {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    Limits::open(allowance, &disk, "/outbox/used-main".into())
}

/// When messages leave that all want to at once, asked every 10 ms for `seconds`.
fn leaving(limits: &mut Limits, wish: Wish, seconds: u64) -> Vec<Duration> {
    let mut left = Vec::new();
    for tick in 0..seconds * 100 {
        let now = Duration::from_millis(tick * 10);
        while limits.admit(wish, (now, Timestamp::from_micros(0))) && left.len() < 1_000_000 {
            left.push(now);
        }
    }
    left
}

/// The most in any second.
fn most(left: &[Duration]) -> usize {
    let within = |(i, from): (usize, &Duration)| {
        left[i..].iter().take_while(|at| **at < *from + Duration::from_secs(1)).count()
    };
    left.iter().enumerate().map(within).max().unwrap_or(0)
}

#[test]
fn no_second_has_more_messages_than_the_rate_and_four_fifths_of_it_are_reached() {
    let count = |n: usize| f64::from(u32::try_from(n).unwrap());
    for rate in [2.0, 10.0, 12.5, 100.0, 1_000.0] {
        let allowance = Allowance { rate_per_s: Some(rate), ..Allowance::default() };
        let left = leaving(&mut limits(&SimDisk::new(), &allowance), WISH, 60);
        let (most, all) = (count(most(&left)), count(left.len()));
        assert!(most <= rate, "{rate}: {most} in a second");
        assert!(all >= rate * 60.0 * if rate < 10.0 { 0.4 } else { 0.8 }, "{rate}: {all} in all");
    }
}

#[test]
fn no_second_has_more_bytes_than_allowed_unless_one_message_has() {
    let allowance = Allowance { bytes_per_s: Some(64_000), ..Allowance::default() };
    let left = leaving(&mut limits(&SimDisk::new(), &allowance), WISH, 60);
    assert!(most(&left) <= 64, "{} kB in a second", most(&left));
    assert!(left.len() > 60 * 50);
    let large = Wish { bytes: 128_000, ..WISH };
    let left = leaving(&mut limits(&SimDisk::new(), &allowance), large, 60);
    assert!((25..=31).contains(&left.len()), "{} of 128 kB in a minute", left.len());
}

#[test]
fn a_days_bytes_are_given_out_once_whatever_clock_and_process_do() {
    let disk = SimDisk::new();
    let allowance = Allowance { bytes_per_day: Some(10_500), ..Allowance::default() };
    let at = |hours: i64| (Duration::ZERO, Timestamp::from_micros(hours * 3_600_000_000));
    let mut used = limits(&disk, &allowance);
    assert_eq!((0..20).filter(|_| used.admit(WISH, at(25))).count(), 10);
    assert_eq!(used.left_today(), Some(500));
    used.flush();
    let mut used = limits(&disk, &allowance);
    assert!(!used.admit(WISH, at(26)), "after a restart");
    assert!(!used.admit(WISH, at(2)), "after the clock was set back a day");
    assert!(used.admit(Wish { is_urgent: true, ..WISH }, at(26)), "what is urgent goes");
    assert_eq!((0..20).filter(|_| used.admit(WISH, at(48))).count(), 10, "the next day");
}

#[test]
fn the_backlog_keeps_to_its_hours_and_its_rate_and_what_is_new_does_not_care() {
    let hours = Hours::parse("22:00-06:00");
    let allowance =
        Allowance { backlog_rate_per_s: Some(5.0), backlog_hours: hours, ..Allowance::default() };
    let mut limits = limits(&SimDisk::new(), &allowance);
    let late = Wish { side: Side::Backlog, ..WISH };
    let at = |hour: i64| {
        (Duration::from_hours(hour.cast_unsigned()), Timestamp::from_micros(hour * 3_600_000_000))
    };
    assert!(!limits.admit(late, at(4)), "it begins empty");
    for (hour, is_open) in [(5, true), (6, false), (21, false), (22, true), (23, true), (24, true)]
    {
        assert_eq!(limits.admit(late, at(hour)), is_open, "{hour}");
        assert!(limits.admit(WISH, at(hour)));
    }
    let open = |text| Hours::parse(text).is_some();
    assert!(open("00:00-24:00") && open("09:30-17:00"));
    let wrong = ["9:00-17:00", "09:00", "09:00-09:00", "09:60-10:00", "24:00-06:00", "00:00-25:00"];
    assert!(wrong.into_iter().all(|text| !open(text)));
    let left = leaving(&mut limits, late, 60);
    assert!(most(&left) <= 5);
}
