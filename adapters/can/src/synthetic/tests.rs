use signals::ClockState;

use super::*;
use crate::dbc::Database;
use crate::decode::{Decoder, Outcome};
use crate::plan::Matching;
use crate::source::Source;
use crate::tables::Naming;

fn plan(name: &str) -> Arc<DecodePlan> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/cases/can/dbc/");
    let database = Database::load(&Source::File(format!("{folder}{name}").into())).unwrap();
    Arc::new(DecodePlan::new(&[database], Matching::Auto, |_, _| true))
}

/// The first frames of a database.
fn frames(plan: &Arc<DecodePlan>, count: usize) -> Vec<Frame> {
    let mut source = Synthetic::new(plan);
    let mut frame = Frame::default();
    (0..count)
        .map(|_| {
            assert!(source.next(&mut frame).unwrap());
            frame.clone()
        })
        .collect()
}

#[test]
fn every_message_of_a_database_comes_decodes_whole_and_in_the_order_of_time() {
    for name in ["j1939_common.dbc", "cantools-vehicle.dbc", "opendbc-hyundai_canfd.dbc"] {
        let plan = plan(name);
        let frames = frames(&plan, 20_000);
        assert!(frames.is_sorted_by_key(|frame| frame.ts), "{name}");
        assert_eq!(frames, self::frames(&plan, 20_000), "{name}");
        let naming = Naming { bus: "x".to_owned(), path: "x".to_owned() };
        let mut decoder = Decoder::new(Arc::clone(&plan), &naming).unwrap();
        let mut seen = vec![false; plan.messages().len()];
        for frame in &frames {
            match decoder.push(frame, frame.ts, ClockState::Synced) {
                Outcome::Row { message, truncated, .. } => {
                    assert!(!truncated, "{name}");
                    seen[message] = true;
                }
                Outcome::Ignored => {}
                Outcome::Piece | Outcome::Unknown => panic!("{name}: {frame:?}"),
            }
        }
        let missing = plan.messages().iter().zip(seen).filter(|(message, seen)| {
            !seen && !message.signals.is_empty() && length_of(message).is_some()
        });
        assert_eq!(missing.count(), 0, "{name}");
    }
}

#[test]
fn every_branch_of_a_multiplexer_comes() {
    let plan = plan("cantools-multiplex_2.dbc");
    let naming = Naming { bus: "x".to_owned(), path: "x".to_owned() };
    let mut decoder = Decoder::new(Arc::clone(&plan), &naming).unwrap();
    for frame in frames(&plan, 2_000) {
        decoder.push(&frame, frame.ts, ClockState::Synced);
    }
    for batch in decoder.finish_all() {
        for (place, signal) in batch.table.signals().iter().enumerate() {
            let column = batch.column(place);
            assert!(
                arrow_array::Array::null_count(column) < batch.rows.num_rows(),
                "{}",
                signal.path
            );
        }
    }
}
