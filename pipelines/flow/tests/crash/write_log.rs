//! Crash states of a disk, made from a log of everything that was written to it.
//!
//! In a machine of its own (`machine`) the victim lives on ext4 on a disk whose writes and flushes
//! QEMU logs (`log`). What the victim says it writes to the same disk, so that the log itself shows
//! what had been promised before any of its entries. From the log crash states are built
//! (`states`): all that was flushed before a random write, and of what was written since then
//! nothing, the oldest part, some writes, some sectors of some writes, or all. Each is mounted,
//! read, and started on once more; what was promised must be there.
//!
//! Unlike the cuts of a mounted volume this shows writes that reach the disk torn and out of order.
//! A disk that lies about its flushes is not shown.
//!
//! | variable | meaning |
//! |---|---|
//! | `FIELDGATE_WRITE_LOG_STATES` | crash states of each victim; 20, and 12 of the faulty ones, unless set |
//! | `FIELDGATE_SEED` | repeats the choice of states; the log itself is of this run |
//! | `FIELDGATE_GUEST`, `FIELDGATE_POWERCUT` | `skip` passes without a machine, or without mounting |

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use pipelines_flow::disk::sim::Dice;

use crate::ground::{Life, dice, is_left_out, number};
use crate::ledger::Ledger;
use crate::victim::{self, Syncs};
use crate::witness::Witness;

mod log;
mod machine;
mod states;

use machine::Recording;
use states::States;

/// The victims, a disk each.
const VICTIMS: [Syncs; 4] =
    [Syncs::All, Syncs::AllButSegments, Syncs::AllButLake, Syncs::AllButReplaced];
/// Crash states of a victim that is right, unless the environment says how many …
const STATES: u64 = 20;
/// … and of one that is not: most of its states show it.
const STATES_TO_FIND: u64 = 12;
/// How long a gateway lives that is started on a crash state.
const SECOND_LIFE: Duration = Duration::from_millis(20);

/// What the machine has recorded, or why there is nothing; once for all tests.
static RECORDED: OnceLock<Result<Vec<Recording>, String>> = OnceLock::new();

/// What was recorded of a victim; `None` when the machine is left out, which is said.
fn recorded(syncs: Syncs) -> Option<&'static Recording> {
    if is_left_out() {
        return None;
    }
    if std::env::var("FIELDGATE_GUEST").is_ok_and(|word| word == "skip") {
        println!("SKIPPED: FIELDGATE_GUEST=skip, nothing was shown of torn and reordered writes");
        return None;
    }
    let recorded = RECORDED.get_or_init(|| machine::record(&VICTIMS));
    let recorded = recorded.as_ref().unwrap_or_else(|why| panic!("{why}"));
    recorded.iter().find(|recording| recording.syncs == syncs)
}

/// What is found wrong in crash states of a recording: which state, and what.
fn run(recording: &Recording, states: u64, dice: &mut Dice) -> Vec<String> {
    let (begun, mut wrong) = (Instant::now(), Vec::new());
    let (mut promised, mut kept, mut started, mut loose) = (0, 0, 0, 0);
    let mut witness = Witness::call();
    let mut all = States::new(recording, states, dice);
    while let Some(state) = all.next(dice) {
        let mut ledger = Ledger::default();
        loose += state.loose();
        let data = state.root().join("data");
        let judged = ledger.note(state.heard(), victim::now()).and_then(|()| {
            promised += ledger.promised;
            ledger.settle(&data)?;
            if data.join("lake").is_dir() {
                let looked = witness.look(&data.join("lake"));
                if looked.is_err() {
                    // It may keep open what it complains of.
                    witness = Witness::call();
                }
                looked?;
            }
            kept += ledger.there;
            let mut life = Life::begin(&data, ledger.first(), Syncs::All);
            life.last(SECOND_LIFE);
            ledger.note(&life.kill(), victim::now())?;
            started += 1;
            ledger.settle(&data)
        });
        wrong.extend(judged.err().map(|what| format!("{state}: {what}")));
    }
    let (word, count, took) = (recording.syncs.word(), wrong.len(), begun.elapsed());
    println!("{word} synced: {count} of {states} crash states are wrong, in {took:.1?}");
    let (log, words) = (&recording.log, recording.log.words(recording.log.len()));
    println!(
        "  log of {} writes, {} of them words, and {} flushes; in all states {loose} entries not \
         durable, {promised} samples promised, {kept} there, {started} started on",
        log.writes(),
        words.lines().count(),
        log.flushes(),
    );
    wrong
}

#[test]
fn no_crash_state_of_a_write_log_costs_what_was_promised_or_doubles_anything() {
    let Some(recording) = recorded(Syncs::All) else { return };
    let states = number("FIELDGATE_WRITE_LOG_STATES", STATES);
    let wrong = run(recording, states, &mut dice());
    assert!(wrong.is_empty(), "{} of {states}:\n{}", wrong.len(), wrong.join("\n"));
}

/// A victim that forgets some of its syncs is found out.
fn is_found_out(syncs: Syncs) {
    let Some(recording) = recorded(syncs) else { return };
    let states = number("FIELDGATE_WRITE_LOG_STATES", STATES_TO_FIND);
    let wrong = run(recording, states, &mut dice());
    let first = wrong.first().unwrap_or_else(|| panic!("{states} crash states show nothing"));
    println!("for one, {first}");
}

#[test]
fn segments_that_are_not_synced_are_found_out_by_crash_states() {
    is_found_out(Syncs::AllButSegments);
}

#[test]
fn files_of_the_lake_that_are_named_before_they_are_synced_are_found_out_by_crash_states() {
    is_found_out(Syncs::AllButLake);
}

#[test]
fn small_files_that_are_replaced_before_they_are_synced_are_found_out_by_crash_states() {
    is_found_out(Syncs::AllButReplaced);
}
