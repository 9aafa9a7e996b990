//! Units in memory behind a real socket, for tests of what asks devices.

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use signals::Reason;

use crate::area::Area;
use crate::config::Transport;
use crate::image::Image;
use crate::scan::Read;

/// A server of units; it answers only for those it has.
pub(crate) struct Served {
    pub(crate) transport: Transport,
    pub(crate) seen: Arc<Seen>,
}

/// What the server has seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Sockets open now, and the most that ever were.
    pub(crate) open: AtomicUsize,
    pub(crate) open_max: AtomicUsize,
    pub(crate) connections: AtomicUsize,
    /// When each request came, and its function.
    pub(crate) requests: Mutex<Vec<(Instant, u8, u8)>>,
}

impl Served {
    /// Serves until the process ends. `closes_at` is a function after whose request the
    /// connection is closed instead of answered.
    pub(crate) fn start(units: BTreeMap<u8, Image>, closes_at: Option<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let seen = Arc::<Seen>::default();
        let counted = Arc::clone(&seen);
        let units = Arc::new(units);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (units, seen) = (Arc::clone(&units), Arc::clone(&counted));
                seen.connections.fetch_add(1, Ordering::SeqCst);
                let open = seen.open.fetch_add(1, Ordering::SeqCst) + 1;
                seen.open_max.fetch_max(open, Ordering::SeqCst);
                std::thread::spawn(move || {
                    let _ended = serve(stream, &units, (&seen, closes_at));
                    seen.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { transport: Transport::Tcp { host }, seen }
    }
}

fn serve(
    mut stream: TcpStream,
    units: &BTreeMap<u8, Image>,
    (seen, closes_at): (&Seen, Option<u8>),
) -> io::Result<()> {
    let mut header = [0; 7];
    loop {
        stream.read_exact(&mut header)?;
        let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
        let mut pdu = vec![0; length - 1];
        stream.read_exact(&mut pdu)?;
        seen.requests.lock().unwrap().push((Instant::now(), header[6], pdu[0]));
        if closes_at == Some(pdu[0]) {
            return Ok(());
        }
        let Some(unit) = units.get(&header[6]) else { continue };
        let answer = answer(unit, &pdu);
        let length = u16::try_from(answer.len() + 1).unwrap().to_be_bytes();
        let mut frame = header[..4].to_vec();
        frame.extend([length[0], length[1], header[6]]);
        frame.extend(answer);
        stream.write_all(&frame)?;
    }
}

fn answer(unit: &Image, pdu: &[u8]) -> Vec<u8> {
    let function = pdu[0];
    let area = Area::ALL.into_iter().find(|area| area.function() == function);
    match (area, function) {
        (Some(area), _) => {
            let word = |place: usize| u16::from_be_bytes([pdu[place], pdu[place + 1]]);
            match unit.read(Read { area, start: word(1), count: word(3) }) {
                Ok(words) => {
                    let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_be_bytes()).collect();
                    [vec![function, u8::try_from(bytes.len()).unwrap()], bytes].concat()
                }
                Err(Reason::Exception(code)) => vec![function | 0x80, code],
                Err(reason) => panic!("{reason}"),
            }
        }
        (None, 0x2B) => {
            let objects = [(0_u8, "Example"), (1, "EX-1"), (2, "1.2")];
            let mut answer = vec![0x2B, 0x0E, pdu[2], 1, 0, 0, 3];
            for (id, text) in objects {
                answer.extend([id, u8::try_from(text.len()).unwrap()]);
                answer.extend(text.bytes());
            }
            answer
        }
        (None, _) => vec![function | 0x80, 1],
    }
}
