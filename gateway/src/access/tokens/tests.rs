use std::os::unix::fs::PermissionsExt as _;

use super::*;

const NOW: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);

#[test]
fn a_token_opens_until_it_is_revoked_and_is_nowhere_in_the_file() {
    let data = tempfile::tempdir().unwrap();
    let tokens = Tokens::of(data.path());
    let eva = tokens.add("eva", Role::Operator, (NOW, None)).unwrap();
    let adam = tokens.add("adam", Role::Engineer, (NOW, None)).unwrap();
    assert_ne!(eva, adam);
    let bearer = tokens.bearer(&eva, NOW).unwrap().unwrap();
    assert_eq!((bearer.name.as_str(), bearer.role), ("eva", Role::Operator));
    let file = data.path().join("tokens.json");
    let kept = std::fs::read_to_string(&file).unwrap();
    assert!(!kept.contains(&eva) && !kept.contains(eva.trim_start_matches(PREFIX)));
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    tokens.revoke("eva").unwrap();
    assert!(tokens.bearer(&eva, NOW).unwrap().is_none());
    assert!(tokens.bearer(&adam, NOW).unwrap().is_some());
    assert!(tokens.revoke("eva").is_err());
}

#[test]
fn a_name_is_given_once_and_an_empty_token_is_nobodys() {
    let data = tempfile::tempdir().unwrap();
    let tokens = Tokens::of(data.path());
    assert!(tokens.bearer("", NOW).unwrap().is_none());
    tokens.add("eva", Role::Operator, (NOW, None)).unwrap();
    assert!(tokens.add("eva", Role::Engineer, (NOW, None)).is_err());
    for name in ["", "a\nb", "eva\u{1b}[2J"] {
        assert!(tokens.add(name, Role::Operator, (NOW, None)).is_err(), "{name:?}");
    }
}

#[test]
fn a_token_may_end_by_itself() {
    let data = tempfile::tempdir().unwrap();
    let tokens = Tokens::of(data.path());
    let day = NOW.plus(std::time::Duration::from_hours(24));
    let eva = tokens.add("eva", Role::Viewer, (NOW, Some(day))).unwrap();
    assert!(tokens.bearer(&eva, NOW).unwrap().is_some());
    assert!(tokens.bearer(&eva, day).unwrap().is_none());
    assert_eq!(tokens.list().unwrap().len(), 1, "it is still shown");
}

#[test]
fn a_change_by_another_process_counts_at_once() {
    let data = tempfile::tempdir().unwrap();
    let (running, command) = (Tokens::of(data.path()), Tokens::of(data.path()));
    let eva = command.add("eva", Role::Viewer, (NOW, None)).unwrap();
    assert!(running.bearer(&eva, NOW).unwrap().is_some());
    command.revoke("eva").unwrap();
    assert!(running.bearer(&eva, NOW).unwrap().is_none());
}
