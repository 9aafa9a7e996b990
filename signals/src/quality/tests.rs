use super::*;

#[test]
fn every_known_code_comes_back_as_the_same_reason() {
    let mut known = 0;
    for code in 0..=u16::MAX {
        if let Some(reason) = Reason::from_code(code) {
            assert_eq!(reason.code(), code);
            known += 1;
        }
    }
    assert!(known > 512, "exceptions and sentinels alone are 512 codes, found {known}");
}

#[test]
fn an_unknown_class_is_never_taken_for_good() {
    assert_eq!(QualityClass::from_code(77), QualityClass::Bad);
}

#[test]
fn the_worst_class_is_the_greatest() {
    assert!(QualityClass::Good < QualityClass::Uncertain);
    assert!(QualityClass::Uncertain < QualityClass::Bad);
}
