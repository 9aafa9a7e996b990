use super::*;

const DBC: &[u8] = b"BO_ 256 Motion: 8 A\n SG_ Speed : 0|8@1+ (1,0) [0|0] \"\" X\n";

fn decode(log: &'static str) -> (Vec<Batch>, Summary) {
    let dbc = Source::Embedded { name: "a.dbc".to_owned(), bytes: DBC };
    let log = Source::Embedded { name: "a.log".to_owned(), bytes: log.as_bytes() };
    let mut decode = LogDecode::from_sources(&[dbc], &log, Matching::Auto).unwrap();
    let mut batches = Vec::new();
    while let Some(batch) = decode.next_batch().unwrap() {
        batches.push(batch);
    }
    (batches, decode.summary().clone())
}

#[test]
fn every_channel_is_a_bus_of_its_own_and_batches_come_in_time_order() {
    let (batches, summary) =
        decode("(1.0) can1 100#01\n(2.0) can0 100#02\n(3.0) can1 100#03\n(4.0) can0 7#00\n");
    let names: Vec<_> = batches.iter().map(|b| b.table.name().to_owned()).collect();
    assert_eq!(names, ["can1_motion", "can0_motion"]);
    assert_eq!(batches[0].timestamps(), [1_000_000, 3_000_000]);
    assert_eq!(batches[0].table.signals().get(0).unwrap().path, "can1/motion/speed");
    let counts = (summary.frames, summary.matched, summary.unknown, summary.unknown_ids);
    assert_eq!(counts, (4, 3, 1, 1));
}

#[test]
fn bad_lines_and_short_frames_are_in_the_summary() {
    let (_, summary) = decode("what\n(1.0) can0 100#\n(2.0) can0 100#0\n");
    assert_eq!((summary.bad_lines.count, summary.truncated, summary.matched), (2, 1, 1));
    assert_eq!(summary.bad_lines.first[1].line, 3);
}

#[test]
fn a_clock_set_back_keeps_its_times_in_a_batch_of_their_own() {
    let (batches, summary) = decode("(9.0) can0 100#01\n(2.0) can0 100#02\n");
    let times: Vec<_> = batches.iter().map(|b| b.timestamps().to_vec()).collect();
    assert_eq!(times, [[9_000_000], [2_000_000]]);
    assert_eq!(summary.clock_steps, 1);
}

#[test]
fn a_damaged_archive_is_an_error_after_what_could_be_read() {
    let dbc = Source::Embedded { name: "a.dbc".to_owned(), bytes: DBC };
    let log = Source::Embedded { name: "a.gz".to_owned(), bytes: b"\x1F\x8B\x08\0broken" };
    let mut decode = LogDecode::from_sources(&[dbc], &log, Matching::Auto).unwrap();
    let error = decode.next_batch().unwrap_err().to_string();
    assert!(error.contains("a.gz"), "{error}");
    assert!(decode.next_batch().unwrap().is_none());
}
