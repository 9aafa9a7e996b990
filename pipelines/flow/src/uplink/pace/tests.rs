use super::*;

#[test]
fn a_bucket_begins_empty_holds_a_tenth_of_a_second_and_never_gives_more_than_its_rate() {
    let mut bucket = Bucket::new(Some(100.0));
    let mut taken_at = |now: Duration| {
        let mut taken = 0;
        while bucket.has(1.0, now) {
            bucket.take(1.0);
            taken += 1;
        }
        taken
    };
    assert_eq!(taken_at(Duration::from_secs(9)), 0, "a new process has no burst");
    assert_eq!(taken_at(Duration::from_millis(9_040)), 3, "3.6 have come in");
    assert_eq!(taken_at(Duration::from_mins(1)), 10, "no more than it holds");
}

#[test]
fn without_a_rate_the_bucket_never_runs_dry() {
    let mut bucket = Bucket::new(None);
    for _ in 0..1_000 {
        assert!(bucket.has(1.0, Duration::ZERO));
        bucket.take(1.0);
    }
}

#[test]
fn pauses_double_up_to_their_limit_and_are_never_less_than_half() {
    let mut backoff = Backoff::new(Duration::from_millis(200), 7);
    let max = Duration::from_mins(1);
    for failure in 0..40_u32 {
        let full = Duration::from_millis(200 << failure.min(20)).min(max);
        let pause = backoff.pause(max);
        assert!(full / 2 <= pause && pause <= full, "failure {failure}: {pause:?} of {full:?}");
    }
    backoff.reset();
    assert!(backoff.pause(max) <= Duration::from_millis(200));
}

#[test]
fn gateways_with_other_seeds_do_not_come_back_together() {
    let pause = |seed| Backoff::new(Duration::from_secs(1), seed).pause(Duration::from_mins(1));
    assert_ne!(pause(1), pause(2));
    assert_eq!(pause(1), pause(1));
}
