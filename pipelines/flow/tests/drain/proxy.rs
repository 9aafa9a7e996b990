//! A network between gateway and broker that fails: a TCP proxy that breaks connections, holds
//! bytes back, and stalls as TCP does when packets are lost and sent again.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

/// How the network is.
#[derive(Clone, Copy)]
pub(crate) struct Weather {
    /// How long connections live, and how long none are taken then.
    pub(crate) up: Duration,
    pub(crate) down: Duration,
    /// How long bytes take one way.
    pub(crate) delay: Duration,
    /// Share of packets that are lost; TCP sends each again after `retry`.
    pub(crate) loss: f64,
    pub(crate) retry: Duration,
}

impl Weather {
    /// 500 ms there and back, 30 % lost, each sent again after 200 ms, or later.
    pub(crate) fn bad() -> Self {
        Self {
            up: Duration::MAX,
            down: Duration::ZERO,
            delay: Duration::from_millis(250),
            loss: 0.3,
            retry: Duration::from_millis(200),
        }
    }
}

pub(crate) struct Proxy {
    pub(crate) port: u16,
    flaps: Arc<AtomicUsize>,
}

impl Proxy {
    /// A proxy in front of `to`; runs until the test program ends.
    pub(crate) fn start(to: u16, weather: Weather) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let flaps = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&flaps);
        std::thread::spawn(move || {
            let begun = Instant::now();
            let mut seed = 7;
            for stream in listener.incoming() {
                let Ok(near) = stream else { continue };
                let period = weather.up.saturating_add(weather.down);
                let into = Duration::from_nanos(
                    u64::try_from(begun.elapsed().as_nanos() % period.as_nanos()).unwrap(),
                );
                let Some(left) = weather.up.checked_sub(into) else { continue };
                let Ok(far) = TcpStream::connect(("127.0.0.1", to)) else { continue };
                seed += 2;
                carry(&near, &far, (weather, seed));
                carry(&far, &near, (weather, seed + 1));
                if weather.up < Duration::MAX {
                    let counted = Arc::clone(&counted);
                    std::thread::spawn(move || {
                        std::thread::sleep(left);
                        counted.fetch_add(1, Ordering::SeqCst);
                        drop(near.shutdown(Shutdown::Both));
                        drop(far.shutdown(Shutdown::Both));
                    });
                }
            }
        });
        Self { port, flaps }
    }

    /// Connections that were broken.
    pub(crate) fn flaps(&self) -> usize {
        self.flaps.load(Ordering::SeqCst)
    }
}

/// Carries bytes one way, each packet when it is due and never before the one in front of it.
fn carry(from: &TcpStream, to: &TcpStream, (weather, mut state): (Weather, u64)) {
    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
    to.set_nodelay(true).unwrap();
    let (held, due) = mpsc::sync_channel::<(Instant, Vec<u8>)>(1_024);
    std::thread::spawn(move || {
        let mut packet = [0; 1_400];
        while let Ok(length @ 1..) = from.read(&mut packet) {
            let mut arrives = Instant::now() + weather.delay;
            let mut retry = weather.retry;
            while fraction(&mut state) < weather.loss {
                arrives += retry;
                // RFC 6298: the timer doubles.
                retry *= 2;
            }
            if held.send((arrives, packet[..length].to_vec())).is_err() {
                return;
            }
        }
    });
    std::thread::spawn(move || {
        while let Ok((arrives, bytes)) = due.recv() {
            std::thread::sleep(arrives.saturating_duration_since(Instant::now()));
            if to.write_all(&bytes).is_err() {
                return;
            }
        }
        drop(to.shutdown(Shutdown::Both));
    });
}

/// The next of a sequence in 0..1 (`SplitMix64`).
#[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
fn fraction(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^= mixed >> 31;
    (mixed >> 11) as f64 / (1_u64 << 53) as f64
}
