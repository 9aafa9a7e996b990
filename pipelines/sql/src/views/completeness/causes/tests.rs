use proptest::prelude::*;

use super::*;

fn told(cause: &str, start: i64, end: i64) -> Told {
    Told::new("pump_1s", (start, end), cause, "")
}

fn cut(gaps: &[Told], slack: i64) -> Vec<(i64, i64, Option<String>)> {
    let causes = Causes::of(gaps.iter(), slack);
    let name = |told: &Told| told.cause.to_string();
    causes.cut(0, 100).iter().map(|s| (s.from, s.to, s.told.map(name))).collect()
}

#[test]
fn where_gaps_overlap_the_one_that_came_first_on_the_way_is_the_cause() {
    let gaps = [told("evicted", 10, 59), told("gateway_off", 40, 49)];
    let some = |cause: &str| Some(cause.to_owned());
    let wanted = [
        (0, 10, None),
        (10, 40, some("evicted")),
        (40, 50, some("gateway_off")),
        (50, 60, some("evicted")),
        (60, 100, None),
    ];
    assert_eq!(cut(&gaps, 0), wanted);
}

#[test]
fn a_gap_is_about_the_tables_it_names() {
    let about = |name: &str| Told::new(name, (0, 1), "x", "");
    assert!(about("*").is_about("pump_1s") && about("pump_1s").is_about("pump_1s"));
    assert!(about("truck_*").is_about("truck_eec1") && !about("truck_*").is_about("pump_1s"));
    assert!(!about("pump_1").is_about("pump_1s"));
}

proptest! {
    /// Each moment has the cause of lowest rank among the gaps it lies in, and stands once.
    #[test]
    fn every_moment_has_one_cause(
        gaps in prop::collection::vec((0_usize..5, -20_i64..120, 0_i64..60), 0..12),
        slack in 0_i64..5,
    ) {
        const CAUSES: [&str; 5] = ["evicted", "gateway_off", "line_busy", "reload", "overload"];
        let gaps: Vec<Told> =
            gaps.iter().map(|(cause, at, long)| told(CAUSES[*cause], *at, at + long)).collect();
        let stretches = cut(&gaps, slack);
        for moment in 0..100_i64 {
            let own: Vec<_> =
                stretches.iter().filter(|(from, to, _)| (*from..*to).contains(&moment)).collect();
            prop_assert_eq!(own.len(), 1);
            let around = gaps.iter().filter(|t| (t.start - slack..=t.end + slack).contains(&moment));
            let wanted = around.min_by_key(|told| told.rank()).map(|told| told.cause.to_string());
            prop_assert_eq!(&own[0].2, &wanted);
        }
    }
}
