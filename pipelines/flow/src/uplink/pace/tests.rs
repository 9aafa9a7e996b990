use super::*;

#[test]
fn a_bucket_gives_a_burst_of_one_second_and_then_its_rate() {
    let mut bucket = Bucket::new(Some(10));
    let mut taken_at =
        |now: Duration| std::iter::from_fn(|| bucket.take(now).then_some(())).count();
    assert_eq!(taken_at(Duration::ZERO), 10);
    assert_eq!(taken_at(Duration::from_millis(500)), 5);
    assert_eq!(taken_at(Duration::from_mins(1)), 10);
}

#[test]
fn without_a_rate_the_bucket_never_runs_dry() {
    let mut bucket = Bucket::new(None);
    assert!((0..1_000).all(|_| bucket.take(Duration::ZERO)));
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
