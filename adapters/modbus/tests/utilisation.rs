//! How much of a serial line's time the engine uses when it is asked for more than the line has.
//!
//! `cargo test --release -p adapters-modbus --test utilisation -- --nocapture` prints the numbers.

#[cfg(test)]
#[path = "utilisation/line_model.rs"]
mod line_model;

#[cfg(test)]
#[path = "utilisation/fault_server.rs"]
mod fault_server;

#[cfg(test)]
mod saturated {
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use adapters_modbus::area::{Address, Area};
    use adapters_modbus::config::{Line, Serial, Transport};
    use adapters_modbus::decode::{Format, RegisterType};
    use adapters_modbus::scan::{Limits, Point, Scan};
    use adapters_modbus::{ModbusLine, check};
    use serde_json::json;
    use signals::adapter::Intake;
    use signals::{
        Adapter as _, Batch, Clock, ClockState, Feed, Signal, Stop, Table, Timestamp, ValueType,
    };

    use crate::fault_server;
    use crate::line_model::LineModel;

    /// Registers of the device, read 125 at a time: what moves the most values over a line.
    const REGISTERS: u16 = 250;
    /// What a device takes to think, as in the table of physical limits.
    const TURNAROUND: Duration = Duration::from_millis(4);
    /// How long the line is watched.
    const WATCHED: Duration = Duration::from_secs(4);
    /// What of the time of a line must be used between one median exchange and the next. The
    /// median, because a machine busy with other tests now and then wakes the engine late.
    const SHARE_MIN: f64 = 0.95;
    /// Least share of the whole time on the fault server, late wake-ups of both sides included.
    const SHARE_MIN_SLOW: f64 = 0.80;

    /// Polls a line of this rate without end and holds its use against the physical limit.
    fn check_rate(baud: u32) {
        let model = LineModel::start(baud, TURNAROUND);
        let transport = Transport::Rtu {
            port: model.path.clone(),
            serial: Serial { baud, ..Serial::default() },
        };
        let stop = Stop::new();
        let feed = Feed {
            intake: Arc::new(Nowhere),
            clock: Arc::new(Running(Instant::now())),
            stop: stop.clone(),
        };
        let line = Box::new(ModbusLine::new(line(transport)));
        let polling = std::thread::spawn(move || line.run(feed));
        let used = model.watch(WATCHED);
        stop.raise();
        polling.join().expect("a line ends without a panic");
        let typical = used.exchange.as_secs_f64();
        let typical = typical / (typical + used.late_median.as_secs_f64());
        println!(
            "{baud} baud: {:.1} % of the line's time used, {:.1} % at the median; {} exchanges of \
             {:.1} ms; the engine was ready {:.2} ms late at the median, {:.2} ms at the worst; the \
             model itself woke late by {:.2} ms at the worst, left out",
            used.share * 100.0,
            typical * 100.0,
            used.exchanges,
            used.exchange.as_secs_f64() * 1e3,
            used.late_median.as_secs_f64() * 1e3,
            used.late_max.as_secs_f64() * 1e3,
            used.model_late_max.as_secs_f64() * 1e3,
        );
        assert_eq!(used.gaps_short, 0, "t3.5 is kept");
        assert!(typical >= SHARE_MIN, "{baud} baud: {typical:.3}");
    }

    #[test]
    fn a_line_of_9_600_baud_is_used_to_its_physical_limit() {
        check_rate(9_600);
    }

    #[test]
    fn a_line_of_19_200_baud_is_used_to_its_physical_limit() {
        check_rate(19_200);
    }

    #[test]
    fn a_line_of_115_200_baud_is_used_to_its_physical_limit() {
        check_rate(115_200);
    }

    /// The same on the line model of the fault server: another program's times. Above 19,200 baud
    /// an exchange is so short that what is judged is how soon Python wakes: told, not judged.
    #[test]
    fn a_slow_line_of_the_fault_server_is_used_to_its_physical_limit() {
        for (baud, share_min) in [(9_600, SHARE_MIN_SLOW), (19_200, SHARE_MIN_SLOW), (115_200, 0.0)]
        {
            let used = fault_server::used(baud, TURNAROUND, line);
            println!("{baud} baud, fault server: {:.1} % of the line's time used", used * 100.0);
            assert!(used >= share_min, "{baud} baud: {used:.3}");
        }
    }

    /// A line with one device whose registers are wanted every millisecond.
    fn line(transport: Transport) -> Line {
        let line = json!({ "name": "line", "host": "127.0.0.1:1" });
        let tag = json!({ "name": "tag", "at": "holding:0", "type": "u16", "every": "10 s" });
        let device = json!({
            "name": "device", "line": "line", "unit": 1, "timeout": "2 s", "tag": [tag],
        });
        let line = serde_json::from_value(line).expect("a line");
        let device = serde_json::from_value(device).expect("a device");
        let mut line = check(vec![line], vec![device], "site").expect("it is right").remove(0);
        line.transport = transport;
        let signal =
            |register| Signal::new(format!("p/{register}"), format!("r{register}"), ValueType::U16);
        let signals = (0..REGISTERS).map(signal).collect();
        let table = Table::of_signals("device_1ms", "device", false, signals).expect("a table");
        let point = |offset| {
            let address = Address { area: Area::Holding, offset };
            Point::new(address, Format::new(RegisterType::U16))
        };
        let limits = Limits::default();
        let points = (0..REGISTERS).map(point).collect();
        let scan = Scan::new(table, Duration::from_millis(1), points, &limits);
        line.devices[0].scans = vec![scan];
        line
    }

    pub(crate) struct Nowhere;

    impl Intake for Nowhere {
        fn offer(&self, batch: Batch) -> Result<(), Box<Batch>> {
            assert!(batch.flaws.is_empty(), "every answer comes in time: {:?}", batch.flaws[0]);
            Ok(())
        }
    }

    pub(crate) struct Running(pub(crate) Instant);

    impl Clock for Running {
        fn now(&self) -> Timestamp {
            Timestamp::from_micros(1_800_000_000_000_000).plus(self.0.elapsed())
        }

        fn monotonic(&self) -> Duration {
            self.0.elapsed()
        }

        fn state(&self) -> ClockState {
            ClockState::Synced
        }
    }
}
