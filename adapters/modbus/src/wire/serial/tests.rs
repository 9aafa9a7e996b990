use std::path::PathBuf;
use std::time::Duration;

use serial2::SerialPort;
use tokio::io::AsyncWriteExt as _;
use tokio::time::Instant;

use super::Port;
use crate::area::Area;
use crate::config::{Serial, Transport};
use crate::scan::Read;
use crate::wire::crc::crc;
use crate::wire::{Fault, Turn, Wire, dial};

/// A pseudo terminal: the device's end, the gateway's, and its path.
fn pty() -> (SerialPort, SerialPort, PathBuf) {
    let (far, near) = SerialPort::pair().unwrap();
    let fd = std::os::fd::AsRawFd::as_raw_fd(&near);
    let path = std::fs::read_link(format!("/proc/self/fd/{fd}")).unwrap();
    (far, near, path)
}

async fn read(wire: &mut Wire) -> Result<Vec<u16>, Fault> {
    let mut words = Vec::new();
    let turn = Turn { unit: 1, deadline: Instant::now() + Duration::from_secs(5) };
    let two = Read { area: Area::Holding, start: 0, count: 2 };
    wire.read(turn, two, &mut words).await.map(|()| words)
}

#[tokio::test]
async fn a_line_is_read_over_a_pseudo_terminal_until_its_plug_is_pulled() {
    let (far, near, port) = pty();
    drop(near);
    let transport = Transport::Rtu { port, serial: Serial::default() };
    let mut wire = dial(&transport, 0).await.unwrap();
    let device = std::thread::spawn(move || {
        let mut far = far;
        let mut request = [0; 8];
        far.set_read_timeout(Duration::from_secs(5)).unwrap();
        far.read_exact(&mut request).unwrap();
        assert_eq!(request, [1, 3, 0, 0, 0, 2, 0xC4, 0x0B]);
        far.write_all(&[1, 3, 4, 0, 11, 0, 12]).unwrap();
        far.write_all(&crc(&[1, 3, 4, 0, 11, 0, 12]).to_le_bytes()).unwrap();
        far
    });
    assert_eq!(read(&mut wire).await, Ok(vec![11, 12]));
    drop(device.join().unwrap());
    let fault = wire.idle().await;
    assert!(matches!(fault, Fault::Io(_) | Fault::Closed), "{fault:?}");
    assert_eq!(fault.reason(), signals::Reason::NotConnected);
    assert!(wire.is_broken());
}

#[tokio::test]
async fn a_port_is_ours_alone_until_it_is_closed() {
    let (_far, _near, path) = pty();
    let mut port = Port::open(&path, &Serial::default()).unwrap();
    port.write_all(b"x").await.unwrap();
    let err = Port::open(&path, &Serial::default()).unwrap_err();
    assert!(err.to_string().contains("another program uses it"), "{err}");
    drop(port);
    Port::open(&path, &Serial::default()).unwrap();
}

#[tokio::test]
async fn flushing_a_port_ends() {
    let (_far, _near, path) = pty();
    let mut port = Port::open(&path, &Serial::default()).unwrap();
    port.write_all(b"x").await.unwrap();
    tokio::time::timeout(Duration::from_secs(5), port.flush()).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_port_that_is_not_there_or_no_port_says_what_to_do() {
    let missing = Port::open("/dev/ttyNOWHERE".as_ref(), &Serial::default()).unwrap_err();
    assert!(missing.to_string().contains("/dev/serial/by-path"), "{missing}");
    let file = Port::open("/dev/null".as_ref(), &Serial::default()).unwrap_err();
    assert!(file.to_string().contains("not a serial port"), "{file}");
}
