//! Rules that are stopped, killed and started again.

use proptest::prelude::*;

use super::*;

/// What is done, and the state it leads to.
type Step<'a> = (&'a dyn Fn(&Running), AlarmState);

#[test]
fn in_every_state_a_restart_goes_on_where_it_was() {
    let bench = Bench::new(&over_eight("[rule.alarm]\nlatched = true"));
    let steps: [Step<'_>; 5] = [
        (&|_| bench.add(0, &[Some(9.0)]), AlarmState::Unacknowledged),
        (&|_| bench.add(1, &[Some(6.0)]), AlarmState::LatchedUnacknowledged),
        (&|life| drop(life.order(Verb::Acknowledge, None).unwrap()), AlarmState::Latched),
        (&|_| bench.add(2, &[Some(9.0)]), AlarmState::Unacknowledged),
        (&|life| drop(life.order(Verb::Acknowledge, None).unwrap()), AlarmState::Acknowledged),
    ];
    // The first rules of a gateway begin with what comes.
    drop(bench.live());
    for (step, state) in steps {
        let life = bench.live();
        step(&life);
        life.until_state(state);
        drop(life);
        assert_eq!(bench.live().state(), state, "after a restart");
    }
    let raised = bench.said_kinds().iter().filter(|kind| *kind == "alarm_raised").count();
    assert_eq!(raised, 2);
}

#[test]
fn after_a_restart_an_alarm_still_says_what_it_is_about_since_when_and_who_saw_it() {
    let bench = Bench::new(&over_eight(ALARM));
    let life = bench.live();
    bench.add(5, &[Some(9.0)]);
    life.until_state(AlarmState::Unacknowledged);
    life.order(Verb::Acknowledge, Some("on my way")).unwrap();
    let before = life.board.standing("over").unwrap().life;
    drop(life);
    let after = bench.live().board.standing("over").unwrap().life;
    assert_eq!(after, before);
    assert_eq!(after.text.as_deref(), Some("Pressure too high (pressure 9)"));
    assert_eq!(after.raised_us, Some((BEGIN + 5) * 1_000_000));
    assert_eq!(after.comment.as_deref(), Some("on my way"));
}

#[test]
fn a_kill_before_the_checkpoint_writes_nothing_twice() {
    let bench = Bench::new(&over_eight(ALARM));
    drop(bench.live());
    let before = {
        let mut bytes = Vec::new();
        bench.disk.open(Path::new("/data/rules.json")).unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    };
    let life = bench.live();
    bench.add(0, &[Some(9.0), Some(6.0), Some(9.0)]);
    until("three are told", || bench.said().len() == 3);
    drop(life);
    // As if killed before anything of that life was saved.
    bench.disk.corrupt(Path::new("/data/rules.json"), |bytes| *bytes = before);
    let life = bench.live();
    bench.add(3, &[Some(6.0)]);
    until("the fourth is told", || bench.said().len() == 4);
    let kinds = ["alarm_raised", "alarm_returned", "alarm_raised", "alarm_returned"];
    assert_eq!(bench.said_kinds(), kinds);
    life.until_state(AlarmState::Returned);
}

#[test]
fn a_kill_soon_after_the_very_first_start_forgets_nothing() {
    let bench = Bench::new(&over_eight(ALARM));
    let life = bench.live();
    let mut first = Vec::new();
    bench.disk.open(Path::new("/data/rules.json")).unwrap().read_to_end(&mut first).unwrap();
    bench.add(0, &[Some(9.0)]);
    life.until_state(AlarmState::Unacknowledged);
    life.order(Verb::Acknowledge, None).unwrap();
    drop(life);
    bench.disk.corrupt(Path::new("/data/rules.json"), |bytes| *bytes = first);
    bench.live().until_state(AlarmState::Acknowledged);
    assert_eq!(bench.said_kinds(), ["alarm_raised", "alarm_acknowledged"]);
}

#[test]
fn a_damaged_memory_is_told_and_the_rules_begin_anew() {
    let bench = Bench::new(&over_eight(ALARM));
    let life = bench.live();
    bench.add(0, &[Some(9.0)]);
    life.until_state(AlarmState::Unacknowledged);
    drop(life);
    bench.disk.corrupt(Path::new("/data/rules.json"), |bytes| bytes.truncate(10));
    let life = bench.live();
    bench.add(1, &[Some(6.0), Some(9.0)]);
    life.until_state(AlarmState::Unacknowledged);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    /// However lives are cut, what is told is what one life would have told.
    #[test]
    fn however_often_it_is_stopped_the_same_is_told_once(
        pressures in prop::collection::vec(prop::option::of(5.0_f64..10.0), 1..40),
        cuts in prop::collection::hash_set(0_usize..40, 0..4),
    ) {
        let rules = over_eight(&format!("for = \"2 s\"\n{ALARM}"));
        let told = |cuts: &HashSet<usize>| {
            let bench = Bench::new(&rules);
            let mut life = bench.live();
            for (second, pressure) in pressures.iter().enumerate() {
                bench.add(i64::try_from(second).unwrap(), &[*pressure]);
                if cuts.contains(&second) {
                    drop(life);
                    life = bench.live();
                }
            }
            // Whatever came before is read when this one is.
            let end = i64::try_from(pressures.len()).unwrap();
            bench.add(end, &[Some(9.0)]);
            bench.add(end + 3, &[Some(9.0)]);
            bench.add(end + 4, &[Some(6.0)]);
            until("the last one is told", || bench.said().last().and_then(|(_, at)| *at) == Some(end + 4));
            drop(life);
            bench.said()
        };
        prop_assert_eq!(told(&HashSet::new()), told(&cuts));
    }
}
