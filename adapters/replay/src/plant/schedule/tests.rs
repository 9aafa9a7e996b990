use super::*;

const START: Timestamp = Timestamp::from_micros(1_772_438_400_000_000);

fn at(seconds: u64) -> Timestamp {
    START.plus(Duration::from_secs(seconds))
}

fn fault(kind: FaultKind, onset: u64, lasting: u64) -> Fault {
    Fault::new(kind, at(onset), Duration::from_secs(lasting))
}

#[test]
fn a_fault_grows_to_its_severity_and_is_gone_at_its_end() {
    let half = Fault { severity: 0.5, ..fault(FaultKind::NetLeak, 100, 60) };
    let schedule = Schedule::at(vec![half]);
    let leak = |second| schedule.effects(at(second)).net_leak;
    let percent =
        [99, 100, 110, 120, 159, 160].map(|second| format!("{:.0}", 100.0 * leak(second)));
    assert_eq!(percent, ["0", "0", "25", "50", "50", "0"]);
}

#[test]
fn the_demo_shows_all_of_its_kinds_and_its_first_fault_after_two_minutes() {
    let schedule = Schedule::demo(START);
    let first = &schedule.labels()[0];
    assert_eq!((first.device, first.onset, first.end), ("pump", at(120), at(240)));
    let shown = |kind| schedule.labels().iter().any(|fault| fault.kind == kind);
    assert!(FaultKind::DEMO.into_iter().all(shown));
}

#[test]
fn the_demo_shows_one_pump_fault_every_20_minutes_in_turn() {
    let schedule = Schedule::demo(START);
    let pump: Vec<&Fault> =
        schedule.labels().iter().filter(|fault| fault.device == "pump").collect();
    for (place, fault) in pump.iter().enumerate() {
        assert_eq!(fault.onset, at(120 + 1200 * place as u64));
        assert_eq!(fault.kind, FaultKind::PUMP[place % 5]);
    }
    assert_eq!(pump.len(), 7 * 24 * 3);
}

#[test]
fn no_machine_of_the_demo_stops_while_it_has_a_fault_and_the_pump_never() {
    let schedule = Schedule::demo(START);
    for stop in schedule.stops() {
        assert_ne!(stop.device, Device::Pump);
        let meets = |fault: &&Fault| {
            fault.device == stop.device.name() && fault.onset < stop.to && fault.end > stop.from
        };
        assert_eq!(schedule.labels().iter().find(meets), None);
    }
}

#[test]
fn a_long_fault_is_still_there_when_shorter_ones_have_come_and_gone() {
    let schedule = Schedule::at(vec![
        fault(FaultKind::CoolerFailure, 10, 3600),
        fault(FaultKind::NetLeak, 100, 10),
        fault(FaultKind::NetLeak, 200, 10),
    ]);
    let effects = schedule.effects(at(3000));
    assert_eq!((effects.cooler_failure, effects.net_leak), (1.0, 0.0));
}

#[test]
fn changes_tell_each_onset_and_end_once_whatever_the_stride() {
    let schedule = Schedule::demo(START);
    let changes = |stride: usize| -> usize {
        let ticks: Vec<u64> = (0..=7200).step_by(stride).collect();
        ticks.windows(2).map(|pair| schedule.changes(at(pair[0]), at(pair[1])).count()).sum()
    };
    // Six faults of the pump and three of the others begin in two hours, and end.
    assert_eq!([1, 7200, 300].map(changes), [18, 18, 18]);
}

#[test]
fn labels_name_the_paths_of_the_root_signals() {
    let label = fault(FaultKind::FlowSensorDrift, 0, 1);
    assert_eq!(label.signals, ["plant/pump/flow"]);
}
