use std::os::unix::fs::PermissionsExt as _;

use super::*;

const NOW: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);

#[test]
fn a_token_opens_until_it_is_revoked_and_is_nowhere_in_the_file() {
    let data = tempfile::tempdir().unwrap();
    let tokens = Tokens::of(data.path());
    let eva = tokens.add("eva", Role::Operator, NOW).unwrap();
    let adam = tokens.add("adam", Role::Engineer, NOW).unwrap();
    assert_ne!(eva, adam);
    let bearer = tokens.bearer(&eva).unwrap().unwrap();
    assert_eq!((bearer.name.as_str(), bearer.role), ("eva", Role::Operator));
    let file = data.path().join("tokens.json");
    let kept = std::fs::read_to_string(&file).unwrap();
    assert!(!kept.contains(&eva) && !kept.contains(eva.trim_start_matches(PREFIX)));
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    tokens.revoke("eva").unwrap();
    assert!(tokens.bearer(&eva).unwrap().is_none());
    assert!(tokens.bearer(&adam).unwrap().is_some());
    assert!(tokens.revoke("eva").is_err());
}

#[test]
fn a_name_is_given_once_and_an_empty_token_is_nobodys() {
    let data = tempfile::tempdir().unwrap();
    let tokens = Tokens::of(data.path());
    assert!(tokens.bearer("").unwrap().is_none());
    tokens.add("eva", Role::Operator, NOW).unwrap();
    assert!(tokens.add("eva", Role::Engineer, NOW).is_err());
    for name in ["", "a\nb", "eva\u{1b}[2J"] {
        assert!(tokens.add(name, Role::Operator, NOW).is_err(), "{name:?}");
    }
}
