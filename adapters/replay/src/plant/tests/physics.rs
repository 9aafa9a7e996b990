use super::*;

#[test]
fn the_registers_do_not_depend_on_how_often_somebody_looked() {
    let schedule = || Schedule::demo(START);
    let end = START.plus(seconds(3 * 3600));
    let mut at_once = Plant::with_schedule(5, START, schedule());
    at_once.advance_to(end);
    let mut often = Plant::with_schedule(5, START, schedule());
    let mut stride = 1;
    while often.now() < end {
        stride = stride * 7919 % 10_007;
        often.advance_to(often.now().plus(Duration::from_millis(stride)).min(end));
        often.advance_to(START);
        stride += 1;
    }
    for device in Device::ALL {
        assert!(at_once.image(device) == often.image(device), "{device:?} differs");
    }
}

#[test]
fn another_seed_is_another_plant() {
    let plants = [Plant::new(1, START), Plant::new(2, START)];
    let [one, other] = plants.each_ref().map(|plant| plant.image(Device::Pump));
    assert!(one != other);
}

#[test]
fn a_gap_of_years_is_not_simulated() {
    let mut plant = Plant::new(1, START);
    let before = plant.value("plant/pump/run_time");
    plant.advance_to(START.plus(seconds(20 * 365 * 86_400)));
    assert_eq!(plant.value("plant/pump/run_time"), before);
    assert_eq!(plant.now(), START.plus(seconds(20 * 365 * 86_400)));
}

#[test]
fn flow_goes_with_speed_head_with_its_square_and_power_with_its_cube() {
    let mut plant = Plant::new(2, START);
    let mut logs: [Vec<f64>; 4] = Default::default();
    for second in 1..3600 {
        plant.advance_to(START.plus(seconds(second)));
        let value = |tag: &str| plant.value(&Device::Pump.path(tag)).unwrap();
        // Where the valve stands where it always stands, only the speed decides.
        if (value("valve_position") - 68.0).abs() < 0.4 {
            let head = value("discharge_pressure") - value("suction_pressure");
            let of = [value("speed_actual"), value("flow"), head, value("power") - 0.2];
            logs.iter_mut().zip(of).for_each(|(log, value)| log.push(value.ln()));
        }
    }
    let [speed, flow, head, power] = logs;
    for (exponent, of) in [(1.0, flow), (2.0, head), (3.0, power)] {
        let slope = slope(&speed, &of);
        assert!((slope - exponent).abs() < 0.12, "exponent {slope:.2}, not {exponent}");
    }
}

pub(super) fn slope(x: &[f64], y: &[f64]) -> f64 {
    let (mx, my) = (mean(x), mean(y));
    let xy: f64 = x.iter().zip(y).map(|(x, y)| (x - mx) * (y - my)).sum();
    xy / x.iter().map(|x| (x - mx).powi(2)).sum::<f64>()
}

#[test]
fn counters_only_rise_and_at_the_rate_of_what_they_count() {
    let mut plant = Plant::new(4, START);
    let path = |tag| Device::Pump.path(tag);
    let energy = series(&mut plant.clone(), &path("energy"), 3600);
    assert!(energy.windows(2).all(|pair| pair[0] <= pair[1]));
    let power = mean(&series(&mut plant.clone(), &path("power"), 3600));
    let gained = energy[3599] - energy[0];
    assert!((gained - power).abs() < 0.15, "{gained:.2} kWh in an hour at {power:.2} kW");
    let steam = series(&mut plant.clone(), "plant/boiler/steam_total", 3600);
    let flow = mean(&series(&mut plant, "plant/boiler/steam_flow", 3600));
    let gained = steam[3599] - steam[0];
    assert!((gained / 1000.0 - flow).abs() < 0.05, "{gained:.0} kg in an hour at {flow:.2} t/h");
}

#[test]
fn the_compressor_cycles_about_once_a_minute_within_its_band() {
    let mut plant = Plant::new(4, START);
    let state = series(&mut plant.clone(), "plant/compressor/state", 3600);
    let loads = state.windows(2).filter(|pair| pair[0] < pair[1]).count();
    assert!((40..90).contains(&loads), "{loads} cycles in an hour");
    let pressure = series(&mut plant, "plant/compressor/net_pressure", 3600);
    assert!(pressure.iter().all(|bar| (6.7..7.5).contains(bar)));
}

#[test]
fn the_boiler_holds_pressure_and_level() {
    let mut plant = Plant::new(4, START);
    let pressure = series(&mut plant.clone(), "plant/boiler/steam_pressure", 7200);
    assert!(pressure.iter().all(|bar| (bar - 10.0).abs() < 0.5));
    let level = series(&mut plant, "plant/boiler/drum_level", 7200);
    assert!(level.iter().all(|percent| (percent - 50.0).abs() < 5.0));
}

#[test]
fn what_is_normal_for_the_pump_stays_normal_from_one_half_hour_to_the_next() {
    let mut plant = Plant::new(6, START);
    for tag in ["speed_actual", "flow", "discharge_pressure", "vibration"] {
        let path = Device::Pump.path(tag);
        let all = series(&mut plant.clone(), &path, 3600);
        let (first, second) = all.split_at(1800);
        let shift = (mean(first) - mean(second)).abs() / deviation(first);
        assert!(shift < 0.6, "{tag} moves by {shift:.2} deviations");
    }
    plant.advance_to(START.plus(seconds(3600)));
    assert_eq!(plant.value("plant/pump/running"), Some(1.0));
}

#[test]
#[ignore = "prints what the simulation costs on this machine"]
fn cost_of_a_day_and_of_a_read() {
    let mut plant = Plant::with_schedule(1, START, Schedule::demo(START));
    let began = std::time::Instant::now();
    plant.advance_to(START.plus(seconds(86_400)));
    println!("a day: {:?}", began.elapsed());
    let began = std::time::Instant::now();
    for second in 0..10_000 {
        plant.advance_to(START.plus(seconds(86_400 + second)));
        assert!(plant.read(3, Table::Input, 40, 12).is_ok());
    }
    println!("a second and a read: {:?}", began.elapsed() / 10_000);
    let began = std::time::Instant::now();
    let words: usize =
        (0..1_000_000).map(|_| plant.read(17, Table::Input, 0, 22).unwrap().len()).sum();
    println!("a read within a step: {:?} ({words})", began.elapsed() / 1_000_000);
}
