//! A Modbus device whose registers count the reads they have answered: a hole in the numbers is a
//! sample that was taken and lost.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// The device, unit 1: a read of input registers gives the running number of the read, high word
/// first.
pub(crate) struct CountingDevice {
    /// Its port.
    pub(crate) port: u16,
    reads: Arc<AtomicU32>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl CountingDevice {
    /// Serves on a free port until it is dropped.
    pub(crate) fn start() -> Self {
        Self::slow(Duration::ZERO)
    }

    /// As [`CountingDevice::start`]; each answer takes so long.
    pub(crate) fn slow(answer: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
        let port = listener.local_addr().expect("a bound listener has an address").port();
        let (reads, ended) = (Arc::<AtomicU32>::default(), Arc::<AtomicBool>::default());
        let (count, end) = (Arc::clone(&reads), Arc::clone(&ended));
        let thread = std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if end.load(Ordering::Relaxed) {
                    return;
                }
                let count = Arc::clone(&count);
                // Ends with its connection.
                std::thread::spawn(move || drop(serve(client, (&count, answer))));
            }
        });
        Self { port, reads, ended, thread: Some(thread) }
    }

    /// Reads answered so far.
    pub(crate) fn reads(&self) -> u32 {
        self.reads.load(Ordering::Relaxed)
    }
}

impl Drop for CountingDevice {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(("127.0.0.1", self.port)));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// Answers one connection. Request: transaction, protocol, length, unit, function, start, count.
fn serve(mut client: TcpStream, (reads, takes): (&AtomicU32, Duration)) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    loop {
        let mut request = [0_u8; 12];
        client.read_exact(&mut request)?;
        // The time that the device takes is what is simulated.
        std::thread::sleep(takes);
        let [t0, t1, .., unit, function, _, _, _, count] = request;
        let count = usize::from(count);
        let number = reads.fetch_add(1, Ordering::Relaxed) + 1;
        let words = number.to_be_bytes().into_iter().chain([0; 250]).take(2 * count);
        let bytes = u8::try_from(2 * count).unwrap_or(0);
        let mut answer = vec![t0, t1, 0, 0, 0, bytes.saturating_add(3), unit, function, bytes];
        answer.extend(words);
        client.write_all(&answer)?;
    }
}
