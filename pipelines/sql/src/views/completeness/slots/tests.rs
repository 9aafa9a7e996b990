use proptest::prelude::*;

use super::*;

const PERIOD: i64 = 1_000;

fn holes(batches: &[&[i64]], (begin, end): (i64, i64)) -> Vec<(i64, i64, i64)> {
    let mut islands = Islands::new(PERIOD);
    for times in batches {
        islands.add(times);
    }
    let holes = islands.holes(begin, end);
    holes.iter().map(|hole| (hole.after, hole.before, hole.missing)).collect()
}

#[test]
fn rows_on_the_grid_have_no_hole_in_whatever_order_their_batches_come() {
    let (one, other) = ([0, 1_000, 2_001], [2_999, 4_000, 5_000]);
    assert_eq!(holes(&[&one, &other], (0, 5_500)), []);
    assert_eq!(holes(&[&other, &one], (0, 5_500)), []);
}

#[test]
fn a_hole_has_the_slots_between_its_neighbours() {
    assert_eq!(holes(&[&[0, 1_000, 4_010, 5_000]], (0, 5_900)), [(1_000, 4_010, 2)]);
    assert_eq!(holes(&[&[0, 1_000], &[4_010, 5_000]], (0, 5_900)), [(1_000, 4_010, 2)]);
}

#[test]
fn what_is_missing_before_the_first_row_and_behind_the_last_is_a_hole_too() {
    assert_eq!(holes(&[&[3_000]], (0, 6_500)), [(-1_000, 3_000, 3), (3_000, 7_000, 3)]);
    let hole = Hole::all(0, 3_500, PERIOD);
    assert_eq!((hole.missing, hole.within(0, 1_000), hole.within(0, 1_001)), (4, 1, 2));
    assert_eq!(Hole::all(0, 3_000, PERIOD).missing, 3, "one at the end is not before it");
}

#[test]
fn a_row_that_is_late_by_most_of_a_period_is_no_hole_when_the_next_is_on_time() {
    let times = [0, 1_000, 2_900, 3_000, 4_000, 5_900, 6_100, 7_000, 9_000];
    assert_eq!(holes(&[&times], (0, 9_000)), [(7_000, 9_000, 1)]);
}

#[test]
fn a_grid_that_drifts_loses_no_slot_and_has_none_too_many() {
    let times: Vec<i64> = (0..10_000).map(|slot| slot * 1_003).collect();
    assert_eq!(holes(&[&times], (0, 0)), []);
}

proptest! {
    /// Of a hole the slots of any parts are those of the whole.
    #[test]
    fn slots_of_a_cut_hole_are_those_of_the_whole(
        after in -10_000_i64..10_000, missing in 1_i64..50, stretch in 1_i64..5_000, cut in -20_000_i64..260_000,
    ) {
        let hole = Hole { after, before: after + (missing + 1) * stretch, missing };
        prop_assert_eq!(hole.within(i64::MIN / 2, cut) + hole.within(cut, i64::MAX / 2), missing);
        let slots = (1..=missing).filter(|slot| after + slot * stretch < cut).count();
        prop_assert_eq!(hole.within(i64::MIN / 2, cut), i64::try_from(slots).unwrap());
    }

    /// Slots of which some have a row, a little late each: those without one are missing.
    #[test]
    fn every_slot_without_a_row_is_missing_and_no_other(
        slots in prop::collection::vec((any::<bool>(), 0_i64..400), 2..300),
        batch in 1_usize..100,
    ) {
        let rows: Vec<i64> = (0..).zip(&slots)
            .filter(|(_, (is_there, _))| *is_there)
            .map(|(slot, (_, late))| slot * PERIOD + late)
            .collect();
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(()) };
        let mut islands = Islands::new(PERIOD);
        rows.chunks(batch).for_each(|times| islands.add(times));
        let found: i64 = islands.holes(*first, *last).iter().map(|h| h.missing).sum();
        let between = last.div_euclid(PERIOD) - first.div_euclid(PERIOD) + 1;
        prop_assert_eq!(found, between - i64::try_from(rows.len()).unwrap());
    }
}
