//! A client that is wrong on purpose: the join must be able to fail.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::json;
use signals::{Clock as _, Quality};

use crate::case::{Carrier, Scenario};
use crate::oracle::{Offset, Oracle, journal};
use crate::rig::{Cell, LiveClock, Number, Row};
use crate::server::FaultServer;

/// Polls of the naive client, 100 ms apart.
const POLLS: u16 = 60;

/// Asks for ten registers, takes the next frame for the answer, and gives up after 60 ms.
fn ask(stream: &mut TcpStream, id: u16) -> Option<Vec<u16>> {
    let [high, low] = id.to_be_bytes();
    stream.write_all(&[high, low, 0, 0, 0, 6, 1, 3, 0, 0, 0, 10]).unwrap();
    let mut frame = [0; 29];
    stream.read_exact(&mut frame).ok()?;
    Some(frame[9..].chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect())
}

#[test]
fn the_oracle_finds_the_old_values_that_a_client_without_ids_takes_for_new() {
    let scenario = Scenario::read(
        &json!({
            "name": "naive",
            "server": {"units": {"1": {"tables": {"holding": [
                {"start": 0, "count": 10, "gen": {"kind": "sig", "period_ms": 50}},
            ]}}}},
            "poll": [{"unit": 1, "start": 0, "count": 10, "period_ms": 100, "timeout_ms": 60}],
            "expect": {"wrong_values": 0},
        }),
        1.0,
    );
    let server = FaultServer::start(&scenario.server, Carrier::Tcp, 1);
    let late =
        json!([{"when": {"nth": 20}, "do": [{"action": "delay", "ms": 80, "detach": true}]}]);
    server.http("POST", "/faults", &late);
    let mut stream = TcpStream::connect(&server.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(60))).unwrap();
    let (clock, watch) = (LiveClock::start(), Instant::now());
    let mut rows = Vec::new();
    for poll in 0..POLLS {
        let due = Duration::from_millis(100) * u32::from(poll);
        std::thread::sleep(due.saturating_sub(watch.elapsed()));
        let begin = clock.now().micros();
        let Some(words) = ask(&mut stream, poll) else { continue };
        let end = clock.now().micros();
        let cell = |(tag, word): (&crate::case::Polled, u16)| Cell {
            tag: tag.clone(),
            number: Some(Number::Whole(word.into())),
            quality: Quality::GOOD,
        };
        rows.push(Row {
            unit: 1,
            period: Duration::from_millis(100),
            begin,
            ts: i64::midpoint(begin, end),
            end,
            cells: scenario.polls[0].tags.iter().zip(words).map(cell).collect(),
        });
    }
    let offset = Offset::measure(&server.control, &*clock);
    let exchanges = journal(&server, offset);
    let wrong_of = |rows: &[Row]| Oracle::new(&server, &exchanges, offset).wrong(rows).len();
    let (before, after) = (wrong_of(&rows[..19]), wrong_of(&rows[19..]));
    let values = 10 * (rows.len() - 19);
    println!(
        "naive client: {before} wrong values before one late answer, {after} of {values} after"
    );
    assert_eq!(before, 0, "until then it is right");
    // The old value may by chance be one the register holds now: every one of 50 ms is not.
    assert!(after * 2 > values, "from then on it is one answer behind");
}
