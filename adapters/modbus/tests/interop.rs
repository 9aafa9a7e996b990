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

use adapters_modbus::config::Transport;

use images::{Sheet, sheets};
use polled::first_rows;
use servers::{Libmodbus, Pymodbus, TokioModbus};

/// Reads a device once and holds every tag against its image.
#[cfg(test)]
fn check(server: &str, sheet: &Sheet, transport: Transport) {
    let rows = first_rows(sheet.line(transport));
    let wrong = sheet.differences(&rows);
    assert!(wrong.is_empty(), "{server}, {}: {wrong:#?}", sheet.device);
    println!("{server}: {}: {} tags equal, {}", sheet.device, sheet.judged(), sheet.left_out());
}

fn tcp(port: u16) -> Transport {
    Transport::Tcp { host: format!("127.0.0.1:{port}") }
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
