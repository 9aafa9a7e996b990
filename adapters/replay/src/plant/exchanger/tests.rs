use proptest::prelude::*;

use super::*;

const HOT: (f64, f64) = (9.0, 78.0);
const COLD: (f64, f64) = (10.0, 22.0);

proptest! {
    #[test]
    fn what_the_product_loses_the_water_gains(
        hot in (0.2_f64..20.0, 40.0_f64..95.0),
        cold in (0.2_f64..30.0, 2.0_f64..39.0),
        dirt in 0.0_f64..2.0,
    ) {
        let exchange = Exchange::of(hot, cold, dirt);
        let lost = hot.0 * CP_PRODUCT * (hot.1 - exchange.hot_out_c);
        let gained = cold.0 * CP_WATER * (exchange.cold_out_c - cold.1);
        prop_assert!((lost - gained).abs() < 1e-6 * lost.abs().max(1.0));
        prop_assert!((lost - exchange.heat_kw).abs() < 1e-6 * lost.abs().max(1.0));
    }

    #[test]
    fn no_outlet_passes_the_other_inlet(
        hot in (0.0_f64..20.0, 40.0_f64..95.0),
        cold in (0.0_f64..30.0, 2.0_f64..39.0),
        dirt in 0.0_f64..2.0,
    ) {
        let Exchange { hot_out_c, cold_out_c, .. } = Exchange::of(hot, cold, dirt);
        for outlet in [hot_out_c, cold_out_c] {
            prop_assert!(cold.1 - 1e-9 <= outlet && outlet <= hot.1 + 1e-9);
        }
    }

    #[test]
    fn more_dirt_is_less_heat_and_more_water_is_more(
        dirt in 0.0_f64..1.5,
        water in 1.0_f64..25.0,
    ) {
        let heat = |water: f64, dirt: f64| Exchange::of(HOT, (water, 22.0), dirt).heat_kw;
        prop_assert!(heat(water, dirt) > heat(water, dirt + 0.1));
        prop_assert!(heat(water + 0.5, dirt) > heat(water, dirt));
    }
}

#[test]
fn equal_streams_exchange_what_the_formula_of_equal_streams_says() {
    // C_h = C_c: ε = NTU / (1 + NTU), the limit of the general formula (Incropera, table 11.4).
    let balanced = (HOT.0 * CP_PRODUCT / CP_WATER, COLD.1);
    let nearly = (balanced.0 * 1.0001, COLD.1);
    let heats = [balanced, nearly].map(|cold| Exchange::of(HOT, cold, 0.0).heat_kw);
    assert!((heats[0] / heats[1] - 1.0).abs() < 1e-3, "{heats:?}");
}

#[test]
fn a_clean_exchanger_cools_nine_kilograms_a_second_to_42_degrees_with_two_thirds_of_the_water() {
    let water = (1..200).map(|tenth| 0.1 * f64::from(tenth));
    let enough =
        water.into_iter().find(|water| Exchange::of(HOT, (*water, 22.0), 0.0).hot_out_c < 42.0);
    let share = enough.unwrap() / 17.2;
    assert!((0.4..0.8).contains(&share), "{share:.2} of the pump's water");
}
