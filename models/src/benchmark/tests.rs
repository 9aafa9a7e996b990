use std::time::Duration;

use signals::Timestamp;

use super::{Recording, nab, onsets, skab, skab_greatest_distance, tep};
use crate::Family;

/// Three signals; those from `b` on jump while the rows are labelled.
fn recording(name: &str, rows: usize, faulty: std::ops::Range<usize>) -> Recording {
    let wander = |row: usize, factor: usize| crate::real(row * factor % 101) / 50.0;
    let at = |row: usize| if faulty.contains(&row) { 4.0 } else { 0.0 };
    let column = |factor: usize, shift: f64| {
        (0..rows).map(|row| Some(wander(row, factor) + shift * at(row))).collect()
    };
    let second = |row| Timestamp::default().plus(Duration::from_secs(row));
    Recording {
        name: name.to_owned(),
        ts: (0..rows as u64).map(second).collect(),
        names: ["a", "b", "c"].map(str::to_owned).to_vec(),
        columns: vec![column(7_919, 0.0), column(104_729, 1.0), column(7_907, 0.0)],
        labels: (0..rows).map(|row| faulty.contains(&row)).collect(),
    }
}

#[test]
fn a_plain_fault_is_found_by_every_family_and_by_the_greatest_distance() {
    let recordings = [recording("x", 1_000, 700..800), recording("y", 900, 600..750)];
    for family in Family::ALL {
        let found = skab(family, &recordings).unwrap();
        assert_eq!((found.events.events, found.events.hits), (2, 2), "{family:?}: {found:?}");
        assert!(found.vus_pr > 0.8 && found.points.missed_percent() < 60.0, "{found:?}");
    }
    assert!(skab_greatest_distance(&recordings).vus_pr > 0.8);
}

#[test]
fn a_fault_after_another_normal_run_names_its_signal_first() {
    let normal = recording("train_normal", 500, 0..0);
    let found =
        tep(Family::Combined, &normal, &[recording("test_fault04", 400, 160..400)]).unwrap();
    assert_eq!(found[0].top[0], "b", "{found:?}");
    assert!(found[0].missed_percent < 20.0, "{found:?}");
}

#[test]
fn a_series_that_never_moves_says_nothing_and_spoils_nothing() {
    let mut flat = recording("flat", 1_000, 0..0);
    flat.columns = vec![vec![Some(1.0); 1_000]; 3];
    let jump = recording("jump", 1_000, 600..700);
    let alone = nab(Family::Ewma, std::slice::from_ref(&jump)).unwrap();
    let both = nab(Family::Ewma, &[jump, flat]).unwrap();
    assert!(alone.standard.unwrap() > 80.0, "{alone:?}");
    assert_eq!(alone, both);
}

#[test]
fn an_episode_is_one_detection() {
    let found = onsets(&[0.0, 2.0, 2.0, 3.0, 1.0, 2.5], 2);
    let wanted = [0.0, 2.0, 0.0, 3.0, 0.0, 0.0];
    assert!(found.iter().zip(wanted).all(|(a, b)| a.total_cmp(&b).is_eq()), "{found:?}");
}
