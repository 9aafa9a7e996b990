use super::*;

fn host(text: &str) -> String {
    let Transport::Tcp { host } = place(text).unwrap() else { panic!("{text}") };
    host
}

#[test]
fn a_host_without_a_port_gets_the_port_of_modbus() {
    assert_eq!(host("10.0.0.5"), "10.0.0.5:502");
    assert_eq!(host("tcp://plc-3:5020"), "plc-3:5020");
    assert_eq!(host("tcp://[::1]"), "[::1]:502");
    assert_eq!(host("[::1]:1502"), "[::1]:1502");
    let tls = place("tls://plc?ca=ca.pem&certificate=c.pem&key=k.pem").unwrap();
    assert_eq!((tls.to_string().as_str(), tls.protocol()), ("plc:802", "modbus-tls"));
    assert_eq!(place("rtu+tcp://10.0.0.7:4001").unwrap().protocol(), "modbus-rtu-over-tcp");
}

#[test]
fn a_serial_port_has_the_settings_of_the_standard_unless_told() {
    let settings = |text: &str| {
        let Transport::Rtu { port, serial } = place(text).unwrap() else { panic!("{text}") };
        (port.display().to_string(), serial)
    };
    let (port, serial) = settings("rtu:///dev/ttyUSB0");
    assert_eq!((port.as_str(), serial), ("/dev/ttyUSB0", Serial::default()));
    let (_, serial) = settings("rtu:///dev/ttyS1?baud=9600&parity=none&echo=true");
    let told = (serial.baud, serial.parity, serial.stop_bits, serial.local_echo);
    assert_eq!(told, (9600, Parity::None, 2, true));
}

#[test]
fn a_wrong_place_is_told_with_what_to_write() {
    for (text, part) in [
        ("", "names no place"),
        ("udp://10.0.0.5", "no transport \"udp\"; write tcp://"),
        ("tcp://10.0.0.5?baud=9600", "means nothing here"),
        ("rtu:///dev/ttyS1?baud=fast", "baud cannot be \"fast\"; a serial port takes"),
        ("rtu:///dev/ttyS1?bauds=9600", "no key \"bauds\""),
        ("tls://plc", "ca is missing; TLS takes"),
        ("tls://plc?ca=a&key=k", "belong together"),
    ] {
        let told = place(text).unwrap_err().to_string();
        assert!(told.contains(part), "{text}: {told}");
    }
}
