use super::*;

#[test]
fn every_function_is_found_again_by_the_name_of_its_column() {
    let quantiles = ["p50", "p99.9", "p0_001", "p5"].map(|name| Function::parse(name).unwrap());
    for function in Function::USUAL.into_iter().chain(quantiles) {
        assert_eq!(Function::parse(&function.to_string()), Some(function));
    }
}

#[test]
fn a_quantile_has_one_name_however_it_is_written() {
    let names = ["p50", "p50.0", "p50_00", "p050"].map(Function::parse);
    let Some(median) = names[0] else { panic!("p50 is a quantile") };
    assert_eq!(names, [Some(median), Some(median), Some(median), None]);
    assert_eq!(median.to_string(), "p50");
    assert_eq!(Function::parse("p99.90").map(|f| f.to_string()).as_deref(), Some("p99_9"));
}

#[test]
fn a_share_is_its_percentage() {
    let share = |name| match Function::parse(name) {
        Some(Function::Quantile(quantile)) => quantile.share(),
        _ => f64::NAN,
    };
    let shares = ["p50", "p99.9", "p0.001"].map(share).map(f64::to_bits);
    assert_eq!(shares, [0.5, 0.999, 0.000_01].map(f64::to_bits));
}

#[test]
fn what_is_no_share_between_nothing_and_all_is_no_function() {
    for name in ["p0", "p100", "p", "p.5", "p5.", "p1.2345", "p-5", "p5e1", "average", "", "P50"] {
        assert_eq!(Function::parse(name), None, "{name}");
    }
}
