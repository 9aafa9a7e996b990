//! The demo's promise, in simulated time: its plant through its own registers, scans and
//! detector settings, as `run --demo` puts them together.

use adapters_replay::plant::{Fault, FaultKind};
use models::{DetectorSettings, Family, GroupClock, GroupDetector};
use signals::{Detector as _, Episode};

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn start() -> Timestamp {
    Timestamp::from_micros(1_793_000_000_000_000)
}

/// Episodes that the demo's detector opens in `span` behind the demo's history.
fn episodes(family: Family, seed: u64, faults: Vec<Fault>, span: Duration) -> Vec<Episode> {
    let config = config::from_text("demo", TEXT, Files::Embedded(&FILES)).unwrap();
    let wanted = config.detectors.first().unwrap();
    let settings = DetectorSettings {
        name: wanted.name.clone(),
        family,
        signals: wanted.signals.clone(),
        budget_per_week: wanted.budget_per_week,
        period: wanted.every,
    };
    let devices = config.lines.iter().flat_map(|line| &line.devices);
    let scans: Vec<_> = devices.flat_map(|d| d.scans.iter().map(|s| (d.unit, s))).collect();
    let tables: Vec<_> = scans.iter().map(|(_, scan)| Arc::clone(scan.table())).collect();
    let mut clock =
        GroupClock::new(&settings.signals, &tables, settings.period, Duration::from_secs(10))
            .unwrap();
    let mut detector = GroupDetector::learning(settings).unwrap();
    let from = start().minus(HISTORY);
    let mut plant = Plant::with_schedule(seed, from, Schedule::at(faults));
    let mut opened = Vec::new();
    for second in 0..(HISTORY + span).as_secs() {
        let ts = from.plus(Duration::from_secs(second));
        plant.advance_to(ts);
        for (unit, scan) in &scans {
            let mut rows = BatchBuilder::new(Arc::clone(scan.table()));
            row(&plant, *unit, scan, (ts, &mut rows));
            for row in clock.feed(&rows.finish().unwrap()) {
                let score = detector.score(row.ts, &row.values);
                opened.extend(score.episode.filter(|e| e.opened == row.ts && e.closed.is_none()));
            }
        }
    }
    opened
}

#[test]
fn thirty_minutes_without_a_fault_open_at_most_one_episode() {
    for (family, seeds) in [(Family::Ewma, 6), (Family::Combined, 3)] {
        let count = |seed| episodes(family, seed, Vec::new(), 30 * MINUTE).len();
        let counts: Vec<usize> = (SEED..SEED + seeds).map(count).collect();
        println!("{family:?}: false episodes in 30 minutes, seeds from the demo's on: {counts:?}");
        assert!(counts.iter().all(|count| *count <= 1), "{family:?}: {counts:?}");
    }
}

#[test]
fn every_pump_fault_opens_an_episode_within_a_minute_that_names_its_signals() {
    for family in [Family::Ewma, Family::Combined] {
        for kind in FaultKind::PUMP {
            let onset = start().plus(2 * MINUTE);
            let fault = Fault::new(kind, onset, 2 * MINUTE);
            let roots = fault.signals.clone();
            let found = episodes(family, SEED, vec![fault], 5 * MINUTE);
            let episode = found.first().unwrap_or_else(|| panic!("{kind:?} is not seen"));
            assert!(episode.opened >= onset, "{kind:?}: nothing is seen before the onset");
            let delay = episode.opened.since(onset);
            let top: Vec<&str> = episode.top.iter().map(|part| part.signal.as_str()).collect();
            println!("{family:?} {kind:?}: opened after {delay:?}, {top:?}");
            assert!(delay <= MINUTE, "{kind:?}: {delay:?}");
            assert!(
                top.iter().any(|signal| roots.iter().any(|root| root == signal)),
                "{kind:?}: {top:?}"
            );
        }
    }
}
