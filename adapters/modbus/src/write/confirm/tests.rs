use super::*;
use crate::write::command::{Origin, Setting};

fn command(who: &str, value: f64) -> Command {
    Command {
        path: "pump/setpoint".to_owned(),
        value: Setting::Real(value),
        who: who.to_owned(),
        origin: Origin::Local("here".to_owned()),
        expected_old: None,
        confirm_token: None,
        not_after: None,
    }
}

#[test]
fn a_token_is_good_for_its_tag_value_and_user_for_thirty_seconds_and_once() {
    let second = Duration::from_secs(1);
    let eva = command("eva", 1.0);
    let other_tag = Command { path: "pump/other".to_owned(), ..eva.clone() };
    for (redeemed, after, wanted) in [
        (eva.clone(), 29 * second, true),
        (eva.clone(), 30 * second, false),
        (command("eva", 1.1), second, false),
        (command("adam", 1.0), second, false),
        (other_tag, second, false),
    ] {
        let mut open = Confirmations::default();
        let token = open.issue(&eva, 7, Duration::ZERO).token;
        assert_eq!(open.redeem(&redeemed, &token, after), wanted, "{redeemed:?}");
        assert!(!open.redeem(&eva, &token, after), "a token is used up, right or wrong");
    }
}

#[test]
fn open_tokens_are_few_and_the_oldest_gives_way() {
    let mut open = Confirmations::default();
    let eva = command("eva", 1.0);
    let first = open.issue(&eva, 0, Duration::ZERO).token;
    for number in 1..=64 {
        open.issue(&eva, number, Duration::ZERO);
    }
    assert_eq!(open.open.len(), OPEN_MAX);
    assert!(!open.redeem(&eva, &first, Duration::ZERO));
}
