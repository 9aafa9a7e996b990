use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn files(text: &str) -> Vec<ConfigText> {
    vec![ConfigText { name: "gateway.toml".to_owned(), text: text.to_owned() }]
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(second * 1_000_000)
}

#[test]
fn a_configuration_is_kept_once_and_for_its_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let kept = Revisions::of(folder.path());
    assert_eq!(kept.numbers().unwrap(), Vec::<u64>::new());
    assert_eq!(kept.keep(&files("a"), (Occasion::Start, at(1))).unwrap(), 1);
    assert_eq!(kept.keep(&files("a"), (Occasion::Start, at(2))).unwrap(), 1, "the same");
    assert_eq!(kept.keep(&files("b"), (Occasion::Reload, at(3))).unwrap(), 2);
    assert_eq!(kept.keep(&files("a"), (Occasion::Reload, at(4))).unwrap(), 3, "back is a change");
    let second = kept.read(2).unwrap().unwrap();
    let wanted = (at(3), Occasion::Reload, files("b"));
    assert_eq!((second.at, second.occasion, second.files), wanted);
    assert_eq!(kept.read(4).unwrap(), None);
    let mode = std::fs::metadata(kept.path(2)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn the_oldest_goes_and_its_number_is_not_given_again() {
    let folder = tempfile::tempdir().unwrap();
    let kept = Revisions::of(folder.path());
    for number in 1..=105 {
        let given = kept.keep(&files(&number.to_string()), (Occasion::Reload, at(0))).unwrap();
        assert_eq!(given, number);
    }
    let numbers = kept.numbers().unwrap();
    assert_eq!((numbers.len(), numbers[0], numbers[KEPT_MAX - 1]), (KEPT_MAX, 6, 105));
}

#[test]
fn a_damaged_revision_is_told_and_does_not_keep_the_next_from_being_kept() {
    let folder = tempfile::tempdir().unwrap();
    let kept = Revisions::of(folder.path());
    kept.keep(&files("speed = 1"), (Occasion::Start, at(1))).unwrap();
    let whole = std::fs::read_to_string(kept.path(1)).unwrap();
    std::fs::write(kept.path(1), whole.replace("speed = 1", "speed = 2")).unwrap();
    assert_eq!(kept.read(1).unwrap_err().kind(), io::ErrorKind::InvalidData);
    std::fs::write(kept.path(1), &whole.as_bytes()[..20]).unwrap();
    assert!(kept.read(1).is_err());
    assert_eq!(kept.keep(&files("speed = 1"), (Occasion::Start, at(2))).unwrap(), 2);
}
