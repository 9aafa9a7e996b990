use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::served::Served;
use super::*;
use crate::area::{Address, Area};
use crate::cases::documents;
use crate::decode::{Order, RegisterType};
use crate::image::Image;
use crate::scan::Read;
use crate::wire::Fault;

const AT: Address = Address { area: Area::Input, offset: 42 };
/// Fast enough for a test, slow enough to see that it is kept.
const QUICK: Patience = Patience {
    connect_timeout: Duration::from_secs(2),
    timeout: Duration::from_secs(2),
    pace: Duration::from_millis(20),
};

fn image(area: Area, runs: &[(u16, u16)]) -> Image {
    let mut image = Image { registers_max: 125, ..Image::default() };
    for (first, last) in runs {
        image.words.extend((*first..=*last).map(|offset| ((area, offset), offset)));
    }
    image
}

/// Sweeps an image; the sweep and the number of requests.
fn swept(image: &Image, mut sweep: Sweep) -> (Sweep, u32) {
    let mut requests = 0;
    while let Some(read) = sweep.next() {
        requests += 1;
        let answer = image.read(read).map_err(|_| Fault::Exception(2));
        sweep.answer(answer.as_deref().map_err(|fault| *fault));
    }
    (sweep, requests)
}

fn found(start: Address, words: &[u16], text: &str) -> Vec<String> {
    let hits = hits(start, words, Wanted::parse(text).unwrap());
    let names = |hit: &Hit| hit.kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>().join("/");
    hits.iter()
        .map(|hit| format!("{} {} {} e{}", hit.address, names(hit), hit.order.name(), hit.power))
        .collect()
}

#[test]
fn a_float_is_found_under_the_order_it_was_written_in() {
    assert_eq!(found(AT, &[0x41BC, 0], "23.5")[0], "input:42 f32 ABCD e0");
    assert_eq!(found(AT, &[7, 0, 0x41BC], "23.5")[0], "input:43 f32 CDAB e0");
    assert_eq!(found(AT, &[0xBC41, 0], "23.5")[0], "input:42 f32 BADC e0");
    assert_eq!(found(AT, &[0, 0xBC41], "23.5")[0], "input:42 f32 DCBA e0");
}

#[test]
fn a_whole_number_is_found_scaled_by_a_power_of_ten() {
    let all = found(AT, &[235], "23.5");
    assert_eq!(all[0], "input:42 u16/i16/i16sm ABCD e-1");
    assert_eq!(found(AT, &[0xFF15], "-23.5")[0], "input:42 i16 ABCD e-1");
    assert!(found(AT, &[0x0235], "235").iter().any(|hit| hit == "input:42 bcd16 ABCD e0"));
}

