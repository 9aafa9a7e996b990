//! Rules that change while they run.

use super::*;

const OTHER: &str = "[[rule]]\nname = \"under\"\nsql = \"SELECT pressure FROM 'hall/pump' \
                     WHERE pressure < 2\"\n[rule.alarm]\n";

#[test]
fn a_rule_that_says_the_same_goes_on_and_keeps_its_alarm_and_a_new_one_begins_with_what_comes() {
    let bench = Bench::new(&over_eight(&format!("for = \"2 s\"\n{ALARM}")));
    let life = bench.live();
    bench.add(0, &[Some(1.0), Some(9.0), Some(9.0)]);
    bench.caught_up(&life);
    let same = over_eight(&format!("for = \"2 s\"\n{ALARM}"));
    let changes = life.rules.turn_to(&plant(&format!("{same}{OTHER}")));
    assert_eq!(changes, RuleChanges { added: vec!["under".to_owned()], ..RuleChanges::default() });
    until("the board has both", || life.board.standings().len() == 2);
    // The two seconds of the first rule had begun before; the 1.0 of second 0 was before the other.
    bench.add(3, &[Some(9.0)]);
    life.until_state(AlarmState::Unacknowledged);
    assert_eq!(bench.said(), [("alarm_raised".to_owned(), Some(3))]);
    bench.add(4, &[Some(1.0)]);
    until("both are told", || bench.said().len() == 3);
    assert_eq!(life.board.standing("under").unwrap().life.stands.state, AlarmState::Unacknowledged);
}

#[test]
fn other_words_to_an_operator_take_effect_and_the_alarm_stays_as_it_is() {
    let bench = Bench::new(&over_eight(ALARM));
    let life = bench.live();
    bench.add(0, &[Some(9.0)]);
    life.until_state(AlarmState::Unacknowledged);
    life.order(Verb::Acknowledge, None).unwrap();
    let critical = ALARM.replace("high", "critical");
    let changes = life.rules.turn_to(&plant(&over_eight(&critical)));
    assert_eq!(changes.changed, ["over"]);
    until("the priority is another one", || {
        life.board.standing("over").unwrap().says.priority == crate::config::Priority::Critical
    });
    assert_eq!(life.state(), AlarmState::Acknowledged);
    assert_eq!(bench.said_kinds(), ["alarm_raised", "alarm_acknowledged"]);
}

#[test]
fn an_alarm_whose_condition_is_another_one_now_has_returned_and_is_raised_by_the_new_one() {
    let bench = Bench::new(&over_eight(ALARM));
    let life = bench.live();
    bench.add(0, &[Some(9.0)]);
    life.until_state(AlarmState::Unacknowledged);
    life.rules.turn_to(&plant(&over_eight(ALARM).replace("> 8", "> 12")));
    life.until_state(AlarmState::Returned);
    bench.add(1, &[Some(9.0), Some(13.0)]);
    life.until_state(AlarmState::Unacknowledged);
    let kinds = ["alarm_raised", "alarm_returned", "alarm_raised"];
    assert_eq!(bench.said_kinds(), kinds);
}

#[test]
fn an_alarm_whose_rule_is_gone_has_returned_once_whether_it_goes_while_running_or_at_a_start() {
    for is_running in [true, false] {
        let mut bench = Bench::new(&over_eight(ALARM));
        let life = bench.live();
        bench.add(0, &[Some(9.0)]);
        life.until_state(AlarmState::Unacknowledged);
        if is_running {
            assert_eq!(life.rules.turn_to(&[]).removed, ["over"]);
            until("the board is empty", || life.board.standings().is_empty());
        }
        drop(life);
        bench.rules = Vec::new();
        drop(bench.live());
        until("it is told", || bench.said().len() == 2);
        assert!(bench.live().board.standings().is_empty());
        assert_eq!(bench.said_kinds(), ["alarm_raised", "alarm_returned"], "{is_running}");
    }
}

#[test]
fn the_first_rule_of_a_gateway_may_come_while_it_runs_and_holds_after_a_restart() {
    let mut bench = Bench::new("");
    let life = bench.live();
    bench.add(0, &[Some(9.0)]);
    bench.caught_up(&life);
    bench.rules = plant(&over_eight(ALARM));
    life.rules.turn_to(&bench.rules);
    until("the board has it", || life.board.standings().len() == 1);
    assert!(bench.said().is_empty(), "what was before it is not its business");
    bench.add(1, &[Some(9.0)]);
    life.until_state(AlarmState::Unacknowledged);
    drop(life);
    assert_eq!(bench.live().state(), AlarmState::Unacknowledged);
}

#[test]
fn silence_goes_on_counting_while_other_rules_change() {
    let silent = "[[rule]]\nname = \"over\"\n\
                  sql = \"SELECT age(pressure) AS age FROM 'hall/pump' WHERE age(pressure) > 5\"\n\
                  [rule.alarm]\n";
    let bench = Bench::new(silent);
    let life = bench.live();
    bench.add(0, &[Some(7.5)]);
    bench.caught_up(&life);
    bench.clock.advance(Duration::from_secs(4));
    life.rules.turn_to(&plant(&format!("{silent}{OTHER}")));
    until("the board has both", || life.board.standings().len() == 2);
    let asked = life.board.counts().0;
    bench.clock.advance(Duration::from_secs(1));
    until("it is asked as it is now", || life.board.counts().0 > asked);
    bench.clock.advance(Duration::from_secs(2));
    life.until_state(AlarmState::Unacknowledged);
}
