//! What plants do to every family of detectors, one test per misfortune.

use signals::{Detector as _, Timestamp};

use super::tests::{at, changed, episodes, machine, of_every_family, run, settings};
use super::{DetectorSettings, GroupDetector};
use crate::{Family, Row};

/// Rows of the machine with their times changed.
fn retimed(rows: Vec<Row>, time: impl Fn(i64) -> i64) -> Vec<Row> {
    rows.into_iter()
        .map(|row| Row { ts: Timestamp::from_micros(time(row.ts.micros())), ..row })
        .collect()
}

#[test]
fn windows_of_lagged_rows_do_not_bridge_a_gap() {
    for (family, mut detector) in of_every_family() {
        run(&mut detector, &changed(900, 40, |values| values[1] = values[1].map(|v| v + 0.4)));
        let scores = run(&mut detector, &machine(4_600, 60));
        let silent = scores.iter().take_while(|score| score.score.is_none()).count();
        let settling = detector.model().unwrap().settling_rows();
        assert_eq!(silent, settling, "{family:?}");
        let opened = episodes(&scores).into_iter().filter(|episode| episode.opened >= at(4_600));
        assert_eq!(opened.collect::<Vec<_>>(), [], "{family:?}");
    }
}

#[test]
fn a_change_of_unit_by_ten_opens_an_episode_that_names_the_signal() {
    for (family, mut detector) in of_every_family() {
        let tenfold = changed(900, 60, |values| values[2] = values[2].map(|v| v * 10.0));
        let found = episodes(&run(&mut detector, &tenfold));
        assert_eq!(found.first().map(|e| e.top[0].signal.as_str()), Some("temp"), "{family:?}");
    }
}

#[test]
fn a_sign_error_of_sixteen_bits_gives_finite_scores_and_one_episode() {
    for (family, mut detector) in of_every_family() {
        let jumped = changed(900, 100, |values| values[0] = values[0].map(|v| v - 65_536.0));
        let scores = run(&mut detector, &jumped);
        assert!(scores.iter().all(|score| score.score.unwrap().is_finite()), "{family:?}");
        let opened = episodes(&scores).iter().filter(|e| e.closed.is_none()).map(|e| e.onset).min();
        assert!(opened.is_some_and(|onset| onset <= at(905)), "{family:?}: {opened:?}");
    }
}

#[test]
fn a_saturated_sensor_opens_an_episode() {
    for (family, mut detector) in of_every_family() {
        let saturated = changed(900, 120, |values| values[1] = Some(27.0));
        assert!(!episodes(&run(&mut detector, &saturated)).is_empty(), "{family:?}");
    }
}

#[test]
fn a_clock_that_falls_to_1970_and_comes_back_gives_no_episode() {
    for (family, mut detector) in of_every_family() {
        let epoch = retimed(machine(900, 100), |micros| micros - 900_000_000);
        let mut scores = run(&mut detector, &epoch);
        scores.extend(run(&mut detector, &machine(1_000, 200)));
        assert_eq!(episodes(&scores), [], "{family:?}");
        assert!(scores.last().unwrap().score.is_some());
    }
}

#[test]
fn a_step_of_half_a_second_during_an_episode_leaves_it_one_episode() {
    for (family, mut detector) in of_every_family() {
        let fault = changed(900, 120, |values| values[2] = values[2].map(|v| v + 3.0));
        let stepped =
            retimed(fault, |micros| if micros < 960_000_000 { micros } else { micros - 500_000 });
        let scores = run(&mut detector, &stepped);
        let opened: std::collections::BTreeSet<Timestamp> =
            episodes(&scores).iter().map(|episode| episode.opened).collect();
        assert_eq!(opened.len(), 1, "{family:?}: {opened:?}");
        assert!(scores.last().unwrap().alarm, "{family:?}");
    }
}

#[test]
fn ten_rows_a_second_after_one_a_second_give_no_episode() {
    for (family, mut detector) in of_every_family() {
        let fast = retimed(machine(900, 1_200), |micros| 900_000_000 + (micros - 900_000_000) / 10);
        let scores = run(&mut detector, &fast);
        assert_eq!(episodes(&scores), [], "{family:?}");
    }
}

#[test]
fn numbers_too_small_for_a_float_are_no_movement() {
    let mut history = machine(0, 900);
    for (place, row) in history.iter_mut().enumerate() {
        row.values[0] = Some(if place % 2 == 0 { 1e-310 } else { 0.0 });
    }
    for family in Family::ALL {
        let settings = DetectorSettings { family, ..settings() };
        let mut detector = GroupDetector::fit_from(settings, &history).unwrap();
        let scores = run(&mut detector, &changed(900, 60, |values| values[0] = Some(5e-324)));
        assert!(scores.iter().all(|score| score.score.unwrap().is_finite()), "{family:?}");
        assert_eq!(episodes(&scores), [], "{family:?}");
    }
}

#[test]
fn a_fault_that_fills_most_of_the_history_gives_a_detector_with_finite_scores() {
    let mut history = machine(0, 300);
    history.extend(changed(300, 900, |values| values[2] = values[2].map(|v| v + 6.0)));
    for family in Family::ALL {
        let settings = DetectorSettings { family, ..settings() };
        let mut detector = GroupDetector::fit_from(settings, &history).unwrap();
        let scores = run(&mut detector, &machine(1_200, 120));
        assert!(scores.iter().all(|score| score.score.unwrap().is_finite()), "{family:?}");
    }
}

#[test]
fn every_family_watches_a_group_of_one_signal() {
    let only = |rows: Vec<Row>| -> Vec<Row> {
        rows.into_iter().map(|row| Row { values: row.values[2..].to_vec(), ..row }).collect()
    };
    for family in Family::ALL {
        let settings = DetectorSettings { family, signals: vec!["temp".to_owned()], ..settings() };
        let mut detector = GroupDetector::fit_from(settings, &only(machine(0, 900))).unwrap();
        assert_eq!(episodes(&run(&mut detector, &only(machine(900, 600)))), [], "{family:?}");
        let fault = only(changed(1_500, 60, |values| values[2] = values[2].map(|v| v + 3.0)));
        assert!(!episodes(&run(&mut detector, &fault)).is_empty(), "{family:?}");
    }
}

#[test]
fn a_fault_that_lasts_two_hours_is_not_learnt_as_normal_by_any_family() {
    for (family, mut detector) in of_every_family() {
        let fault = changed(900, 7_200, |values| values[2] = values[2].map(|v| v + 3.0));
        let during = run(&mut detector, &fault);
        assert!(during.iter().skip(120).all(|score| score.alarm), "{family:?}");
    }
}

#[test]
fn a_repeated_row_is_not_scored_by_any_family() {
    for (family, mut detector) in of_every_family() {
        let rows = machine(900, 20);
        run(&mut detector, &rows);
        let again = detector.score(rows[19].ts, &rows[19].values);
        assert_eq!(again.score, None, "{family:?}");
    }
}
