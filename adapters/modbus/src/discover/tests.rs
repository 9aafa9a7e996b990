use std::sync::atomic::Ordering;

use super::*;
use crate::image::Image;
use crate::probe::served::Served;

const QUICK: Patience = Patience {
    connect_timeout: Duration::from_secs(2),
    timeout: Duration::from_millis(300),
    pace: Duration::from_millis(1),
};

fn unit(holding_0: Option<u16>) -> Image {
    let words = holding_0.map(|word| ((Area::Holding, 0), word));
    Image { words: words.into_iter().collect(), registers_max: 125 }
}

async fn searched(transports: Vec<Transport>, units: Vec<u8>) -> Vec<Told> {
    let mut all = Vec::new();
    tcp(transports, units, QUICK, |told| all.push(told)).await;
    all
}

fn units_of(all: &[Told]) -> Vec<(u8, String)> {
    let found = all.iter().filter_map(|told| match told {
        Told::Found { unit, .. } => Some((unit.unit, unit.evidence.clone())),
        Told::Asking { .. } | Told::Done { .. } => None,
    });
    found.collect()
}

#[tokio::test]
async fn units_that_answer_or_refuse_are_found_and_silent_ones_are_not() {
    let served = Served::start(BTreeMap::from([(1, unit(Some(7))), (9, unit(None))]), None);
    let all = searched(vec![served.transport.clone()], vec![1, 2, 9]).await;
    assert_eq!(
        units_of(&all),
        [(1, "holding:0 is 7".to_owned()), (9, "refuses holding:0 with exception 2".to_owned())]
    );
    let Told::Found { unit, .. } = &all[0] else { panic!("{all:?}") };
    let said: Vec<&str> = unit.identification.values().map(String::as_str).collect();
    assert_eq!(said, ["EX-1", "1.2", "Example"], "product_code, revision, vendor");
    assert_eq!(unit.server_id, None, "exception 1 is no identity");
    assert_eq!(served.seen.open_max.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_device_that_closes_at_an_unknown_function_is_found_all_the_same() {
    let served = Served::start(BTreeMap::from([(1, unit(Some(7)))]), Some(0x11));
    let all = searched(vec![served.transport.clone()], vec![1]).await;
    assert_eq!(units_of(&all).len(), 1);
    assert_eq!(served.seen.open_max.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn many_hosts_are_all_finished_and_only_open_ones_are_told_open() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    drop(listener);
    let served = Served::start(BTreeMap::from([(1, unit(Some(7)))]), None);
    let mut hosts = vec![Transport::Tcp { host }; 40];
    hosts.push(served.transport.clone());
    let all = searched(hosts, vec![1]).await;
    let done = |open: bool| {
        let is = |told: &&Told| matches!(told, Told::Done { is_open, .. } if *is_open == open);
        all.iter().filter(is).count()
    };
    assert_eq!((done(true), done(false)), (1, 40));
}

#[test]
fn a_network_has_its_hosts_and_a_large_one_is_refused() {
    let all = hosts("192.168.1.77/29").unwrap();
    assert_eq!((all.len(), all[0].as_str()), (6, "192.168.1.73"));
    assert_eq!(hosts("10.0.0.5/32").unwrap(), ["10.0.0.5"]);
    assert_eq!(hosts("10.0.0.4/31").unwrap(), ["10.0.0.4", "10.0.0.5"]);
    assert_eq!(hosts("plc-3.local").unwrap(), ["plc-3.local"]);
    assert_eq!(hosts("255.255.240.0/20").unwrap().len(), 4094);
    for wrong in ["10.0.0.0/8", "0.0.0.0/0", "10.0.0.0/33", "10.0.0/24", "a/24", "", "a b"] {
        assert!(hosts(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn numbers_are_listed_once_in_the_order_given() {
    assert_eq!(numbers("5,1-3,2", 1..=247_u8).unwrap(), [5, 1, 2, 3]);
    assert_eq!(numbers("1-247", 1..=247_u8).unwrap().len(), 247);
    for wrong in ["0", "248", "3-1", "x", "1,,2", "", "1-999"] {
        assert!(numbers(wrong, 1..=247_u8).is_err(), "{wrong}");
    }
}
