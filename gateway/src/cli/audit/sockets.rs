//! What of this machine waits for connections, as the kernel lists it in `/proc/net`.

use std::collections::HashMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A socket that takes what others send.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Listener {
    pub(super) protocol: &'static str,
    pub(super) address: SocketAddr,
    inode: u64,
}

/// `st` of `tcp(7)` sockets in the state LISTEN, and of `udp(7)` sockets that are not connected.
const LISTENS: [(&str, &str, &str); 4] = [
    ("tcp", "/proc/net/tcp", "0A"),
    ("tcp", "/proc/net/tcp6", "0A"),
    ("udp", "/proc/net/udp", "07"),
    ("udp", "/proc/net/udp6", "07"),
];

/// All of them, each once. A list the kernel does not have (no IPv6) is empty.
pub(super) fn listeners() -> Vec<Listener> {
    let mut all: Vec<Listener> = LISTENS
        .iter()
        .flat_map(|(protocol, path, state)| {
            let text = fs::read_to_string(path).unwrap_or_default();
            text.lines().skip(1).filter_map(|line| read(line, protocol, state)).collect::<Vec<_>>()
        })
        .collect();
    all.sort();
    all.dedup_by(|a, b| (a.protocol, a.address) == (b.protocol, b.address));
    all
}

/// One line of the list, when it is in that state.
fn read(line: &str, protocol: &'static str, state: &str) -> Option<Listener> {
    let mut fields = line.split_ascii_whitespace();
    let local = fields.nth(1)?;
    if fields.nth(1)? != state {
        return None;
    }
    let inode = fields.nth(5)?.parse().ok()?;
    let (ip, port) = local.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    Some(Listener { protocol, address: SocketAddr::new(address(ip)?, port), inode })
}

/// Words of four bytes, each printed as a number of this machine's byte order.
fn address(digits: &str) -> Option<IpAddr> {
    let words: Option<Vec<[u8; 4]>> = digits
        .as_bytes()
        .chunks(8)
        .map(|word| {
            let word = std::str::from_utf8(word).ok().filter(|word| word.len() == 8)?;
            u32::from_str_radix(word, 16).ok().map(u32::to_ne_bytes)
        })
        .collect();
    let bytes: Vec<u8> = words?.concat();
    if let Ok(bytes) = <[u8; 4]>::try_from(bytes.as_slice()) {
        return Some(Ipv4Addr::from(bytes).into());
    }
    let bytes = <[u8; 16]>::try_from(bytes.as_slice()).ok()?;
    Some(Ipv6Addr::from(bytes).to_canonical())
}

/// Names of programs by the inode of a socket they have open; only of those this user may look at.
pub(super) fn programs() -> HashMap<u64, String> {
    let mut names = HashMap::new();
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let is_process =
            process.file_name().to_str().is_some_and(|name| name.parse::<u32>().is_ok());
        if !is_process {
            continue;
        }
        let Ok(files) = fs::read_dir(process.path().join("fd")) else { continue };
        let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
        for file in files.flatten() {
            let Ok(target) = fs::read_link(file.path()) else { continue };
            let inode = target
                .to_str()
                .and_then(|text| text.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok());
            if let Some(inode) = inode {
                names.insert(inode, name.trim().to_owned());
            }
        }
    }
    names
}

impl Listener {
    #[cfg(test)]
    pub(super) fn of(protocol: &'static str, address: SocketAddr) -> Self {
        Self { protocol, address, inode: 0 }
    }

    /// The program that has it open, as far as it is known.
    pub(super) fn program<'a>(&self, programs: &'a HashMap<u64, String>) -> Option<&'a str> {
        programs.get(&self.inode).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};

    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn lines_of_the_kernel_are_read_and_other_states_are_not() {
        let line = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 \
                    1000        0 4711 1 0000000000000000 100 0 0 10 0";
        let read_one = read(line, "tcp", "0A").unwrap();
        assert_eq!(read_one.address, "127.0.0.1:8080".parse().unwrap());
        assert_eq!(read_one.inode, 4711);
        assert_eq!(read(line, "tcp", "01"), None, "a connection is no listener");
        let six = line.replacen("0100007F", "00000000000000000000000001000000", 1);
        assert_eq!(read(&six, "tcp", "0A").unwrap().address, "[::1]:8080".parse().unwrap());
        let mapped = line.replacen("0100007F", "0000000000000000FFFF00000100000A", 1);
        assert_eq!(read(&mapped, "tcp", "0A").unwrap().address, "10.0.0.1:8080".parse().unwrap());
        for damaged in ["", "x", &line[..40], &line.replacen("0100007F", "01000", 1)] {
            assert_eq!(read(damaged, "tcp", "0A"), None, "{damaged:?}");
        }
    }

    #[test]
    fn a_socket_of_this_program_is_found_with_its_name() {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (all, programs) = (listeners(), programs());
        for (protocol, address) in
            [("tcp", tcp.local_addr().unwrap()), ("udp", udp.local_addr().unwrap())]
        {
            let found = all.iter().find(|one| one.protocol == protocol && one.address == address);
            let own = fs::read_to_string("/proc/self/comm").unwrap();
            // The name of a thread stands there; the process's main thread names the program.
            assert!(found.unwrap().program(&programs).is_some(), "{protocol}; this is {own}");
        }
    }
}
