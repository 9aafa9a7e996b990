use super::*;
use crate::vehicle::cycle::roads;

fn driven(seed: u64, span_s: u32, defects: &Defects) -> (Powertrain, Vec<Shown>) {
    let mut car = Powertrain::new(seed, roads(seed, f64::from(span_s)));
    let mut seconds = Vec::new();
    for step in 0..span_s * 100 {
        car.step(defects);
        let shown = car.shown();
        if step % 100 == 99 {
            seconds.push(shown);
        }
    }
    (car, seconds)
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    sum / count
}

#[test]
fn an_hour_has_stops_and_towns_and_motorways_at_a_consumption_a_car_has() {
    let (mut city, mut fast, mut stands) = (false, false, false);
    for seed in 0..4 {
        let (_, seconds) = driven(seed, 3600, &Defects::default());
        let last = seconds.last().unwrap();
        let km = last.odometer_km - seconds[0].odometer_km;
        let litres = seconds[0].fuel_l - last.fuel_l;
        let per_100 = 100.0 * litres / km;
        println!("seed {seed}: {km:.1} km, {per_100:.1} L/100 km");
        assert!((20.0..120.0).contains(&km), "{km:.1} km");
        assert!((4.0..11.0).contains(&per_100), "{per_100:.1} L/100 km");
        city |= seconds.iter().any(|s| (25.0..55.0).contains(&s.speed_kmh));
        fast |= seconds.iter().any(|s| s.speed_kmh > 100.0);
        stands |= seconds.iter().filter(|s| s.speed_kmh < 0.1).count() > 60;
        assert!(seconds.iter().all(|s| s.speed_kmh < 140.0 && s.engine_rpm < 6_500.0));
        assert!(seconds.iter().all(|s| s.engine_rpm > 600.0), "it does not stall");
    }
    assert!(city && fast && stands);
}

#[test]
fn with_the_clutch_closed_engine_and_wheels_turn_in_the_ratio_of_the_gear() {
    let (_, seconds) = driven(1, 1200, &Defects::default());
    let closed = |s: &&Shown| !s.clutch_open && s.gear > 1.5 && s.engine_rpm > 1_000.0;
    let mut off = vec![];
    for shown in seconds.iter().filter(closed) {
        let place = (1..7).find(|gear| (f64::from(*gear) - shown.gear).abs() < 0.5).unwrap();
        let ratio = GEARS[usize::try_from(place).unwrap() - 1] * FINAL_DRIVE;
        let rpm = shown.speed_kmh / 3.6 / WHEEL_M * ratio * 60.0 / std::f64::consts::TAU;
        off.push((shown.engine_rpm / rpm - 1.0).abs());
    }
    off.sort_by(f64::total_cmp);
    assert!(off.len() > 300);
    assert!(off[off.len() * 9 / 10] < 0.05, "{:.3}", off[off.len() * 9 / 10]);
}

#[test]
fn distance_is_speed_over_time_and_fuel_gone_is_rate_over_time() {
    let (_, seconds) = driven(2, 1800, &Defects::default());
    let last = seconds.last().unwrap();
    let km = mean(seconds.iter().map(|s| s.speed_kmh)) * 0.5;
    assert!((km - (last.odometer_km - seconds[0].odometer_km)).abs() < 0.1);
    let litres = mean(seconds.iter().map(|s| s.fuel_lph)) * 0.5;
    assert!((litres - (seconds[0].fuel_l - last.fuel_l)).abs() < 0.05 * litres);
}

#[test]
fn the_thermostat_holds_the_coolant_between_85_and_100_degrees() {
    let (_, seconds) = driven(3, 3600, &Defects::default());
    let warm = &seconds[900..];
    assert!(warm.iter().all(|s| (84.0..101.0).contains(&s.coolant_c)));
}

#[test]
fn every_defect_shows_where_it_acts() {
    let sound = driven(4, 900, &Defects::default()).1;
    let with = |defects: Defects| driven(4, 900, &defects).1;
    let last = |seconds: &[Shown]| *seconds.last().unwrap();
    let open = with(Defects { thermostat_open: 1.0, ..Defects::default() });
    assert!(last(&open).coolant_c < last(&sound).coolant_c - 15.0);
    let leaking = with(Defects { coolant_loss: 1.0, ..Defects::default() });
    assert!(last(&leaking).coolant_c > last(&sound).coolant_c + 8.0);
    let broken = with(Defects { wheel_sensor_lost: 1.0, ..Defects::default() });
    assert!(broken.iter().all(|s| s.wheels_kmh[0].abs() < 1e-9));
    let drags = with(Defects { brake_drag: 1.0, ..Defects::default() });
    let burnt = |seconds: &[Shown]| mean(seconds.iter().map(|s| s.fuel_lph));
    assert!(burnt(&drags) > 1.3 * burnt(&sound));
    let leak = with(Defects { fuel_leak: 1.0, ..Defects::default() });
    assert!(last(&leak).fuel_l < last(&sound).fuel_l - 5.0);
    let misfires = with(Defects { misfire: 1.0, ..Defects::default() });
    assert!(burnt(&misfires) > 1.1 * burnt(&sound));
    let idle = |seconds: &[Shown]| {
        mean(seconds.iter().filter(|s| s.speed_kmh < 0.1).map(|s| (s.engine_rpm - 800.0).abs()))
    };
    assert!(idle(&misfires) > 5.0 * idle(&sound));
}
