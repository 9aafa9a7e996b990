use std::time::Duration;

use signals::{Detector as _, Episode, Score, Timestamp};

use super::{DetectorSettings, GroupDetector, LEARN_ROWS, State};
use crate::frame::FitError;
use crate::{Family, Row};

/// Small pseudo-random numbers about 0, the same in every run.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f64 {
        (0..4).map(|_| self.uniform()).sum::<f64>()
    }

    fn uniform(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        f64::from(u32::try_from(self.0 >> 32).unwrap()) / f64::from(u32::MAX) - 0.5
    }
}

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(second * 1_000_000)
}

/// `count` rows of a machine: load moves flow and power together, temperature goes its own way.
pub(super) fn machine(first: i64, count: i64) -> Vec<Row> {
    let mut noise = Noise(0x0139_408d_cbbf_7a44 ^ (first.unsigned_abs() << 20));
    (first..first + count)
        .map(|second| {
            let load = noise.next();
            let values = [40.0 + load, 12.0 + 3.0 * load + 0.1 * noise.next(), 60.0 + noise.next()];
            Row { ts: at(second), values: values.map(Some).to_vec() }
        })
        .collect()
}

fn settings_of(signals: &[&str]) -> DetectorSettings {
    DetectorSettings {
        name: "pump".to_owned(),
        family: Family::Ewma,
        signals: signals.iter().map(|path| (*path).to_owned()).collect(),
        budget_per_week: 3.0,
        period: Duration::from_secs(1),
    }
}

pub(super) fn settings() -> DetectorSettings {
    settings_of(&["flow", "power", "temp"])
}

fn watching() -> GroupDetector {
    GroupDetector::fit_from(settings(), &machine(0, 900)).unwrap()
}

/// A detector of each family that watches.
pub(super) fn of_every_family() -> impl Iterator<Item = (Family, GroupDetector)> {
    Family::ALL.into_iter().map(|family| {
        let settings = DetectorSettings { family, ..settings() };
        (family, GroupDetector::fit_from(settings, &machine(0, 900)).unwrap())
    })
}

pub(super) fn run(detector: &mut GroupDetector, rows: &[Row]) -> Vec<Score> {
    rows.iter().map(|row| detector.score(row.ts, &row.values)).collect()
}

pub(super) fn episodes(scores: &[Score]) -> Vec<Episode> {
    scores.iter().filter_map(|score| score.episode.clone()).collect()
}

/// The machine from second `from` on, with `change` made to the values of every row.
pub(super) fn changed(from: i64, count: i64, change: impl Fn(&mut Vec<Option<f64>>)) -> Vec<Row> {
    let mut rows = machine(from, count);
    for row in &mut rows {
        change(&mut row.values);
    }
    rows
}

#[test]
fn an_hour_without_a_fault_gives_no_episode() {
    for (family, mut detector) in of_every_family() {
        let scores = run(&mut detector, &machine(900, 3_600));
        assert_eq!(episodes(&scores), [], "{family:?}");
        assert!(scores.iter().all(|score| score.score.is_some() && score.p.unwrap() <= 1.0));
    }
}

#[test]
fn an_episode_opens_within_a_minute_of_a_fault_and_names_its_signal_first() {
    for (family, mut detector) in of_every_family() {
        run(&mut detector, &machine(900, 300));
        let fault = changed(1_200, 120, |values| values[2] = values[2].map(|v| v + 2.0));
        let found = episodes(&run(&mut detector, &fault));
        assert!(!found.is_empty(), "{family:?}");
        assert!(found[0].opened.since(at(1_200)) < Duration::from_mins(1), "{found:?}");
        assert_eq!(found[0].top[0].signal, "temp", "{family:?}");
        assert!((found[0].top[0].expected - 60.0).abs() < 2.0, "{family:?}: {found:?}");
        assert!(found[0].onset >= at(1_195) && found[0].onset <= found[0].opened);
    }
}

#[test]
fn a_broken_relation_is_found_though_each_signal_stays_in_its_band() {
    let mut detector = watching();
    let fault = changed(900, 300, |values| values[1] = values[1].map(|v| v + 1.0));
    let found = episodes(&run(&mut detector, &fault));
    assert!(found[0].top.iter().any(|part| part.signal == "power"), "{found:?}");
}

#[test]
fn an_episode_closes_once_after_the_fault_and_is_never_learnt_as_normal() {
    let mut detector = watching();
    let fault = changed(900, 3_600, |values| values[2] = values[2].map(|v| v + 3.0));
    let during = run(&mut detector, &fault);
    assert!(during.iter().skip(60).all(|score| score.alarm));
    let found = episodes(&run(&mut detector, &machine(4_500, 300)));
    assert_eq!(found.len(), 1);
    assert!(found[0].closed.unwrap().since(at(4_500)) < Duration::from_mins(3));
}

