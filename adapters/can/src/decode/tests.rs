use arrow_array::Array as _;
use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, Int64Type, UInt8Type, UInt64Type};
use signals::QualityClass;

use super::*;
use crate::dbc::Database;
use crate::plan::Matching;

fn decoder(body: &str, matching: Matching) -> Decoder {
    let database = Database::from_bytes("x.dbc", body.as_bytes()).unwrap();
    let plan = Arc::new(DecodePlan::new(&[database], matching, |_, _| true));
    let naming = Naming { bus: "truck".to_owned(), path: "yard/truck".to_owned() };
    Decoder::new(plan, &naming).unwrap()
}

fn frame(id: u32, bytes: &[u8]) -> Frame {
    let mut frame = Frame { id, extended: id > 0x7FF, ..Frame::default() };
    frame.len = u8::try_from(bytes.len()).unwrap();
    frame.payload[..bytes.len()].copy_from_slice(bytes);
    frame
}

fn push(decoder: &mut Decoder, micros: i64, frame: &Frame) -> Outcome {
    decoder.push(frame, Timestamp::from_micros(micros), ClockState::Synced)
}

const MUX: &str = "BO_ 256 Motion: 8 A\n SG_ Page M : 0|8@1+ (1,0) [0|0] \"\" X\n \
                   SG_ Low m0 : 8|8@1+ (0.5,-10) [0|0] \"degC\" X\n \
                   SG_ High m1 : 8|8@1+ (1,0) [0|0] \"\" X\n";

#[test]
fn another_multiplexer_branch_is_null_without_a_flaw_and_a_short_frame_with_one() {
    let mut decoder = decoder(MUX, Matching::Auto);
    push(&mut decoder, 1, &frame(256, &[0, 40]));
    push(&mut decoder, 2, &frame(256, &[7, 40]));
    push(&mut decoder, 3, &frame(256, &[1]));
    let batch = decoder.finish_all().next().unwrap();
    let low = batch.column(1).as_primitive::<Float64Type>();
    assert_eq!(low.iter().collect::<Vec<_>>(), [Some(10.0), None, None]);
    assert_eq!(batch.column(2).null_count(), 3);
    let flaws: Vec<_> = batch.flaws.iter().map(|f| (f.row, f.signal, f.quality.reason)).collect();
    assert_eq!(flaws, [(2, 2, Reason::Truncated)]);
    let q: Vec<u8> = batch.rows.column(1).as_primitive::<UInt8Type>().values().to_vec();
    assert_eq!(q, [0, 0, QualityClass::Bad.code()]);
}

#[test]
fn tables_paths_and_sources_are_named_after_bus_message_and_signal() {
    let decoder = decoder(MUX, Matching::Auto);
    let table = decoder.tables().next().unwrap();
    assert_eq!(table.name(), "truck_motion");
    let low = table.signals().get(1).unwrap();
    assert_eq!((low.path, low.column), ("yard/truck/motion/low", "low"));
    assert_eq!((low.source, low.unit), ("Motion.Low", Some("degC")));
}

#[test]
fn names_that_meet_in_one_column_and_names_of_system_columns_are_numbered() {
    let body = "BO_ 1 A: 8 A\n SG_ X_1 : 0|8@1+ (1,0) [0|0] \"\" X\n SG_ x_1 : 8|8@1+ (1,0) [0|0] \"\" X\n \
                SG_ TS : 16|8@1+ (1,0) [0|0] \"\" X\n SG_ 2nd : 24|8@1+ (1,0) [0|0] \"\" X\n\
                BO_ 2 a: 8 A\n SG_ X : 0|8@1+ (1,0) [0|0] \"\" X\n";
    let decoder = decoder(body, Matching::Auto);
    let tables: Vec<_> = decoder.tables().map(|t| t.name().to_owned()).collect();
    assert_eq!(tables, ["truck_a", "truck_a_2"]);
    let table = decoder.tables().next().unwrap();
    let columns: Vec<_> = table.signals().iter().map(|s| s.column).collect();
    assert_eq!(columns, ["x_1", "x_1_2", "ts_2", "_2nd"]);
}

const GROUP: &str = "BO_ 2364540158 EEC1: 8 A\n SG_ Torque : 0|8@1+ (1,-125) [0|0] \"%\" X\n \
                     SG_ Switch : 8|2@1+ (1,0) [0|0] \"\" X\n SG_ MessageCounter : 16|8@1+ (1,0) [0|0] \"\" X\n";

#[test]
fn j1939_ranges_are_null_with_their_reason_and_the_source_address_is_kept() {
    let mut decoder = decoder(GROUP, Matching::Pgn);
    for (sa, torque) in [(0, 200), (0x17, 0xFF), (0x17, 0xFE), (0x17, 0xFC)] {
        push(&mut decoder, 5, &frame(0x0CF0_0400 | sa, &[torque, 0xFF, 0xFF]));
    }
    let batch = decoder.finish_all().next().unwrap();
    assert_eq!(batch.source_addresses(), Some(&[0, 0x17, 0x17, 0x17][..]));
    let torque = batch.column(0).as_primitive::<Float64Type>();
    assert_eq!(torque.iter().collect::<Vec<_>>(), [Some(75.0), None, None, None]);
    let reasons: Vec<_> = batch.flaws.iter().map(|f| f.quality.reason).collect();
    assert_eq!(reasons, [Reason::NotAvailable, Reason::ErrorIndicator, Reason::ReservedRange]);
    assert_eq!(batch.column(1).as_primitive::<UInt8Type>().values(), &[3, 3, 3, 3]);
    assert_eq!(batch.column(2).as_primitive::<UInt8Type>().values(), &[255; 4]);
}

