use super::{BUFFER_ROWS_MAX, Tail, TailSettings};

const Q: f64 = 3e-4;

fn settings() -> TailSettings {
    TailSettings { q: Q, correlation_rows: 39.0, row_minutes: 1.0 / 60.0 }
}

/// Quantiles of an exponential distribution in a mixed order: a clean score's typical shape.
fn clean(count: usize) -> impl Iterator<Item = f64> {
    (0..count).map(move |rank| {
        let mixed = (rank * 7_919) % count;
        2.0 - (1.0 - (crate::real(mixed) + 0.5) / crate::real(count)).ln()
    })
}

fn settled(count: usize) -> Tail {
    let mut tail = Tail::new(settings());
    clean(count).for_each(|score| tail.learn(score));
    assert!(tail.settle());
    tail
}

#[test]
fn nothing_is_improbable_before_calibration() {
    let mut tail = Tail::new(settings());
    clean(29).for_each(|score| tail.learn(score));
    assert!(!tail.settle());
    assert!((tail.p(1e9) - 1.0).abs() < 1e-12);
    assert_eq!(tail.limit(), None);
}

#[test]
fn probability_never_rises_with_the_score() {
    for count in [30, 600, 3_000] {
        let tail = settled(count);
        let p: Vec<f64> = (0..500).map(|i| tail.p(f64::from(i) * 0.1)).collect();
        assert!(p.is_sorted_by(|a, b| a >= b), "{count} rows");
        assert!(p.iter().all(|p| (0.0..=1.0).contains(p)));
    }
}

#[test]
fn the_limit_is_the_score_whose_probability_is_q() {
    for count in [30, 600, 3_000] {
        let tail = settled(count);
        let at_limit = tail.p(tail.limit().unwrap());
        assert!((at_limit / Q - 1.0).abs() < 1e-6, "{count} rows: {at_limit}");
    }
}

#[test]
fn fewer_clean_rows_make_a_more_cautious_limit() {
    let greatest = |count| clean(count).fold(0.0, f64::max);
    let caution = |count| settled(count).limit().unwrap() / greatest(count);
    assert!(caution(100) > caution(600) && caution(600) > caution(1_900));
    assert!(caution(1_900) > 1.0);
}

#[test]
fn a_heavier_tail_than_the_bound_is_seen_from_two_thousand_rows_on() {
    let heavy = |count: usize| clean(count).map(|score| (score - 2.0).exp());
    let mut tail = Tail::new(settings());
    heavy(3_000).for_each(|score| tail.learn(score));
    tail.settle();
    let tail_free = tail.pareto.unwrap();
    assert!(tail_free.shape > 0.3, "{tail_free:?}");
}

#[test]
fn the_limit_rises_by_at_most_a_twentieth_a_minute() {
    let mut tail = settled(600);
    let mut limit = tail.limit().unwrap();
    for _minute in 0..30 {
        (0..60).for_each(|_| tail.watch(limit * 0.99));
        let next = tail.limit().unwrap();
        assert!(next <= limit * 1.050_001, "{limit} {next}");
        limit = next;
    }
}

#[test]
fn an_unusual_score_does_not_raise_what_counts_as_greatest() {
    let mut tail = settled(600);
    let before = tail.limit().unwrap();
    (0..60).for_each(|_| tail.watch(1e6));
    assert!(tail.limit().unwrap() <= before * 1.000_001);
}

#[test]
fn the_buffer_forgets_the_oldest() {
    let mut tail = settled(BUFFER_ROWS_MAX);
    clean(BUFFER_ROWS_MAX).for_each(|score| tail.watch(score * 0.5));
    assert_eq!(tail.rows(), BUFFER_ROWS_MAX);
    assert!(tail.limit().unwrap() < settled(BUFFER_ROWS_MAX).limit().unwrap());
}

#[test]
fn scores_of_nothing_but_zero_do_not_divide_by_zero() {
    let mut tail = Tail::new(settings());
    (0..100).for_each(|_| tail.learn(0.0));
    assert!(tail.settle());
    assert!(tail.p(0.0).is_finite() && tail.p(1.0).is_finite());
}

#[test]
fn a_state_goes_on_exactly_and_a_spoilt_one_is_refused() {
    let mut tail = settled(3_000);
    (0..90).for_each(|i| tail.watch(3.0 + f64::from(i) * 0.01));
    assert_eq!(Tail::from_state(settings(), tail.to_state()).as_ref(), Some(&tail));
    let mut spoilt = tail.to_state();
    spoilt.sorted.reverse();
    assert_eq!(Tail::from_state(settings(), spoilt), None);
    let mut spoilt = tail.to_state();
    spoilt.kept[3] = f64::NAN;
    assert_eq!(Tail::from_state(settings(), spoilt), None);
}
