use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::{
    Around, Depth, Line, LineConfig, Parity, PlantConfig, Rs485, Serial, Transport, check_plant,
};

fn checked(lines: Vec<LineConfig>) -> Result<Vec<Line>, Vec<String>> {
    let plant = PlantConfig { line: lines, ..PlantConfig::default() };
    let list = |_: &str| Err(std::io::ErrorKind::NotFound.into());
    let around = Around { site: "plant", folder: Path::new("/etc/gw"), list: &list };
    check_plant(&plant, &around).map_err(|told| told.iter().map(ToString::to_string).collect())
}

#[expect(clippy::unnecessary_wraps, reason = "every key is optional")]
fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn serial() -> LineConfig {
    LineConfig {
        name: text("field"),
        transport: text("rtu"),
        port: text("/dev/ttyS1"),
        ..LineConfig::default()
    }
}

fn network(transport: &str) -> LineConfig {
    LineConfig {
        name: text("hall"),
        transport: text(transport),
        host: text("10.0.0.5"),
        ..LineConfig::default()
    }
}

fn built(line: LineConfig) -> Line {
    checked(vec![line]).expect("the line is right").remove(0)
}

/// The keys of the mistakes of one line.
fn wrong(line: LineConfig) -> Vec<String> {
    let told = checked(vec![line]).expect_err("the line is wrong");
    let key = |told: &String| told.split(": ").next().unwrap_or_default().to_owned();
    told.iter().map(|told| key(told).replace("line[0].", "")).collect()
}

#[test]
fn a_serial_line_is_19200_8e1_unless_it_says_otherwise() {
    let port = PathBuf::from("/dev/ttyS1");
    let standard = Transport::Rtu { port: port.clone(), serial: Serial::default() };
    assert_eq!(built(serial()).transport, standard);
    let line = LineConfig {
        baud: Some(9600),
        parity: text("none"),
        data_bits: Some(8),
        stop_bits: Some(2),
        local_echo: Some(true),
        rs485: text("kernel"),
        request_gap: text("20 ms"),
        ..serial()
    };
    let wanted = Serial {
        baud: 9600,
        data_bits: 8,
        parity: Parity::None,
        stop_bits: 2,
        local_echo: true,
        rs485: Rs485::Kernel,
    };
    let line = built(line);
    assert_eq!(line.transport, Transport::Rtu { port, serial: wanted });
    assert_eq!(line.request_gap, Duration::from_millis(20));
}

#[test]
fn a_tls_line_goes_to_port_802_and_finds_its_files_beside_the_configuration() {
    let line = LineConfig {
        ca: text("pki/ca.pem"),
        certificate: text("/pki/gw.pem"),
        key: text("gw.key"),
        server_name: text("plc-3"),
        ..network("tls")
    };
    let Transport::Tls { host, identity } = built(line).transport else { panic!("it is TLS") };
    assert_eq!(host, "10.0.0.5:802");
    assert_eq!(identity.ca, Path::new("/etc/gw/pki/ca.pem"));
    let client = (PathBuf::from("/pki/gw.pem"), PathBuf::from("/etc/gw/gw.key"));
    assert_eq!(identity.client, Some(client));
    assert_eq!(wrong(network("tls")), ["ca"]);
    let half = |key: Option<&str>, certificate: Option<&str>| LineConfig {
        ca: text("ca.pem"),
        key: key.and_then(text),
        certificate: certificate.and_then(text),
        ..network("tls")
    };
    assert_eq!(wrong(half(Some("a"), None)), ["certificate"]);
    assert_eq!(wrong(half(None, Some("a"))), ["key"]);
}

#[test]
fn the_pipeline_is_1_or_declared_or_found_out() {
    let depth = |given: &str| {
        checked(vec![LineConfig { pipeline: text(given), ..network("tcp") }])
            .map(|lines| lines[0].pipeline)
    };
    assert_eq!(built(network("tcp")).pipeline, Depth::Fixed(1));
    assert_eq!(depth("16"), Ok(Depth::Fixed(16)));
    assert_eq!(depth("auto"), Ok(Depth::Auto));
    for wrong in ["0", "17", "fast", "-1", "1.5"] {
        assert!(depth(wrong).is_err(), "{wrong}");
    }
    assert_eq!(wrong(LineConfig { pipeline: text("2"), ..network("rtu_over_tcp") }), ["pipeline"]);
}

#[test]
fn keys_of_another_transport_are_mistakes_with_the_transport_they_are_for() {
    let mixed = LineConfig { baud: Some(9600), ca: text("ca.pem"), ..network("tcp") };
    assert_eq!(
        checked(vec![mixed]).unwrap_err(),
        [
            "line[0].baud: says nothing on a line of transport \"tcp\"; remove it, or set \
             transport = \"rtu\"",
            "line[0].ca: says nothing on a line of transport \"tcp\"; remove it, or set \
             transport = \"tls\"",
        ]
    );
    assert_eq!(wrong(LineConfig { host: text("a"), ..serial() }), ["host"]);
    assert_eq!(wrong(LineConfig { transport: None, ..serial() }), ["transport"]);
    assert_eq!(wrong(LineConfig { port: text("502"), ..network("tcp") }), ["port"]);
}

#[test]
fn every_wrong_setting_of_a_port_is_told_at_once() {
    let line = LineConfig {
        baud: Some(0),
        parity: text("evne"),
        data_bits: Some(7),
        stop_bits: Some(3),
        rs485: text("kernal"),
        request_gap: text("20"),
        ..serial()
    };
    let keys = ["baud", "parity", "data_bits", "stop_bits", "rs485", "request_gap"];
    assert_eq!(wrong(line), keys);
}

#[test]
fn a_serial_port_belongs_to_one_line() {
    let second = LineConfig { name: text("other"), ..serial() };
    let told = checked(vec![serial(), second]).unwrap_err();
    assert_eq!(
        told,
        ["line[1].port: line \"field\" is on /dev/ttyS1 already; put the devices on one line, or \
          correct the port"]
    );
}
