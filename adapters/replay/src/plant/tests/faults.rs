use super::*;

/// By how many of its own normal standard deviations each root signal differs, 36 to 40 s after
/// the onset, from what it would have shown without the fault.
fn shifts(seed: u64, kind: FaultKind) -> Vec<(String, f64)> {
    let mut normal = Plant::new(seed, START);
    let onset = START.plus(seconds(600));
    normal.advance_to(onset);
    let mut faulty = normal.clone();
    let fault = Fault::new(kind, onset, seconds(120));
    let roots = fault.signals.clone();
    faulty.schedule = Schedule::at(vec![fault]);
    let shift = |path: &String| {
        let usual = deviation(&series(&mut normal.clone(), path, 1200));
        let tail = |plant: &Plant| mean(&series(&mut plant.clone(), path, 40)[35..]);
        (path.clone(), (tail(&faulty) - tail(&normal)) / usual)
    };
    roots.iter().map(shift).collect()
}

#[test]
fn every_fault_of_the_demo_moves_its_root_signals_by_four_standard_deviations_within_40_seconds() {
    for kind in FaultKind::DEMO {
        for (path, shift) in shifts(7, kind) {
            println!("{kind:?} {path} {shift:.1}");
            assert!(shift.abs() > 4.0, "{kind:?} moves {path} by {shift:.1} only");
        }
    }
}

#[test]
fn a_fault_of_the_pump_leaves_the_boiler_and_the_compressor_alone() {
    let fault = Fault::new(FaultKind::SuctionBlocked, START.plus(seconds(10)), seconds(60));
    let mut normal = Plant::new(3, START);
    let mut faulty = Plant::with_schedule(3, START, Schedule::at(vec![fault]));
    for plant in [&mut normal, &mut faulty] {
        plant.advance_to(START.plus(seconds(50)));
    }
    assert!(normal.image(Device::Pump) != faulty.image(Device::Pump));
    assert!(normal.image(Device::Boiler) == faulty.image(Device::Boiler));
    assert!(normal.image(Device::Compressor) == faulty.image(Device::Compressor));
}

#[test]
fn a_fault_that_is_over_leaves_no_trace_but_heat() {
    let fault = Fault::new(FaultKind::BearingWear, START.plus(seconds(10)), seconds(120));
    let mut normal = Plant::new(3, START);
    let mut faulty = Plant::with_schedule(3, START, Schedule::at(vec![fault]));
    for plant in [&mut normal, &mut faulty] {
        plant.advance_to(START.plus(seconds(132)));
    }
    let differs = |path| normal.value(path).unwrap() - faulty.value(path).unwrap();
    assert!(differs("plant/pump/vibration").abs() < 1e-9);
    assert!(differs("plant/pump/bearing_temp") < -2.0);
}

#[test]
fn a_planned_stop_takes_the_compressor_and_the_boiler_to_rest_and_back() {
    let stop = |device| PlannedStop {
        device,
        from: START.plus(seconds(60)),
        to: START.plus(seconds(300)),
    };
    let stops = vec![stop(Device::Compressor), stop(Device::Boiler)];
    let mut plant = Plant::with_schedule(1, START, Schedule::none().with_stops(stops));
    plant.advance_to(START.plus(seconds(290)));
    for rests in ["compressor/state", "compressor/motor_current_a", "boiler/gas_flow"] {
        assert_eq!(plant.value(&format!("plant/{rests}")), Some(0.0), "{rests}");
    }
    assert_eq!(plant.value("plant/boiler/steam_flow"), Some(0.0));
    assert_eq!(plant.value("plant/boiler/burner_on"), Some(0.0));
    plant.advance_to(START.plus(seconds(420)));
    assert!(plant.value("plant/compressor/state") >= Some(4.0));
    assert!(plant.value("plant/boiler/steam_flow") > Some(2.5));
}
