//! Ports, interfaces and addresses, looked at while no gateway uses them.

use std::fs::OpenOptions;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::path::Path;
use std::time::Duration;

use adapters_can::bus::Origin;
use adapters_modbus::config::Transport;

use crate::cli::finding::Finding;
use crate::config::Config;

/// For one address; a name may have several.
const CONNECT_PATIENCE: Duration = Duration::from_secs(3);
/// Addresses of a name that are tried.
const ADDRESSES_MAX: usize = 2;

/// The far end of each Modbus line.
pub(super) fn lines(config: &Config, offline: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    for line in &config.lines {
        let about = format!("line {}", line.name);
        match &line.transport {
            Transport::Tcp { host }
            | Transport::RtuOverTcp { host }
            | Transport::Tls { host, .. } => {
                if !offline {
                    findings.push(connect(about, host));
                }
            }
            Transport::Rtu { port, .. } => findings.push(serial(about, port)),
        }
    }
    findings
}

fn serial(about: String, port: &Path) -> Finding {
    let name = port.display();
    match OpenOptions::new().read(true).write(true).open(port) {
        Ok(_) => Finding::good(about, format!("{name} can be opened")),
        Err(err) => Finding::bad(
            about,
            format!("{name}: {err}"),
            "check that the adapter is plugged in, and that the gateway's user is in the group of \
             the port (`dialout` on Debian); names in /dev/serial/by-id stay the same",
        ),
    }
}

/// The interface of each live bus.
pub(super) fn buses(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    for bus in &config.buses {
        let about = format!("bus {}", bus.bus.name);
        match &bus.bus.origin {
            Origin::Interface(live) => findings.push(interface(about, &live.interface)),
            Origin::Replay(_) => {}
        }
    }
    findings
}

fn interface(about: String, name: &str) -> Finding {
    let state = Path::new("/sys/class/net").join(name).join("operstate");
    match std::fs::read_to_string(state).as_deref().map(str::trim) {
        Ok("down") => Finding::bad(
            about,
            format!("interface {name} is down"),
            format!("`ip link set {name} up type can bitrate …`, or let networkd do it"),
        ),
        Ok(state) => Finding::good(about, format!("interface {name} is {state}")),
        Err(err) => Finding::bad(
            about,
            format!("interface {name}: {err}"),
            "check that the adapter is plugged in and its module loaded; `ip link` lists them",
        ),
    }
}

/// The broker of each uplink.
pub(super) fn uplinks(config: &Config) -> Vec<Finding> {
    let of = |uplink: &crate::config::UplinkSettings| {
        let host = if uplink.host.contains(':') {
            format!("[{}]:{}", uplink.host, uplink.port)
        } else {
            format!("{}:{}", uplink.host, uplink.port)
        };
        connect(format!("uplink {}", uplink.name), &host)
    };
    config.uplinks.iter().map(of).collect()
}

fn connect(about: String, host: &str) -> Finding {
    let addresses: Vec<SocketAddr> = match host.to_socket_addrs() {
        Ok(addresses) => addresses.take(ADDRESSES_MAX).collect(),
        Err(err) => {
            let remedy = "check the name, and that a name server is reachable";
            return Finding::bad(about, format!("{host}: {err}"), remedy);
        }
    };
    let mut problem = "no address".to_owned();
    for address in addresses {
        match TcpStream::connect_timeout(&address, CONNECT_PATIENCE) {
            Ok(_) => return Finding::good(about, format!("{host} takes connections")),
            Err(err) => problem = err.to_string(),
        }
    }
    let remedy = "check cable, address and port, and what stands in between (firewall, VLAN)";
    Finding::bad(about, format!("{host}: {problem}"), remedy)
}
