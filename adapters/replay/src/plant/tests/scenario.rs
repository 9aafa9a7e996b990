//! What the faults of scenarios do, and that the machines keep to physics under changing load.

use super::*;
use crate::plant::{Profile, Regime, Scenario};

/// A plant that runs under a scenario without faults, on a Tuesday at four in the morning.
fn worked(seed: u64) -> Plant {
    let evening = START.plus(seconds(12 * 3600));
    let scenario =
        Scenario { faults_per_kind: 0, ..Scenario::new(seed, evening, seconds(4 * 86_400)) };
    let mut plant = Plant::with_schedule(seed, evening, scenario.schedule());
    plant.advance_to(evening.plus(seconds(8 * 3600)));
    plant
}

/// Lets days pass; at once a plant takes a day for switched off.
fn live(plant: &mut Plant, until: Timestamp) {
    while plant.now().plus(STEP) <= until {
        plant.advance_to(plant.now().plus(seconds(3600)).min(until));
    }
}

/// Values of a tag over 20 minutes, 5 minutes after the onset of a fault, and without it.
fn with_and_without(kind: FaultKind, tag: &str) -> (Vec<f64>, Vec<f64>) {
    let mut normal = Plant::new(11, START);
    let fault = Fault::new(kind, START.plus(seconds(10)), seconds(3600));
    let mut faulty = Plant::with_schedule(11, START, Schedule::at(vec![fault]));
    let path = kind.device().path(tag);
    let series_of = |plant: &mut Plant| {
        plant.advance_to(START.plus(seconds(310)));
        series(plant, &path, 1200)
    };
    (series_of(&mut faulty), series_of(&mut normal))
}

fn swing_ratio(kind: FaultKind, tag: &str) -> f64 {
    let (faulty, normal) = with_and_without(kind, tag);
    let ratio = deviation(&faulty) / deviation(&normal);
    println!("{kind:?} {tag}: {:.3} to {:.3}", deviation(&normal), deviation(&faulty));
    ratio
}

fn shift(kind: FaultKind, tag: &str) -> f64 {
    let (faulty, normal) = with_and_without(kind, tag);
    println!("{kind:?} {tag}: {:.3} to {:.3}", mean(&normal), mean(&faulty));
    mean(&faulty) - mean(&normal)
}

#[test]
fn a_slipped_coupling_leaves_no_flow_less_current_and_hot_product() {
    let (flow, _) = with_and_without(FaultKind::CouplingLost, "flow");
    assert!(mean(&flow) < 0.5, "{:.2} m³/h", mean(&flow));
    let (current, normal) = with_and_without(FaultKind::CouplingLost, "motor_current");
    assert!(mean(&current) < 0.8 * mean(&normal));
    let fault = Fault::new(FaultKind::CouplingLost, START.plus(seconds(10)), seconds(600));
    let mut plant = Plant::with_schedule(1, START, Schedule::at(vec![fault]));
    plant.advance_to(START.plus(seconds(400)));
    assert!(plant.value("plant/exchanger/product_out_temp") > Some(70.0));
}

#[test]
fn a_coupling_that_half_slips_costs_more_power_than_the_water_gets() {
    let half = |severity| {
        let fault = Fault::new(FaultKind::CouplingLost, START.plus(seconds(10)), seconds(3600));
        let fault = Fault { severity, ..fault };
        let mut plant = Plant::with_schedule(1, START, Schedule::at(vec![fault]));
        plant.advance_to(START.plus(seconds(300)));
        let value = |tag| plant.value(&Device::Pump.path(tag)).unwrap();
        let lift = value("discharge_pressure") - value("suction_pressure");
        (value("flow") * lift / 36.0, value("power"))
    };
    let ((sound_kw, sound), (slipping_kw, slipping)) = (half(0.0), half(0.3));
    assert!(slipping < sound, "it draws less");
    assert!(slipping_kw / slipping < 0.8 * sound_kw / sound, "and wastes more of it");
}

#[test]
fn a_biased_transmitter_reads_high_and_nothing_else_changes() {
    let high = shift(FaultKind::PressureSensorBias, "discharge_pressure");
    assert!((high - 0.35).abs() < 0.01, "{high:.3} bar");
    for tag in ["flow", "power", "suction_pressure"] {
        assert!(shift(FaultKind::PressureSensorBias, tag).abs() < 1e-9, "{tag}");
    }
}

#[test]
fn loops_swing_when_they_are_mistuned_late_or_stick() {
    for (kind, tag) in [
        (FaultKind::LoopOscillation, "gas_flow"),
        (FaultKind::LoopOscillation, "steam_pressure"),
        (FaultKind::DeadTime, "product_out_temp"),
        (FaultKind::DeadTime, "valve_position"),
        (FaultKind::ValveStiction, "product_out_temp"),
    ] {
        let ratio = swing_ratio(kind, tag);
        assert!(ratio > 2.5, "{kind:?}: {tag} swings {ratio:.1} times as much");
    }
}

