use super::*;

const START: Timestamp = Timestamp::from_micros(1_772_438_400_000_000);

/// Levels in percent, minutes after the onset of a fault of 100 minutes.
fn levels<const N: usize>(profile: Profile, minutes: [f64; N]) -> [String; N] {
    let lasting = Duration::from_mins(100);
    let fault = Fault { profile, severity: 0.8, ..Fault::new(FaultKind::NetLeak, START, lasting) };
    minutes.map(|minute| {
        let now = START.plus(Duration::from_secs_f64(60.0 * minute));
        format!("{:.0}", 100.0 * fault.level(now))
    })
}

#[test]
fn a_growing_fault_reaches_its_severity_after_four_fifths_of_its_time() {
    let minutes = [0.0, 20.0, 40.0, 80.0, 99.0, 100.0];
    assert_eq!(levels(Profile::Growing, minutes), ["0", "20", "40", "80", "80", "0"]);
}

#[test]
fn an_intermittent_fault_is_there_for_a_minute_and_gone_for_half_a_minute() {
    let minutes = [0.0, 0.9, 1.1, 1.4, 1.6, 2.4, 2.6];
    assert_eq!(levels(Profile::Intermittent, minutes), ["80", "80", "0", "0", "80", "80", "0"]);
}

#[test]
fn every_kind_has_a_name_of_its_own_and_its_effect() {
    let mut names: Vec<&str> = FaultKind::ALL.into_iter().map(FaultKind::name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), FaultKind::ALL.len());
    for kind in FaultKind::ALL {
        let mut effects = Effects::default();
        *effects.level_mut(kind) = 0.5;
        let set = FaultKind::ALL.into_iter().filter(|other| *effects.level_mut(*other) > 0.0);
        assert_eq!(set.collect::<Vec<_>>(), [kind]);
    }
}