#[test]
fn a_number_is_looked_for_as_exactly_as_it_was_written() {
    assert_eq!(Wanted::parse("23.50").unwrap(), Wanted { value: 23.5, tolerance: 0.005 });
    assert_eq!(Wanted::parse("-7").unwrap(), Wanted { value: -7.0, tolerance: 0.5 });
    assert!(found(AT, &[2354], "23.5").contains(&"input:42 u16/i16/i16sm ABCD e-2".to_owned()));
    assert_eq!(found(AT, &[2354], "23.50"), [""; 0]);
    for wrong in ["", "x", "nan", "inf", "1,5"] {
        assert!(Wanted::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_block_shows_registers_modicon_numbers_and_every_order() {
    let shown = Block { start: AT, words: &[0x41BC, 0x0000] }.show();
    for part in
        ["input:42  30043    0x41BC  16828  16828  0100 0001 1011 1100  A.", "input:43  30044"]
    {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
    let floats = shown.lines().find(|line| line.contains(" f32 ")).unwrap();
    let cells: Vec<&str> = floats.split_whitespace().collect();
    assert_eq!(cells[..3], ["input:42", "f32", "23.5"]);
    let bits = Block { start: Address { area: Area::Coil, offset: 9 }, words: &[1, 0] }.show();
    assert_eq!(bits.lines().nth(1).unwrap(), "coil:9   00010    1");
}

#[test]
fn every_type_shows_every_block_of_any_length_without_a_panic() {
    for count in 0..=125_u16 {
        let words: Vec<u16> = (0..count).map(|word| word.wrapping_mul(40_503)).collect();
        for offset in [0, 65_535 - count] {
            let shown = Block { start: Address { offset, ..AT }, words: &words }.show();
            assert!(shown.lines().count() > usize::from(count));
        }
    }
    for kind in RegisterType::ALL {
        for order in Order::ALL {
            let _any = Decoding::of(*kind, order, AT, &[0xFFFF; 8]);
            assert!(Decoding::of(*kind, order, AT, &[]).is_none());
        }
    }
}

#[test]
fn a_sweep_finds_what_is_there_around_holes() {
    let image = image(Area::Holding, &[(10, 40), (60, 61), (200, 400)]);
    let start = Address { area: Area::Holding, offset: 0 };
    let (sweep, requests) = swept(&image, Sweep::new(start, 1000, 125, 4000));
    let runs: Vec<(u16, usize)> =
        sweep.runs().iter().map(|run| (run.start.offset, run.words.len())).collect();
    assert_eq!(runs, [(10, 31), (60, 2), (200, 201)]);
    assert_eq!((sweep.holes(), sweep.left()), (1000 - 234, 0));
    assert!(requests < 2000, "{requests}");
}

#[test]
fn a_sweep_ends_after_so_many_requests_and_says_what_is_left() {
    let start = Address { area: Area::Holding, offset: 65_000 };
    let (sweep, requests) = swept(&image(Area::Holding, &[]), Sweep::new(start, 5000, 125, 50));
    assert_eq!(requests, 50);
    assert!(sweep.left() > 400 && sweep.left() < 536, "{}", sweep.left());
    let mut silent = Sweep::new(start, 100, 125, 50);
    silent.answer(Err(Fault::Timeout));
    assert_eq!((silent.next(), silent.left()), (None, 100));
}

#[tokio::test]
async fn a_session_reads_at_its_pace_over_one_connection() {
    let units = BTreeMap::from([(3, image(Area::Input, &[(42, 50)]))]);
    let served = Served::start(units, None);
    let mut session = Session::new(served.transport.clone(), QUICK);
    let read = Read { area: Area::Input, start: 42, count: 4 };
    for _ in 0..5 {
        assert_eq!(session.read(3, read).await.unwrap(), [42, 43, 44, 45]);
    }
    let refused = session.read(3, Read { start: 0, ..read }).await.unwrap_err();
    assert!(refused.to_string().contains("exception 2; the device has no such address"));
    let requests = served.seen.requests.lock().unwrap().clone();
    assert_eq!((requests.len(), served.seen.connections.load(Ordering::SeqCst)), (6, 1));
    for pair in requests.windows(2) {
        assert!(pair[1].0 - pair[0].0 >= QUICK.pace / 2, "{requests:?}");
    }
}

#[tokio::test]
async fn a_session_closes_a_broken_connection_before_it_makes_another() {
    let served = Served::start(BTreeMap::new(), Some(4));
    let mut session = Session::new(served.transport.clone(), QUICK);
    for _ in 0..5 {
        let lost = session.read(1, Read { area: Area::Input, start: 0, count: 1 }).await;
        assert!(matches!(lost.unwrap_err().fault(), Some(Fault::Closed | Fault::Io(_))));
    }
    assert_eq!(served.seen.connections.load(Ordering::SeqCst), 5);
    assert_eq!(served.seen.open_max.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_place_where_nothing_listens_is_told_with_what_to_do() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    drop(listener);
    let mut session = Session::new(crate::config::Transport::Tcp { host: host.clone() }, QUICK);
    let err = session.read(1, Read { area: Area::Input, start: 0, count: 1 }).await.unwrap_err();
    let told = err.to_string();
    assert!(told.starts_with(&host) && told.contains("nothing listens there"), "{told}");
}

#[tokio::test]
async fn the_map_of_a_sunspec_device_comes_over_the_wire() {
    let all = documents("modbus-device-image/1");
    let (_, document) = all.iter().find(|(_, image)| image["device"] == "grid-meter").unwrap();
    let served = Served::start(BTreeMap::from([(2, Image::of(document))]), None);
    let mut session = Session::new(served.transport.clone(), QUICK);
    let map = session.sunspec(2, 100, |_| ()).await.unwrap();
    assert_eq!(map.base, Some(40_000));
    assert_eq!(map.models.iter().map(|model| model.id).collect::<Vec<_>>(), [1, 203]);
    assert_eq!(map.remarks, [""; 0]);
}