#[test]
fn a_sticking_valve_stands_still_while_its_demand_moves() {
    let (positions, _) = with_and_without(FaultKind::ValveStiction, "valve_position");
    let (demands, _) = with_and_without(FaultKind::ValveStiction, "valve_demand");
    let still =
        |values: &[f64]| values.windows(2).filter(|pair| (pair[0] - pair[1]).abs() < 0.6).count();
    assert!(still(&positions) > 1_100, "{} of 1199 seconds", still(&positions));
    assert!(deviation(&demands) > 1.0, "{:.2} % of demand", deviation(&demands));
}

#[test]
fn a_fouled_exchanger_needs_more_water_for_the_same_product_and_holds_it_back() {
    assert!(shift(FaultKind::FoulingStep, "valve_demand") > 5.0);
    assert!(shift(FaultKind::FoulingStep, "product_dp") > 0.3);
    assert!(shift(FaultKind::FoulingStep, "product_out_temp").abs() < 0.3);
}

#[test]
fn a_loose_thermometer_is_noisy_and_the_oil_is_not() {
    let (faulty, normal) = with_and_without(FaultKind::SensorNoise, "oil_temp");
    let jumps = |values: &[f64]| {
        deviation(&values.windows(2).map(|pair| pair[1] - pair[0]).collect::<Vec<_>>())
    };
    assert!(jumps(&faulty) > 5.0 * jumps(&normal));
    assert!(shift(FaultKind::SensorNoise, "element_temp").abs() < 1e-9);
}

#[test]
fn spikes_are_few_large_and_on_one_thermometer() {
    let (faulty, normal) = with_and_without(FaultKind::SensorSpikes, "product_in_temp");
    let spikes =
        faulty.iter().zip(&normal).filter(|(faulty, normal)| (*faulty - *normal).abs() > 10.0);
    let count = spikes.count();
    assert!((30..100).contains(&count), "{count} spikes in 20 minutes");
    assert!(shift(FaultKind::SensorSpikes, "product_out_temp").abs() < 1e-9);
}

#[test]
fn heat_given_by_the_product_is_heat_taken_by_the_water_while_the_plant_is_worked() {
    let mut plant = worked(3);
    let (mut lost, mut gained) = (0.0, 0.0);
    for second in 1..7200 {
        plant.advance_to(plant.now().plus(seconds(1)));
        let value = |tag: &str| plant.value(&Device::Exchanger.path(tag)).unwrap();
        let water_kgs = value("water_flow") / 3.6;
        lost +=
            value("product_flow") * 3.9 * (value("product_in_temp") - value("product_out_temp"));
        gained += water_kgs * 4.19 * (value("water_out_temp") - value("water_in_temp"));
        assert!(second > 60 || plant.exchanger.heat_kw() > 300.0);
    }
    assert!((lost / gained - 1.0).abs() < 0.02, "{:.3} of the heat arrives", gained / lost);
}

#[test]
fn water_in_less_steam_out_is_what_the_drum_gains() {
    let mut plant = worked(4);
    let level = |plant: &Plant| plant.value("plant/boiler/drum_level").unwrap();
    let before = mean(&series(&mut plant.clone(), "plant/boiler/drum_level", 30));
    let (mut into, mut out) = (0.0, 0.0);
    for _ in 0..14_400 {
        plant.advance_to(plant.now().plus(seconds(1)));
        into += plant.value("plant/boiler/feedwater_flow").unwrap();
        out += plant.value("plant/boiler/steam_flow").unwrap();
    }
    // The drum's 100 % are 20 s of 1 t/h each: 5.6 kg a percent.
    let gained = 0.05 * (into - out);
    assert!((level(&plant) - before - gained).abs() < 3.0, "{gained:.2} %");
    assert!((into / out - 1.0).abs() < 0.005, "{into:.0} in, {out:.0} out");
}

#[test]
fn gas_burnt_is_steam_made_and_a_little_lost() {
    let mut plant = worked(5);
    let gas = mean(&series(&mut plant.clone(), "plant/boiler/gas_flow", 14_400));
    let steam = mean(&series(&mut plant, "plant/boiler/steam_flow", 14_400));
    let per_tonne = gas / steam;
    assert!((72.0..74.0).contains(&per_tonne), "{per_tonne:.1} m³ a tonne");
}

