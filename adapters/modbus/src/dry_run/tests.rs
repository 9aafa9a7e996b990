use super::*;
use crate::config::{DeviceConfig, LineConfig, Serial, TagConfig, check};

fn line(transport: Transport, registers: u16, period: &str) -> Line {
    let tags = (0..registers).map(|offset| TagConfig {
        name: Some(format!("tag_{offset}")),
        at: Some(format!("input:{offset}")),
        r#type: Some("u16".to_owned()),
        ..TagConfig::default()
    });
    let device = DeviceConfig {
        name: Some("device".to_owned()),
        line: Some("line".to_owned()),
        unit: Some(7),
        timeout: Some("40 ms".to_owned()),
        every: Some(period.to_owned()),
        tag: tags.collect(),
        ..DeviceConfig::default()
    };
    let raw = LineConfig {
        name: Some("line".to_owned()),
        host: Some("127.0.0.1:502".to_owned()),
        ..LineConfig::default()
    };
    let mut lines = check(vec![raw], vec![device], "site").unwrap();
    Line { transport, ..lines.remove(0) }
}

fn rtu(baud: u32) -> Transport {
    Transport::Rtu { port: "/dev/ttyS0".into(), serial: Serial { baud, ..Serial::default() } }
}

/// Polls a second as in the table of physical limits: 8E1, 4 ms turnaround.
#[test]
fn a_serial_line_takes_the_time_of_its_characters() {
    for (baud, registers, per_second) in [
        (9_600, 1, 34.0),
        (9_600, 125, 3.2),
        (19_200, 10, 37.0),
        (38_400, 50, 25.0),
        (115_200, 1, 112.0),
        (115_200, 125, 30.7),
    ] {
        let plan = dry_run(&line(rtu(baud), registers, "1 s"), Assumed::default());
        assert_eq!((plan.scans.len(), plan.scans[0].reads.len()), (1, 1));
        let polls = 1.0 / plan.scans[0].time().as_secs_f64();
        assert!((polls / per_second - 1.0).abs() < 0.03, "{baud} {registers}: {polls}");
        assert!((plan.utilisation_ratio - 1.0 / polls).abs() < 1e-9);
    }
}

#[test]
fn a_line_that_has_too_much_to_do_is_used_above_1() {
    let plan = dry_run(&line(rtu(9_600), 125, "100 ms"), Assumed::default());
    assert!((3.0..3.3).contains(&plan.utilisation_ratio), "{}", plan.utilisation_ratio);
}

#[test]
fn a_network_line_takes_a_round_trip_a_request() {
    let tcp = Transport::Tcp { host: "127.0.0.1:502".to_owned() };
    let assumed = Assumed { round_trip: Duration::from_millis(20), ..Assumed::default() };
    let plan = dry_run(&line(tcp, 130, "1 s"), assumed);
    assert_eq!(plan.scans[0].reads.len(), 2);
    assert_eq!((plan.scans[0].values(), plan.scans[0].tags), (130, 130));
    // Two round trips and 4 µs a register.
    assert_eq!(plan.scans[0].time(), Duration::from_micros(40_520));
}
