use std::time::Instant;

use signals::{ManualClock, Timestamp};
use tokio_modbus::Slave;
use tokio_modbus::client::{Context, Reader, Writer, tcp};

use super::*;
use crate::plant::{Device, Fault, FaultKind, Schedule};

const START: Timestamp = Timestamp::from_micros(1_772_438_400_000_000);

struct Bench {
    server: PlantServer,
    clock: Arc<ManualClock>,
    stop: Stop,
}

fn bench() -> Bench {
    let clock = Arc::new(ManualClock::new(START));
    let stop = Stop::new();
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    let shared: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
    let server = PlantServer::start(Plant::new(1, START), shared, address, stop.clone()).unwrap();
    Bench { server, clock, stop }
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        tokio::time::timeout(Duration::from_secs(20), test).await.expect("ends in time");
    });
}

impl Bench {
    async fn client(&self, unit: u8) -> Context {
        tcp::connect_slave(self.server.address(), Slave(unit)).await.unwrap()
    }

    fn end(self) {
        self.stop.raise();
        self.server.join();
    }
}

#[test]
fn a_client_reads_what_the_plant_shows() {
    let bench = bench();
    run(async {
        let mut client = bench.client(3).await;
        let mut plant = Plant::new(1, START);
        for _ in 0..3 {
            bench.clock.advance(Duration::from_secs(10));
            plant.advance_to(bench.clock.now());
            let words = client.read_input_registers(40, 12).await.unwrap().unwrap();
            assert_eq!(Ok(&words[..]), plant.read(3, Table::Input, 40, 12));
        }
        let bits = client.read_discrete_inputs(0, 6).await.unwrap().unwrap();
        assert_eq!(bits.len(), 6);
        assert_eq!(client.read_coils(0, 2).await.unwrap().unwrap(), [true, false]);
    });
    bench.end();
}

#[test]
fn every_unit_answers_with_its_own_registers() {
    let bench = bench();
    run(async {
        for (unit, start) in [(3, 0), (17, 2), (4, 1016)] {
            let mut client = bench.client(unit).await;
            let words = client.read_holding_registers(start, 2).await.unwrap().unwrap();
            let plant = Plant::new(1, START);
            assert_eq!(Ok(&words[..]), plant.read(unit, Table::Holding, start, 2));
        }
    });
    bench.end();
}

#[test]
fn refusals_are_the_exceptions_of_the_standard() {
    let bench = bench();
    run(async {
        let mut pump = bench.client(3).await;
        let no_such_register = pump.read_input_registers(16, 2).await.unwrap();
        assert_eq!(no_such_register, Err(ExceptionCode::IllegalDataAddress));
        let too_many = pump.read_input_registers(0, 17).await.unwrap();
        assert_eq!(too_many, Err(ExceptionCode::IllegalDataValue));
        let write = pump.write_single_register(1, 5).await.unwrap();
        assert_eq!(write, Err(ExceptionCode::IllegalFunction));
        let write = pump.write_multiple_coils(0, &[true, true]).await.unwrap();
        assert_eq!(write, Err(ExceptionCode::IllegalFunction));
        let nobody = bench.client(9).await.read_input_registers(0, 1).await.unwrap();
        assert_eq!(nobody, Err(ExceptionCode::GatewayTargetDevice));
    });
    bench.end();
}

#[test]
fn a_dead_unit_is_silent_and_the_others_answer() {
    let bench = bench();
    run(async {
        bench.server.switches().set_dead(17, true);
        let mut dead = bench.client(17).await;
        let wait = Duration::from_millis(100);
        let answer = tokio::time::timeout(wait, dead.read_input_registers(0, 1)).await;
        assert!(answer.is_err());
        let mut alive = bench.client(3).await;
        assert!(alive.read_input_registers(0, 1).await.unwrap().is_ok());
        bench.server.switches().set_dead(17, false);
        let mut again = bench.client(17).await;
        assert!(again.read_input_registers(0, 1).await.unwrap().is_ok());
    });
    bench.end();
}

#[test]
fn a_slow_unit_takes_its_time() {
    let bench = bench();
    run(async {
        bench.server.switches().set_delay(4, Duration::from_millis(80));
        let mut slow = bench.client(4).await;
        let asked = Instant::now();
        assert!(slow.read_holding_registers(1016, 1).await.unwrap().is_ok());
        assert!(asked.elapsed() >= Duration::from_millis(80));
    });
    bench.end();
}

#[test]
fn a_connection_above_the_limit_is_closed_and_a_place_is_free_when_one_leaves() {
    let bench = bench();
    run(async {
        let mut clients = Vec::new();
        for _ in 0..CONNECTIONS_MAX {
            let mut client = bench.client(3).await;
            assert!(client.read_input_registers(0, 1).await.unwrap().is_ok());
            clients.push(client);
        }
        assert!(bench.client(3).await.read_input_registers(0, 1).await.is_err());
        drop(clients.pop());
        while bench.client(3).await.read_input_registers(0, 1).await.is_err() {}
    });
    bench.end();
}

#[test]
fn raising_stop_ends_the_server_with_clients_connected() {
    let bench = bench();
    let address = bench.server.address();
    let idle = std::net::TcpStream::connect(address).unwrap();
    bench.end();
    assert!(std::net::TcpStream::connect(address).is_err());
    drop(idle);
}

#[test]
fn an_address_in_use_is_an_error_that_names_it() {
    let bench = bench();
    let address = bench.server.address();
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(START));
    let second = PlantServer::start(Plant::new(1, START), clock, address, Stop::new());
    let message = second.err().unwrap().to_string();
    assert!(message.contains(&address.to_string()), "{message}");
    bench.end();
}

#[test]
fn a_fault_is_seen_over_the_socket() {
    let fault = Fault::new(FaultKind::VibrationSensorStuck, START, Duration::from_hours(1));
    let clock = Arc::new(ManualClock::new(START));
    let shared: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
    let plant = Plant::with_schedule(1, START, Schedule::at(vec![fault]));
    let stop = Stop::new();
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    let server = PlantServer::start(plant, shared, address, stop.clone()).unwrap();
    clock.advance(Duration::from_mins(1));
    run(async {
        let unit = Slave(Device::Pump.unit());
        let mut client = tcp::connect_slave(server.address(), unit).await.unwrap();
        let words = client.read_input_registers(48, 2).await.unwrap().unwrap();
        let vibration = f32::from_bits(u32::from(words[1]) << 16 | u32::from(words[0]));
        assert_eq!(vibration.to_bits(), 0.6_f32.to_bits());
    });
    stop.raise();
    server.join();
}