#[test]
fn scores_do_not_depend_on_what_comes_later() {
    let rows = changed(900, 400, |values| values[0] = values[0].map(|v| v + 1.0));
    for ((family, mut one), (_, mut other)) in of_every_family().zip(of_every_family()) {
        let whole = run(&mut one, &rows);
        assert_eq!(whole[..200], run(&mut other, &rows[..200]), "{family:?}");
    }
}

#[test]
fn a_detector_stored_midway_goes_on_as_if_it_had_not_been() {
    let rows = changed(900, 400, |values| values[2] = values[2].map(|v| v + 0.8));
    for ((family, mut straight), (_, mut first)) in of_every_family().zip(of_every_family()) {
        let whole = run(&mut straight, &rows);
        run(&mut first, &rows[..170]);
        let json = serde_json::to_string(&first.watch_state().unwrap()).unwrap();
        let state = serde_json::from_str(&json).unwrap();
        let model = first.model().unwrap().blank();
        let settings = first.settings().clone();
        let mut second = GroupDetector::from_stored(settings, model, state).unwrap();
        assert_eq!(run(&mut second, &rows[170..]), whole[170..], "{family:?}");
    }
}

#[test]
fn a_state_of_other_signals_or_another_clock_is_refused() {
    let detector = watching();
    let stored = || (detector.model().unwrap().clone(), detector.watch_state().unwrap());
    let (model, state) = stored();
    let other = settings_of(&["flow", "temp", "power"]);
    assert!(GroupDetector::from_stored(other, model, state).unwrap_err().contains("signals"));
    let (model, state) = stored();
    let slow = DetectorSettings { period: Duration::from_secs(10), ..settings() };
    assert!(GroupDetector::from_stored(slow, model, state).unwrap_err().contains("every"));
}

#[test]
fn a_learning_detector_watches_after_half_an_hour_as_one_fitted_from_history() {
    let mut learning = GroupDetector::learning(settings()).unwrap();
    let history = machine(0, i64::try_from(LEARN_ROWS).unwrap());
    assert!(run(&mut learning, &history).iter().all(|score| score.score.is_none()));
    assert_eq!(learning.state(), State::Watching);
    let mut fitted = GroupDetector::fit_from(settings(), &history).unwrap();
    let live = machine(1_800, 100);
    assert_eq!(run(&mut learning, &live), run(&mut fitted, &live));
}

#[test]
fn a_standstill_cannot_be_learnt_and_is_forgotten_when_the_machine_runs() {
    let mut detector = GroupDetector::learning(settings()).unwrap();
    let rows = i64::try_from(LEARN_ROWS).unwrap();
    let standing: Vec<Row> =
        (0..rows).map(|s| Row { ts: at(s), values: vec![Some(0.0); 3] }).collect();
    run(&mut detector, &standing);
    let State::Learning { complaint, .. } = detector.state() else { panic!("it learnt nothing") };
    assert_eq!(complaint, Some(FitError::NothingMoves { signals: 3 }));
    run(&mut detector, &machine(rows, 2 * rows));
    assert_eq!(detector.state(), State::Watching);
}

#[test]
fn a_repeated_row_does_not_undo_what_was_gathered() {
    let mut detector = GroupDetector::learning(settings()).unwrap();
    let rows = machine(0, 50);
    run(&mut detector, &rows);
    run(&mut detector, &rows[45..]);
    let State::Learning { rows, .. } = detector.state() else { panic!("50 rows are too few") };
    assert_eq!(rows, 50);
}

#[test]
fn nothing_is_scored_after_a_gap_until_the_state_has_settled() {
    let mut detector = watching();
    for (from, gap) in [(905, "5 s"), (4_600, "1 h"), (300_000, "3 days")] {
        let scores = run(&mut detector, &machine(from, 40));
        let silent = scores.iter().take_while(|score| score.score.is_none()).count();
        assert_eq!(silent, 20, "after {gap}");
        assert_eq!(episodes(&scores), []);
    }
}

#[test]
fn a_gap_of_three_seconds_is_bridged() {
    let mut detector = watching();
    assert!(run(&mut detector, &machine(902, 1))[0].score.is_some());
}

#[test]
fn a_long_gap_closes_an_open_episode_at_the_last_row_before_it() {
    let mut detector = watching();
    let fault = changed(900, 60, |values| values[2] = values[2].map(|v| v + 3.0));
    assert!(run(&mut detector, &fault).last().unwrap().alarm);
    let after = run(&mut detector, &machine(9_000, 5));
    assert_eq!(episodes(&after)[0].closed, Some(at(959)));
    assert!(!after[0].alarm);
}

