use super::keeps_to_one_thread;

#[test]
fn only_the_number_one_keeps_candle_to_one_thread() {
    assert!(keeps_to_one_thread(Some("1")));
    for wrong in [None, Some(""), Some("2"), Some("one")] {
        assert!(!keeps_to_one_thread(wrong), "{wrong:?}");
    }
}
