//! Power cuts at random moments.

use std::time::{Duration, Instant};

use pipelines_flow::disk::sim::Dice;

use crate::ground::{Life, between, dice, is_left_out, number, report};
use crate::ledger::Ledger;
use crate::victim::{self, Syncs};
use crate::volume::Volume;

/// Cuts so many times, or until something is wrong.
fn run(cuts: u64, syncs: Syncs, dice: &mut Dice) -> Result<Ledger, (u64, String)> {
    let mut volume = Volume::make(256);
    let mut ledger = Ledger::default();
    let data = volume.root().join("data");
    for cut in 1..=cuts {
        let mut life = Life::begin(&data, ledger.first(), syncs);
        let span = between(dice, Duration::ZERO, Duration::from_millis(250));
        life.last(span);
        // What is said later may be said by a machine that has no power: a sync that is under way
        // while the file system is told to shut down may come back as if all were well. So none of
        // it counts as promised. Some of it may have been said before the cut all the same.
        let (heard, at) = (life.heard(), victim::now());
        volume.cut();
        let in_all = life.kill();
        volume.back();
        let late = in_all.get(heard.rfind('\n').map_or(0, |end| end + 1)..).unwrap_or_default();
        let settled = ledger.note(&heard, at).and_then(|()| ledger.settle(&data));
        let settled = settled.map(|()| ledger.note_late(late));
        settled.map_err(|wrong| (cut, wrong))?;
    }
    Ok(ledger)
}

#[test]
fn a_power_cut_costs_nothing_that_was_promised_and_doubles_nothing() {
    if is_left_out() {
        return;
    }
    let cuts = number("FIELDGATE_POWERCUTS", 100);
    let begun = Instant::now();
    let ledger = run(cuts, Syncs::All, &mut dice());
    let ledger = ledger.unwrap_or_else(|(cut, wrong)| panic!("cut {cut}: {wrong}"));
    report("power cuts", cuts, begun, &ledger);
    assert!(ledger.promised > cuts && ledger.there >= ledger.promised);
}

#[test]
fn a_gateway_that_does_not_sync_is_found_out_by_power_cuts() {
    if is_left_out() {
        return;
    }
    let found =
        run(20, Syncs::Nothing, &mut dice()).err().expect("20 cuts without a sync cost nothing");
    println!("without syncs, cut {}: {}", found.0, found.1);
}
