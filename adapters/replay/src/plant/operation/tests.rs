use super::*;

/// 2026-03-02T00:00:00Z, a Monday.
const START: Timestamp = Timestamp::from_micros(1_772_409_600_000_000);

fn days(count: f64) -> Timestamp {
    START.plus(DAY.mul_f64(count))
}

fn operation() -> Operation {
    Operation {
        new_at: START,
        ageing: Ageing { flow_meter: 1.0, ..Ageing::default() },
        products: vec![(START, Product::A), (days(2.0), Product::B)],
        loads: vec![LoadStep { from: days(1.0), to: days(1.1), ratio: 0.9 }],
        maintenance: vec![Maintenance {
            device: Device::Exchanger,
            from: days(10.0),
            to: days(10.1),
            tag: "WO-0001 plates cleaned".to_owned(),
        }],
    }
}

#[test]
fn it_is_warmest_in_july_and_coldest_in_january() {
    let seasons: Vec<f64> = (0..365).map(|day| season_k(days(f64::from(day)))).collect();
    let warmest = seasons.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).unwrap().0;
    let coldest = seasons.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1)).unwrap().0;
    assert_eq!(days(f64::from(u32::try_from(warmest).unwrap())).date().get(..7), Some("2026-07"));
    assert_eq!(days(f64::from(u32::try_from(coldest).unwrap())).date().get(..7), Some("2027-01"));
}

#[test]
fn dirt_gathers_until_it_is_cleaned_away_and_sensors_age_on() {
    let operation = operation();
    let dirt: Vec<f64> = (0..10).map(|day| operation.wear(days(f64::from(day))).fouling).collect();
    assert!(dirt.windows(2).all(|pair| pair[0] < pair[1]), "{dirt:?}");
    let (before, after) = (operation.wear(days(10.05)), operation.wear(days(10.2)));
    assert!(after.fouling < before.fouling / 10.0);
    assert!(after.strainer > before.strainer, "only the exchanger was cleaned");
    assert!(after.flow_meter > before.flow_meter);
}

#[test]
fn orders_follow_product_shift_and_load() {
    let operation = operation();
    // 16:00 is the late shift: load 1.
    let late = |day: f64| operation.orders(days(day + 16.0 / 24.0), false);
    assert_eq!(late(0.0).product_kgs.to_bits(), 9.0_f64.to_bits());
    assert_eq!(late(3.0).product_in_c.to_bits(), 74.0_f64.to_bits());
    let night = operation.orders(days(0.1), false);
    assert!(night.product_kgs < 0.95 * late(0.0).product_kgs);
    let less = operation.orders(days(1.05), false);
    assert!((less.product_kgs / night.product_kgs - 0.9).abs() < 1e-9);
    assert!(operation.orders(days(0.1), true).product_kgs.abs() < 1e-12);
}

#[test]
fn a_plant_goes_to_new_orders_without_overshoot() {
    let target = Product::C.orders();
    let mut orders = Product::B.orders();
    let mut last = orders;
    for _ in 0..600 {
        orders.slew(&target);
        assert!(orders.pump_speed_pct <= last.pump_speed_pct);
        assert!(orders.product_in_c >= last.product_in_c);
        last = orders;
    }
    assert!((orders.product_in_c - target.product_in_c).abs() < 1e-3);
}
