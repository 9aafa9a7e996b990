//! kill -9 at random moments.

use std::time::{Duration, Instant};

use crate::ground::{Life, between, dice, number, report};
use crate::ledger::Ledger;
use crate::victim::{self, SYNC_INTERVAL, Syncs};
use crate::witness::Witness;

/// What a busy machine may add to the sync window: the time of a commit, and of the kill.
const MARGIN: Duration = Duration::from_secs(1);

/// `DuckDB` opens each file when it is new, and reads the whole lake after so many kills and at the
/// end: the ledger looks for rows that are there twice after every one.
const WHOLE_EVERY: u64 = 25;

#[test]
fn a_kill_costs_at_most_the_sync_window_and_nothing_that_was_promised() {
    let kills = number("FIELDGATE_KILLS", 50);
    let folder = tempfile::tempdir().unwrap();
    let (mut dice, mut ledger, mut witness) = (dice(), Ledger::default(), Witness::call());
    let begun = Instant::now();
    let mut opened = 0;
    for kill in 1..=kills {
        let mut life = Life::begin(folder.path(), ledger.first(), Syncs::All);
        let span = between(&mut dice, Duration::ZERO, Duration::from_millis(250));
        life.last(span);
        let at = victim::now();
        let heard = life.kill();
        let settled =
            ledger.note(&heard, at).and_then(|()| ledger.settle(folder.path())).and_then(|()| {
                let lake = folder.path().join("lake");
                let is_whole = kill % WHOLE_EVERY == 0 || kill == kills;
                opened = if is_whole { witness.read_all(&lake) } else { witness.look(&lake) }?;
                Ok(())
            });
        settled.unwrap_or_else(|wrong| panic!("kill {kill}: {wrong}"));
    }
    report("kills", kills, begun, &ledger);
    println!("{opened} files opened by DuckDB");
    assert!(ledger.worst_loss <= SYNC_INTERVAL + MARGIN, "{:?} are lost", ledger.worst_loss);
    assert!(ledger.there > kills && opened > kills, "the victims have done nothing");
    assert!(ledger.joined > 0, "no small files were joined");
}