#[test]
fn the_compressor_delivers_what_the_net_uses() {
    let mut plant = worked(6);
    let path = |tag| Device::Compressor.path(tag);
    let states = series(&mut plant.clone(), &path("state"), 7200);
    let loaded = states.iter().filter(|state| **state > 4.5).count();
    let (mut used, mut seconds_passed) = (0.0, 0);
    for _ in 0..7200 {
        plant.advance_to(plant.now().plus(seconds(1)));
        let bar = plant.value(&path("net_pressure")).unwrap();
        used += plant.site.air_demand_m3min * bar / 7.0;
        seconds_passed += 1;
    }
    let delivered = 12.0 * (1.0 - plant.wear.air_filter) * count(loaded);
    assert_eq!(seconds_passed, 7200);
    assert!((delivered / used - 1.0).abs() < 0.02, "{:.3}", delivered / used);
}

#[test]
fn flow_head_and_power_keep_to_the_affinity_laws_across_all_loads_and_products() {
    let mut plant = worked(8);
    let mut logs: [Vec<f64>; 4] = Default::default();
    for _ in 0..(3 * 86_400 / 60) {
        plant.advance_to(plant.now().plus(seconds(60)));
        let value = |tag: &str| plant.value(&Device::Pump.path(tag)).unwrap();
        if (value("valve_position") - 68.0).abs() < 0.4 && value("speed_actual") > 40.0 {
            let head = value("discharge_pressure") - value("suction_pressure");
            let of = [value("speed_actual"), value("flow"), head, value("power") - 0.2];
            logs.iter_mut().zip(of).for_each(|(log, value)| log.push(value.ln()));
        }
    }
    let [speed, flow, head, power] = logs;
    assert!(speed.len() > 300 && deviation(&speed) > 0.05, "load varies");
    for (exponent, of) in [(1.0, flow), (2.0, head), (3.0, power)] {
        let slope = super::physics::slope(&speed, &of);
        assert!((slope - exponent).abs() < 0.05, "exponent {slope:.3}, not {exponent}");
    }
}

#[test]
fn the_product_is_held_within_a_kelvin_whatever_is_made() {
    let mut plant = worked(9);
    let mut off = [(0.0, 0.0); 3];
    for _ in 0..(3 * 86_400 / 60) {
        plant.advance_to(plant.now().plus(seconds(60)));
        let now = plant.now();
        let product = plant.schedule.operation().unwrap().product(now);
        let value = |tag: &str| plant.value(&Device::Exchanger.path(tag)).unwrap();
        if plant.schedule.regime(Device::Exchanger, now) == Regime::Run {
            let (far, all) = &mut off[usize::from(product.code()) - 1];
            *all += 1.0;
            *far += f64::from((value("product_out_temp") - value("setpoint")).abs() > 1.0);
        }
    }
    println!("minutes more than 1 K off, and all, by product: {off:?}");
    for (far, all) in off {
        assert!(far <= 0.01 * all, "{far} of {all} minutes");
    }
}

#[test]
fn a_weekend_brings_everything_but_the_compressor_to_rest_and_monday_back() {
    let monday = START.minus(seconds(8 * 3600));
    let scenario = Scenario { faults_per_kind: 0, ..Scenario::new(2, monday, seconds(9 * 86_400)) };
    let mut plant = Plant::with_schedule(2, monday, scenario.schedule());
    let at = |day: u64, hour: u64| monday.plus(seconds(86_400 * day + 3600 * hour));
    live(&mut plant, at(6, 12));
    for rests in ["pump/flow", "pump/motor_current", "boiler/steam_flow", "exchanger/product_flow"]
    {
        assert!(plant.value(&format!("plant/{rests}")) < Some(0.9), "{rests}");
    }
    assert_eq!(plant.value("plant/pump/running"), Some(0.0));
    assert!(plant.value("plant/pump/bearing_temp") < Some(30.0));
    assert!(plant.value("plant/compressor/state") >= Some(4.0));
    live(&mut plant, at(7, 0));
    assert!(plant.value("plant/pump/flow") > Some(40.0));
    assert!(plant.value("plant/boiler/steam_pressure") > Some(9.5));
    let off = plant.value("plant/exchanger/product_out_temp").unwrap()
        - plant.value("plant/exchanger/setpoint").unwrap();
    assert!(off.abs() < 1.0, "{off:.2} K from the setpoint");
}

#[test]
fn a_fault_that_grows_shows_more_and_more() {
    let fault = Fault::new(FaultKind::FlowSensorDrift, START.plus(seconds(10)), seconds(14_400));
    let fault = Fault { profile: Profile::Growing, ..fault };
    let mut normal = Plant::new(2, START);
    let mut faulty = Plant::with_schedule(2, START, Schedule::at(vec![fault]));
    let mut missing = vec![];
    for hour in 1..=3 {
        let at = START.plus(seconds(3600 * hour));
        for plant in [&mut normal, &mut faulty] {
            plant.advance_to(at);
        }
        let [sound, low] = [&normal, &faulty].map(|p| p.value("plant/pump/flow").unwrap());
        missing.push(1.0 - low / sound);
    }
    assert!(missing.windows(2).all(|pair| pair[1] > pair[0] + 0.03), "{missing:?}");
}