#[test]
fn proprietary_groups_and_exact_matching_have_no_ranges() {
    let body = GROUP.replace("2364540158", &(0x8CFF_04FE_u32).to_string());
    for (body, id, matching) in
        [(body.as_str(), 0x0CFF_0400, Matching::Pgn), (GROUP, 0x0CF0_04FE, Matching::Exact)]
    {
        let mut decoder = decoder(body, matching);
        push(&mut decoder, 5, &frame(id, &[0xFF, 0, 0]));
        let batch = decoder.finish_all().next().unwrap();
        assert_eq!(batch.column(0).as_primitive::<Float64Type>().values(), &[130.0]);
    }
}

#[test]
fn sixty_four_bit_integers_stay_exact() {
    let body = "BO_ 1 M: 16 A\n SG_ U : 0|64@1+ (1,0) [0|0] \"\" X\n SG_ I : 64|64@1- (1,0) [0|0] \"\" X\n";
    let mut decoder = decoder(body, Matching::Auto);
    let mut bytes = [0xFF; 16];
    bytes[8..].copy_from_slice(&i64::MIN.to_le_bytes());
    push(&mut decoder, 1, &frame(1, &bytes));
    let batch = decoder.finish_all().next().unwrap();
    assert_eq!(batch.column(0).as_primitive::<UInt64Type>().value(0), u64::MAX);
    assert_eq!(batch.column(1).as_primitive::<Int64Type>().value(0), i64::MIN);
}

#[test]
fn text_ends_at_its_delimiter_and_nan_is_a_value() {
    let body = "BO_ 1 M: 16 A\n SG_ T : 0|96@1+ (1,0) [0|0] \"ASCII\" X\n SG_ F : 96|32@1- (1,0) [0|0] \"\" X\n\
                SIG_VALTYPE_ 1 F : 1;\n";
    let mut decoder = decoder(body, Matching::Auto);
    push(&mut decoder, 1, &frame(1, b"ABC*\0\0\0\0\0\0\0\0\0\0\xC0\x7F"));
    let batch = decoder.finish_all().next().unwrap();
    assert_eq!(batch.column(0).as_string::<i32>().value(0), "ABC");
    assert!(batch.column(1).is_valid(0) && batch.flaws.is_empty());
}

#[test]
fn times_strictly_increase_within_a_table_also_across_batches() {
    let mut decoder = decoder(MUX, Matching::Auto);
    let row = frame(256, &[0, 1]);
    push(&mut decoder, 10, &row);
    push(&mut decoder, 10, &row);
    let first = decoder.finish_all().next().unwrap();
    push(&mut decoder, 9, &row);
    let second = decoder.finish_all().next().unwrap();
    assert_eq!((first.timestamps(), second.timestamps()), (&[10, 11][..], &[12][..]));
}

#[test]
fn unknown_frames_and_messages_without_signals_make_no_rows() {
    let mut decoder = decoder("BO_ 1 Empty: 0 A\n", Matching::Auto);
    assert_eq!(push(&mut decoder, 1, &frame(2, &[])), Outcome::Unknown);
    assert_eq!(push(&mut decoder, 1, &frame(1, &[])), Outcome::Ignored);
    assert_eq!(decoder.finish_all().count(), 0);
}

#[test]
fn a_message_that_falls_silent_gets_one_row_without_values_and_comes_back() {
    let body = "BO_ 256 Motion: 8 A\n SG_ Speed : 0|8@1+ (1,0) [0|0] \"\" X\n\
                BA_DEF_ BO_ \"GenMsgCycleTime\" INT 0 10000;\nBA_ \"GenMsgCycleTime\" BO_ 256 500;\n";
    let mut decoder = decoder(body, Matching::Auto);
    let second = 1_000_000;
    let tick = |decoder: &mut Decoder, at: u64| {
        let now = Timestamp::default().plus(Duration::from_secs(at));
        decoder.tick(now, Duration::from_secs(at), ClockState::Synced);
    };
    tick(&mut decoder, 1);
    push(&mut decoder, second, &frame(256, &[1]));
    for at in 2..9 {
        tick(&mut decoder, at);
    }
    push(&mut decoder, 9 * second, &frame(256, &[2]));
    tick(&mut decoder, 9);
    let batch = decoder.finish_all().next().unwrap();
    // 2.5 s of silence are allowed; the first look after that is at 4 s.
    assert_eq!(batch.timestamps(), [second, 4 * second, 9 * second]);
    let speed = batch.column(0).as_primitive::<UInt8Type>();
    assert_eq!(speed.iter().collect::<Vec<_>>(), [Some(1), None, Some(2)]);
    let flaws: Vec<_> = batch.flaws.iter().map(|f| (f.row, f.quality.reason)).collect();
    assert_eq!(flaws, [(1, Reason::Stale)]);
    let (name, counts, heard) = decoder.watched().next().unwrap();
    assert_eq!((name, counts.stale, heard[0].stale), ("Motion", 1, false));
}

#[test]
fn raw_frames_are_kept_beside_the_rows_in_batches_of_their_own() {
    let mut decoder = decoder(MUX, Matching::Auto);
    decoder.keep_raw("truck").unwrap();
    for micros in 0..i64::try_from(BATCH_ROWS_MAX).unwrap() + 5 {
        push(&mut decoder, micros, &frame(999, &[1, 2]));
    }
    let rows: Vec<_> = decoder
        .finish_all()
        .map(|batch| (batch.table.name().to_owned(), batch.rows.num_rows()))
        .collect();
    let name = || "_can_raw_truck".to_owned();
    assert_eq!(rows, [(name(), BATCH_ROWS_MAX), (name(), 5)]);
}
