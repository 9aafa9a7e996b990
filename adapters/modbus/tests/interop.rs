//! The same five devices behind servers of three makes: every tag reads as the images say.
//!
//! pymodbus, tokio-modbus and libmodbus share no code with each other or with the engine here.
//! Missing parts fail the tests: `tests/run peers` installs them.

#[cfg(test)]
#[path = "interop/images.rs"]
mod images;
#[cfg(test)]
#[path = "interop/polled.rs"]
mod polled;
#[cfg(test)]
#[path = "interop/servers.rs"]
mod servers;

use std::path::PathBuf;

use adapters_modbus::config::{Serial, Transport};

use images::{Sheet, sheets};
use polled::first_rows;
use servers::{Libmodbus, Pymodbus, TokioModbus};

/// Reads a device once and holds every tag against its image.
#[cfg(test)]
fn check(server: &str, sheet: &Sheet, transport: Transport) {
    let rows = first_rows(sheet.line(transport));
    let wrong = sheet.differences(&rows);
    assert!(wrong.is_empty(), "{server}, {}: {wrong:#?}", sheet.device);
    println!("{server}: {}: {} tags equal", sheet.device, sheet.tags().len());
}

fn tcp(port: u16) -> Transport {
    Transport::Tcp { host: format!("127.0.0.1:{port}") }
}

fn rtu_over_tcp(port: u16) -> Transport {
    Transport::RtuOverTcp { host: format!("127.0.0.1:{port}") }
}

#[test]
fn every_tag_behind_pymodbus_reads_as_the_image_says() {
    let sheets = sheets();
    let server = Pymodbus::serve(&sheets, &[]);
    for sheet in &sheets {
        check("pymodbus, tcp", sheet, tcp(server.port(sheet)));
    }
}

#[test]
fn every_tag_behind_tokio_modbus_reads_as_the_image_says() {
    for sheet in sheets() {
        let server = TokioModbus::serve(&sheet);
        check("tokio-modbus, tcp", &sheet, tcp(server.port));
    }
}

#[test]
fn every_tag_behind_libmodbus_reads_as_the_image_says() {
    for sheet in sheets() {
        let server = Libmodbus::serve(&sheet, &["tcp"]);
        let port = server.place.parse().expect("libmodbus tells its port");
        check("libmodbus, tcp", &sheet, tcp(port));
    }
}

#[test]
fn every_tag_behind_pymodbus_reads_as_the_image_says_in_rtu_over_tcp() {
    let sheets = sheets();
    let server = Pymodbus::serve(&sheets, &["--rtu-over-tcp"]);
    for sheet in &sheets {
        check("pymodbus, rtu over tcp", sheet, rtu_over_tcp(server.port(sheet)));
    }
}

#[test]
fn every_tag_behind_libmodbus_reads_as_the_image_says_on_a_serial_line() {
    let serial = Serial { baud: 115_200, ..Serial::default() };
    for sheet in sheets() {
        let server = Libmodbus::serve(&sheet, &["rtu", "115200"]);
        let port = PathBuf::from(&server.place);
        check("libmodbus, rtu on a pty", &sheet, Transport::Rtu { port, serial });
    }
}
