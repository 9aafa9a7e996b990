use std::time::Duration;

use signals::Range;

use super::*;
use crate::area::Address;
use crate::decode::{Format, RegisterType, Scale};
use crate::scan::Point;
use crate::write::rule::WriteRule;

fn tag(area: Area, format: Format, rule: WriteRule) -> WritableTag {
    let point = point(area, 0, format);
    let timeout = Duration::from_millis(100);
    WritableTag { path: "pump/setpoint".to_owned(), unit: 1, point, timeout, rule }
}

fn point(area: Area, offset: u16, format: Format) -> Point {
    Point::new(Address { area, offset }, format)
}

/// Name of the refusal of a value, or `ok`.
fn check(tag: &WritableTag, value: &Setting) -> &'static str {
    admit(tag, value).map_or_else(|refusal| refusal.code(), |_| "ok")
}

fn tenths(rule: WriteRule) -> WritableTag {
    let scale = Some(Scale::new(0.1, 0.0));
    tag(Area::Holding, Format { scale, ..Format::new(RegisterType::I16) }, rule)
}

#[test]
fn limits_hold_for_the_value_asked_for_and_for_what_rounding_makes_of_it() {
    let rule = WriteRule { min: Some(-1.0), max: Some(10.05), ..WriteRule::default() };
    let tag = tenths(rule);
    let cases = [
        (10.0, "ok"),
        (-1.0, "ok"),
        (-1.01, "below_min"),
        // 10.05 is allowed, but 100.5 counts become 101: 10.1.
        (10.05, "above_max"),
        (10.1, "above_max"),
        (f64::NAN, "type"),
        (f64::INFINITY, "type"),
        (4000.0, "type"),
    ];
    for (value, wanted) in cases {
        assert_eq!(check(&tag, &Setting::Real(value)), wanted, "{value}");
    }
    assert_eq!(check(&tag, &Setting::Text("10".to_owned())), "type");
    assert_eq!(check(&tag, &Setting::Bool(true)), "type");
}

#[test]
fn only_listed_values_pass_where_there_is_a_list() {
    let rule = WriteRule { values: vec![0.0, 2.5], ..WriteRule::default() };
    let tag = tenths(rule);
    for (value, wanted) in [(2.5, "ok"), (0.0, "ok"), (2.4, "not_among_values")] {
        assert_eq!(check(&tag, &Setting::Real(value)), wanted, "{value}");
    }
}

#[test]
fn areas_that_cannot_be_written_are_never_written() {
    let bit = || Format::new(RegisterType::Bool);
    let cases = [(Area::Coil, "ok"), (Area::Discrete, "not_writable")];
    for (area, wanted) in cases {
        let tag = tag(area, bit(), WriteRule::default());
        assert_eq!(check(&tag, &Setting::Bool(true)), wanted, "{area:?}");
    }
    let tag = tag(Area::Input, Format::new(RegisterType::U16), WriteRule::default());
    assert_eq!(check(&tag, &Setting::Signed(1)), "not_writable");
}

#[test]
fn a_broadcast_needs_its_flag_and_no_answer() {
    let number = Setting::Signed(1);
    let mut tag = tag(Area::Holding, Format::new(RegisterType::U16), WriteRule::default());
    tag.unit = 0;
    assert_eq!(check(&tag, &number), "broadcast");
    tag.rule.broadcast = true;
    assert_eq!(check(&tag, &number), "ok");
    tag.rule.step_max = Some(1.0);
    assert_eq!(check(&tag, &number), "broadcast");
}

#[test]
fn a_step_is_measured_in_engineering_units_and_rounding_is_no_step() {
    let rule = WriteRule { step_max: Some(0.1), ..WriteRule::default() };
    let tag = tenths(rule);
    let step = |old: u16, new: f64| {
        let coded = admit(&tag, &Setting::Real(new)).unwrap();
        against_old(&tag, &coded, Ok(&[old]), None).map_err(|refusal| refusal.code())
    };
    assert_eq!(step(2, 0.3), Ok(()));
    assert_eq!(step(102, 10.3), Ok(()));
    assert_eq!(step(102, 10.4), Err("step"));
    let coded = admit(&tag, &Setting::Real(0.1)).unwrap();
    let unread = against_old(&tag, &coded, Err("no answer".to_owned()), None);
    assert_eq!(unread.unwrap_err().code(), "old_unknown");
}

#[test]
fn an_interlock_of_doubtful_quality_does_not_hold() {
    let mut format = Format::new(RegisterType::U16);
    format.range = Some((Range { low: 0.0, high: 1.0 }, crate::decode::Outside::Uncertain));
    let interlock = Interlock {
        path: "pump/remote".to_owned(),
        unit: 1,
        point: point(Area::Holding, 1, format),
        timeout: Duration::from_millis(100),
    };
    assert!(unlocked(&interlock, Ok(&[1])).is_ok());
    assert!(unlocked(&interlock, Ok(&[0])).is_err());
    assert!(unlocked(&interlock, Ok(&[7])).is_err(), "out of its range: uncertain");
    assert!(unlocked(&interlock, Err("no answer".to_owned())).is_err());
}
