use signals::{Contribution, Timestamp};

use super::{Change, Episodes, Evidence, top};

const Q: f64 = 1e-3;

fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(second * 1_000_000)
}

/// Feeds one letter a second: `u` unusual, `s` suspicious (below 10 q), `.` calm.
fn feed(episodes: &mut Episodes, from: i64, letters: &str) -> Vec<(i64, Change)> {
    let mut changes = Vec::new();
    for (second, letter) in (from..).zip(letters.chars()) {
        let (score, p) = match letter {
            'u' => (9.0, Q / 10.0),
            's' => (5.0, Q * 5.0),
            _ => (1.0, 0.5),
        };
        let parts: &[f64] = if letter == 'u' { &[0.0, 3.0] } else { &[1.0, 1.0] };
        let change = episodes.take(Evidence { ts: at(second), score, p, parts });
        if change != Change::None {
            changes.push((second, change));
        }
    }
    changes
}

#[test]
fn two_unusual_rows_in_five_are_no_episode() {
    assert_eq!(feed(&mut Episodes::new(Q), 0, "u...u...u...u...uu...uu..."), []);
}

#[test]
fn three_in_five_open_one_and_the_first_calm_row_closes_it() {
    let mut episodes = Episodes::new(Q);
    assert_eq!(feed(&mut episodes, 0, "..u.uussss"), [(5, Change::Opened)]);
    assert!(episodes.is_open());
    assert_eq!(feed(&mut episodes, 10, "u.uu"), [(11, Change::Closed)]);
    assert!(!episodes.is_open());
    assert_eq!(episodes.report().unwrap().closed, Some(at(11)));
}

#[test]
fn the_onset_is_the_first_row_that_did_not_calm_down_again() {
    let mut episodes = Episodes::new(Q);
    feed(&mut episodes, 0, "s..ssuuu");
    let episode = episodes.report().unwrap();
    assert_eq!((episode.onset, episode.opened), (at(3), at(7)));
    assert!((episode.peak - 9.0).abs() < 1e-12);
}

#[test]
fn one_that_opens_again_within_a_minute_is_the_same() {
    let mut episodes = Episodes::new(Q);
    feed(&mut episodes, 0, "uuu.");
    assert_eq!(feed(&mut episodes, 50, "uuu"), [(52, Change::Opened)]);
    assert_eq!(episodes.report().unwrap().onset, at(0));
    feed(&mut episodes, 53, ".");
    feed(&mut episodes, 120, "uuu");
    assert_eq!(episodes.report().unwrap().onset, at(120));
}

#[test]
fn who_makes_it_up_is_settled_after_a_minute() {
    let mut episodes = Episodes::new(Q);
    let changes = feed(&mut episodes, 0, &"u".repeat(200));
    assert_eq!(changes, [(2, Change::Opened), (62, Change::Described)]);
}

#[test]
fn rows_before_and_after_a_gap_do_not_count_together() {
    let mut episodes = Episodes::new(Q);
    feed(&mut episodes, 0, "uu");
    episodes.pause();
    assert_eq!(feed(&mut episodes, 100, "uu"), []);
}

#[test]
fn only_what_is_open_can_be_broken_off() {
    let mut episodes = Episodes::new(Q);
    assert!(!episodes.break_off(at(0)));
    feed(&mut episodes, 0, "uuu");
    assert!(episodes.break_off(at(2)));
    assert!(!episodes.break_off(at(3)));
}

#[test]
fn at_most_three_signals_are_named_and_none_without_a_part() {
    let describe = |place: usize, share: f64| {
        let signal = place.to_string();
        Some(Contribution { signal, share, value: 0.0, expected: 0.0, band: 1.0 })
    };
    let names = |parts: &[f64]| -> Vec<String> {
        top(parts, describe).into_iter().map(|part| part.signal).collect()
    };
    assert_eq!(names(&[1.0, 4.0, 2.0, 3.0]), ["1", "3", "2"]);
    assert_eq!(names(&[0.0, 4.0, 0.0]), ["1"]);
    assert!(names(&[0.0, 0.0]).is_empty());
}
