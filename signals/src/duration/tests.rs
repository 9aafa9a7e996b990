use super::*;

#[test]
fn durations_read_with_and_without_a_space() {
    assert_eq!(parse("1 s").unwrap(), Duration::from_secs(1));
    assert_eq!(parse("250ms").unwrap(), Duration::from_millis(250));
    assert_eq!(parse("1.5 min").unwrap(), Duration::from_secs(90));
}

#[test]
fn a_number_without_a_unit_is_refused_with_a_remedy() {
    assert!(parse("500").unwrap_err().contains("`500 s`"));
    assert!(parse("5 sec").unwrap_err().contains("use us, ms, s, min, h or d"));
    assert!(parse("soon").is_err());
}

#[test]
fn what_is_shown_reads_back() {
    for span in [1u64, 999, 1_000, 61_000_000, 3_600_000_000, 0] {
        let span = Duration::from_micros(span);
        assert_eq!(parse(&show(span)).unwrap(), span);
    }
}

#[test]
fn a_span_beyond_all_bounds_is_refused_not_a_crash() {
    assert!(parse("99999999999999999999999 d").unwrap_err().contains("longer than can be"));
}