#[test]
fn late_and_repeated_rows_are_not_scored_and_change_nothing() {
    let rows = machine(900, 100);
    let mut plain = watching();
    let expected = run(&mut plain, &rows);
    let mut disturbed = watching();
    run(&mut disturbed, &rows[..50]);
    assert!(run(&mut disturbed, &rows[47..50]).iter().all(|score| score.score.is_none()));
    assert_eq!(run(&mut disturbed, &rows[50..]), expected[50..]);
}

#[test]
fn a_clock_set_back_by_an_hour_costs_twenty_rows_not_an_hour() {
    let mut detector = watching();
    run(&mut detector, &machine(10_000, 100));
    let scores = run(&mut detector, &machine(6_400, 100));
    assert_eq!(scores.iter().filter(|score| score.score.is_none()).count(), 20);
}

#[test]
fn not_a_number_and_infinity_count_as_missing() {
    let with = |value| changed(900, 100, move |values| values[0] = value);
    let scores = |value| -> Vec<Vec<Score>> {
        of_every_family().map(|(_, mut detector)| run(&mut detector, &with(value))).collect()
    };
    let missing = scores(None);
    for wild in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(scores(Some(wild)), missing);
    }
    assert!(missing.iter().flatten().all(|score| score.score.unwrap().is_finite()));
    assert!(missing.iter().all(|scores| episodes(scores).is_empty()), "missing is not unusual");
}

#[test]
fn a_fault_is_found_though_another_signal_is_missing() {
    let fault = changed(900, 120, |values| {
        values[0] = None;
        values[2] = values[2].map(|v| v + 2.0);
    });
    for (family, mut detector) in of_every_family() {
        let found = episodes(&run(&mut detector, &fault));
        assert_eq!(found[0].top[0].signal, "temp", "{family:?}");
    }
}

#[test]
fn rows_without_most_of_their_signals_have_no_score_and_no_alarm() {
    let mut detector = watching();
    let empty = changed(900, 60, |values| values.fill(None));
    assert!(run(&mut detector, &empty).iter().all(|s| s.score.is_none() && !s.alarm));
    assert!(run(&mut detector, &machine(960, 1))[0].score.is_some());
}

#[test]
fn a_signal_that_stood_still_while_learning_and_then_moves_disturbs_nothing() {
    let still = |rows: Vec<Row>, value: f64| -> Vec<Row> {
        let widened = rows.into_iter().map(|mut row| {
            row.values.push(Some(value));
            row
        });
        widened.collect()
    };
    let four = settings_of(&["flow", "power", "temp", "still"]);
    let mut detector = GroupDetector::fit_from(four, &still(machine(0, 900), 7.0)).unwrap();
    let scores = run(&mut detector, &still(machine(900, 200), 9.0));
    assert_eq!(episodes(&scores), []);
    assert!(scores.iter().all(|s| s.top.iter().all(|part| part.signal != "still")));
}

#[test]
fn a_signal_that_moved_and_then_sticks_opens_an_episode() {
    let mut detector = watching();
    let stuck = changed(900, 300, |values| values[1] = Some(18.0));
    assert!(!episodes(&run(&mut detector, &stuck)).is_empty());
}

#[test]
fn a_group_of_one_signal_works() {
    let only = |rows: Vec<Row>| -> Vec<Row> {
        rows.into_iter().map(|row| Row { values: row.values[2..].to_vec(), ..row }).collect()
    };
    let mut detector =
        GroupDetector::fit_from(settings_of(&["temp"]), &only(machine(0, 900))).unwrap();
    assert_eq!(episodes(&run(&mut detector, &only(machine(900, 600)))), []);
    let fault = only(changed(1_500, 60, |values| values[2] = values[2].map(|v| v + 3.0)));
    assert!(!episodes(&run(&mut detector, &fault)).is_empty());
}

#[test]
fn a_counter_that_wraps_gives_a_finite_score() {
    let mut detector = watching();
    let wrapped = changed(900, 100, |values| values[0] = Some(-65_536.0));
    assert!(run(&mut detector, &wrapped).iter().all(|s| s.score.unwrap().is_finite()));
}

#[test]
fn too_little_history_is_refused_with_numbers() {
    let error = GroupDetector::fit_from(settings(), &machine(0, 2)).unwrap_err();
    assert_eq!(error, FitError::TooFewRows { rows: 0, usable: 0, needed: 60 });
    let error = GroupDetector::fit_split(settings(), &machine(0, 100), 90).unwrap_err();
    assert_eq!(error, FitError::TooFewRows { rows: 10, usable: 10, needed: 30 });
}

#[test]
fn a_smaller_budget_never_makes_a_row_unusual_sooner() {
    let with = |budget| {
        let settings = DetectorSettings { budget_per_week: budget, ..settings() };
        GroupDetector::fit_from(settings, &machine(0, 900)).unwrap().limit().unwrap()
    };
    assert!(with(0.1) > with(3.0) && with(3.0) > with(50.0));
}
