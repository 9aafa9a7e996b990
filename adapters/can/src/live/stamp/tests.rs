use signals::ManualClock;

use super::*;

fn stamps(kernel: &[i64]) -> Vec<i64> {
    let mut stamper = Stamper::default();
    kernel.iter().map(|at| stamper.next(Timestamp::from_micros(*at)).micros()).collect()
}

#[test]
fn without_a_step_the_kernels_times_are_kept_and_a_step_forward_is_followed() {
    let times = [1_000_000, 1_000_001, 1_000_001, 2_000_000, 9_999_000_000];
    assert_eq!(stamps(&times), times);
}

#[test]
fn frames_that_change_places_take_the_later_time() {
    assert_eq!(stamps(&[5_000, 4_990, 5_001]), [5_000, 5_000, 5_001]);
}

#[test]
fn after_a_step_back_time_runs_at_half_speed_until_the_clock_has_caught_up() {
    let second = 1_000_000;
    let kernel = [100, 40, 42, 60, 140, 160, 161].map(|s| s * second);
    // 60 s behind at 40 s: half speed from 100 s on, caught up where 100 + (t - 40)/2 = t.
    let given = [100, 100, 101, 110, 150, 160, 161].map(|s| s * second);
    assert_eq!(stamps(&kernel), given);
}

#[test]
fn a_second_step_back_begins_anew_from_the_time_given_last() {
    let second = 1_000_000;
    let kernel = [100, 40, 60, 10, 20].map(|s| s * second);
    assert_eq!(stamps(&kernel), [100, 100, 110, 110, 115].map(|s| s * second));
}

#[test]
fn a_step_of_the_wall_clock_is_noticed_once_with_its_size() {
    let clock = ManualClock::new(Timestamp::from_micros(1_000_000_000));
    let mut watch = StepWatch::default();
    assert_eq!(watch.look(&clock), None);
    clock.advance(Duration::from_secs(5));
    assert_eq!(watch.look(&clock), None);
    clock.step_to(Timestamp::from_micros(5_000_000));
    assert_eq!(watch.look(&clock), Some(-1_000_000_000));
    clock.advance(Duration::from_secs(5));
    assert_eq!(watch.look(&clock), None);
}
