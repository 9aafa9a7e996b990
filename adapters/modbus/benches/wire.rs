//! What a request costs: the TCP engine against a fast server on the loopback.
//!
//! `cargo bench -p adapters-modbus --bench wire [-- SECONDS]`. CPU time is that of the client's
//! own thread, system calls included, from `/proc/thread-self/schedstat`; the server has another.

#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use adapters_modbus::area::Area;
use adapters_modbus::config::Transport;
use adapters_modbus::scan::Read;
use adapters_modbus::wire::{Ask, Fate, FrameTrace, Framing, Outcomes, TraceTap, dial};

fn main() {
    let seconds = std::env::args().find_map(|word| word.parse().ok()).unwrap_or(2);
    let limit = Duration::from_secs(seconds);
    let server = serve();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime on this thread");
    println!("depth  registers  trace  CPU us/request  requests/s");
    for (depth, registers, traced) in [
        (1, 10, false),
        (1, 125, false),
        (4, 10, false),
        (16, 10, false),
        (16, 10, true),
        (16, 125, false),
    ] {
        runtime.block_on(measure(server, limit, Load { depth, registers, traced }));
    }
    println!("a frame kept in the trace: {:.1} ns", trace_cost());
}

struct Load {
    depth: usize,
    registers: u16,
    traced: bool,
}

async fn measure(server: SocketAddr, limit: Duration, load: Load) {
    let transport = Transport::Tcp { host: server.to_string() };
    let mut wire = dial(&transport, 65_000).await.expect("the server listens");
    if load.traced {
        wire.trace_into(Arc::new(FrameTrace::new()));
    }
    let read = Read { area: Area::Holding, start: 0, count: load.registers };
    let asks = vec![Ask { unit: 1, read, timeout: Duration::from_secs(1) }; 64 * load.depth];
    let mut outcomes = Outcomes::default();
    let (begin, cpu, mut requests) = (Instant::now(), cpu_ns(), 0_u64);
    while begin.elapsed() < limit {
        outcomes.words.clear();
        outcomes.reads.clear();
        wire.read_many(&asks, load.depth, &mut outcomes).await;
        assert!(outcomes.reads.iter().all(|outcome| outcome.words.is_ok()), "a read failed");
        requests += asks.len() as u64;
    }
    let (cpu, wall) = ((cpu_ns() - cpu) / 1e3, begin.elapsed().as_secs_f64());
    #[expect(clippy::cast_precision_loss, reason = "fewer requests than 2^52")]
    let requests = requests as f64;
    println!(
        "{:5}  {:9}  {:5}  {:14.2}  {:10.0}",
        load.depth,
        load.registers,
        load.traced,
        cpu / requests,
        requests / wall
    );
}

/// Nanoseconds to keep one frame of 29 bytes, by the wall clock, ring full.
fn trace_cost() -> f64 {
    const FRAMES: u32 = 2_000_000;
    let trace = Arc::new(FrameTrace::new());
    let tap = TraceTap::new(Arc::clone(&trace), Framing::Mbap);
    let at = tokio::time::Instant::now();
    let begin = cpu_ns();
    for _ in 0..FRAMES {
        tap.note(at, Fate::Answer, std::hint::black_box(&[7; 29]));
    }
    (cpu_ns() - begin) / f64::from(FRAMES)
}

/// CPU time of this thread.
fn cpu_ns() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    stat.split(' ').next().and_then(|ns| ns.parse().ok()).expect("its first number")
}

/// Answers every read of registers; several requests in one read, their answers in one write.
fn serve() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer(stream));
        }
    });
    address
}

fn answer(mut stream: TcpStream) {
    stream.set_nodelay(true).expect("a TCP socket");
    let (mut inbox, mut outbox) = (vec![0_u8; 4096], Vec::new());
    let mut filled = 0;
    while let Ok(came) = stream.read(inbox.get_mut(filled..).unwrap_or_default()) {
        if came == 0 {
            return;
        }
        filled += came;
        outbox.clear();
        let whole = filled / 12 * 12;
        for request in inbox.get(..whole).unwrap_or_default().chunks_exact(12) {
            let [id0, id1, .., count] = request else { continue };
            let unit = request.get(6).copied().unwrap_or_default();
            outbox.extend([*id0, *id1, 0, 0, 0, count * 2 + 3, unit, 3, count * 2]);
            outbox.resize(outbox.len() + usize::from(*count) * 2, 0x5A);
        }
        inbox.copy_within(whole..filled, 0);
        filled -= whole;
        if stream.write_all(&outbox).is_err() {
            return;
        }
    }
}
