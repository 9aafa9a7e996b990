use super::*;

/// 2026-03-02T00:00:00Z, a Monday.
const START: Timestamp = Timestamp::from_micros(1_772_409_600_000_000);

fn month(seed: u64) -> Scenario {
    Scenario::new(seed, START, 30 * DAY)
}

#[test]
fn a_scenario_is_a_function_of_its_seed() {
    assert!(month(1).schedule() == month(1).schedule());
    assert!(month(1).schedule() != month(2).schedule());
}

#[test]
fn without_its_faults_a_plant_is_worked_the_same_way() {
    let (whole, calm) =
        (month(3).schedule(), Scenario { faults_per_kind: 0, ..month(3) }.schedule());
    assert!(calm.labels().is_empty());
    assert!(whole.operation() == calm.operation());
    assert_eq!(whole.stops(), calm.stops());
}

#[test]
fn thirty_days_have_every_kind_of_fault_twice() {
    for seed in 0..10 {
        let schedule = month(seed).schedule();
        for kind in FaultKind::ALL {
            let count = schedule.labels().iter().filter(|fault| fault.kind == kind).count();
            assert_eq!(count, 2, "seed {seed}: {kind:?}");
        }
    }
}

#[test]
fn a_fault_befalls_a_machine_that_runs_and_is_left_alone_and_no_other_is_near() {
    for seed in 0..10 {
        let scenario = month(seed);
        let schedule = scenario.schedule();
        let mut free_from = scenario.start.plus(scenario.clean);
        for fault in schedule.labels() {
            assert!(fault.onset >= free_from, "seed {seed}: {fault:?}");
            free_from = fault.end.plus(APART);
            let device = fault.kind.device();
            let (from, to) = (fault.onset.minus(SETTLED), fault.end.plus(AFTER));
            let mut now = from;
            while now < to {
                assert!(!schedule.stopped(device, now), "seed {seed}: {fault:?} at {now}");
                let regime = schedule.regime(device, now);
                assert!(regime != Regime::Maintenance, "seed {seed}: {fault:?} at {now}");
                now = now.plus(MINUTE);
            }
            assert!(fault.end <= scenario.end());
        }
    }
}

#[test]
fn on_saturdays_the_process_and_the_boiler_stand_and_the_compressor_runs() {
    let schedule = Scenario { faults_per_kind: 0, ..month(5) }.schedule();
    let noon = START.plus(5 * DAY + 12 * HOUR);
    let regimes = Device::ALL.map(|device| schedule.regime(device, noon));
    assert_eq!(regimes, [Regime::Stop, Regime::Stop, Regime::Run, Regime::Stop]);
}

#[test]
fn every_week_of_three_works_on_other_machines_and_tries_them_out_under_the_tag() {
    let schedule = month(6).schedule();
    let works = schedule.operation().unwrap().maintenance();
    for device in Device::ALL {
        let work = works.iter().find(|work| work.device == device).unwrap();
        assert!(schedule.stopped(device, work.from), "{work:?}");
        assert!(!schedule.stopped(device, work.to.minus(MINUTE)), "{work:?}");
        assert_eq!(schedule.regime(device, work.to.minus(MINUTE)), Regime::Maintenance);
    }
}

#[test]
fn products_change_and_load_steps_do_not_overlap() {
    let schedule = month(7).schedule();
    let operation = schedule.operation().unwrap();
    let products = operation.products();
    assert!((20..=72).contains(&products.len()), "{} campaigns", products.len());
    assert!(products.windows(2).all(|pair| pair[0].1 != pair[1].1));
    let loads = operation.loads();
    assert!(loads.len() > 100, "{} load steps", loads.len());
    assert!(loads.windows(2).all(|pair| pair[0].to <= pair[1].from));
}

#[test]
fn the_shortest_and_the_longest_scenarios_have_schedules() {
    for length in [Duration::ZERO, Duration::from_secs(1), HOUR, Duration::MAX] {
        let scenario = Scenario { faults_per_kind: 1, ..Scenario::new(1, START, length) };
        let schedule = scenario.schedule();
        assert!(schedule.labels().iter().all(|fault| fault.end < scenario.end()), "{length:?}");
    }
}
