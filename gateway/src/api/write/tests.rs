use super::*;

#[test]
fn a_wish_is_read_strictly() {
    let read = |text: &str| serde_json::from_str::<Wish>(text);
    let wish = read(r#"{"path": "a/b", "value": 18446744073709551615}"#).unwrap();
    assert_eq!((wish.tag.as_str(), wish.value), ("a/b", Setting::Unsigned(u64::MAX)));
    assert_eq!(read(r#"{"tag": "a", "value": -1}"#).unwrap().value, Setting::Signed(-1));
    assert_eq!(read(r#"{"tag": "a", "value": 0.5}"#).unwrap().value, Setting::Real(0.5));
    assert_eq!(read(r#"{"tag": "a", "value": true}"#).unwrap().value, Setting::Bool(true));
    assert!(read(r#"{"tag": "a"}"#).is_err());
    assert!(read(r#"{"tag": "a", "value": null}"#).is_err());
    assert!(read(r#"{"tag": "a", "value": 1, "expect_old": 2}"#).is_err(), "a typo has an effect");
}
