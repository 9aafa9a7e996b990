use super::*;

#[test]
fn an_instant_prints_as_rfc_3339() {
    assert_eq!(Timestamp::from_micros(0).to_string(), "1970-01-01T00:00:00.000000Z");
    assert_eq!(
        Timestamp::from_micros(1_635_188_455_910_900).to_string(),
        "2021-10-25T19:00:55.910900Z"
    );
    assert_eq!(Timestamp::from_micros(-1).to_string(), "1969-12-31T23:59:59.999999Z");
}

#[test]
fn leap_days_have_their_date() {
    assert_eq!(Timestamp::from_micros(1_709_164_800_000_000).date(), "2024-02-29");
    assert_eq!(Timestamp::from_micros(951_782_400_000_000).date(), "2000-02-29");
}

#[test]
fn floor_goes_down_before_the_epoch_too() {
    let minute = Duration::from_secs(60);
    assert_eq!(Timestamp::from_micros(61_000_000).floor(minute).micros(), 60_000_000);
    assert_eq!(Timestamp::from_micros(-1).floor(minute).micros(), -60_000_000);
}

#[test]
fn a_step_of_the_wall_clock_leaves_monotonic_time_alone() {
    let clock = ManualClock::new(Timestamp::from_micros(5));
    clock.advance(Duration::from_micros(7));
    clock.step_to(Timestamp::from_micros(1));
    assert_eq!(clock.now().micros(), 1);
    assert_eq!(clock.monotonic(), Duration::from_micros(7));
}

#[test]
fn what_is_printed_reads_back() {
    for micros in [0, -1, 1_635_188_455_910_900, 951_782_400_000_000, 4_102_444_799_999_999] {
        let at = Timestamp::from_micros(micros);
        assert_eq!(Timestamp::parse(&at.to_string()), Some(at));
    }
    for wrong in
        ["", "2026-10-25", "2026-13-01T00:00:00Z", "2026-10-25T25:00:00Z", "2026-10-25T00:00:00"]
    {
        assert_eq!(Timestamp::parse(wrong), None, "{wrong}");
    }
}
