use super::*;

fn at(second: u64) -> (Timestamp, Duration) {
    let since = Duration::from_secs(second);
    (Timestamp::from_micros(1_800_000_000_000_000).plus(since), since)
}

/// A scan that misses a slot every `every` seconds for an hour: the gaps it tells, and the slots
/// that lie in none.
fn told(every: u64) -> (Vec<Gap>, usize) {
    let (mut absence, mut gaps, mut missed) = (Absence::default(), Vec::new(), Vec::new());
    absence.row(at(9).0, at(9).1);
    for second in 10..3_610 {
        let (wall, now) = at(second);
        if second % every == 0 {
            absence.pass(1);
            missed.push(wall);
        } else {
            absence.row(wall, now);
        }
        let is_last = second == 3_609;
        if is_last {
            absence.row(wall, now);
        }
        if let Some(gap) = absence.gap("t", now, is_last) {
            absence.told(now);
            gaps.push(gap);
        }
    }
    let is_told = |slot: &&Timestamp| {
        gaps.iter().any(|gap| gap.start <= Some(**slot) && Some(**slot) <= gap.end)
    };
    let untold = missed.iter().filter(|slot| !is_told(slot)).count();
    (gaps, untold)
}

#[test]
fn every_slot_that_passed_is_in_a_gap_and_a_line_that_misses_on_and_on_tells_few() {
    for (every, most) in [(2, 20), (3, 20), (7, 20), (60, 60), (1_000, 4)] {
        let (gaps, untold) = told(every);
        assert_eq!(untold, 0, "every {every} s");
        assert!((1..=most).contains(&gaps.len()), "every {every} s: {} gaps", gaps.len());
    }
}

#[test]
fn slots_are_told_as_a_gap_between_the_rows_around_them() {
    let mut absence = Absence::default();
    absence.row(at(11).0, at(11).1);
    assert_eq!(absence.gap("pump_1s", at(60).1, true), None, "nothing has passed");
    absence.pass(3);
    absence.row(at(15).0, at(15).1);
    assert_eq!(absence.gap("pump_1s", at(16).1, false), None, "more may come");
    let told = absence.gap("pump_1s", at(17).1, false).unwrap();
    assert_eq!((told.start, told.end), (Some(at(11).0), Some(at(15).0)));
    assert_eq!((told.cause, &*told.detail), (LINE_BUSY, "3 slots passed before the line was free"));
}
