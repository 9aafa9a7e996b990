use super::*;

fn written(frames: &[Frame]) -> Batch {
    let mut lane = RawLane::new("Truck 1").unwrap();
    for frame in frames {
        lane.push(frame, frame.ts, ClockState::Synced);
    }
    lane.finish().unwrap()
}

fn read(batch: &Batch) -> Vec<Frame> {
    let mut frames = Vec::new();
    let mut frame = Frame::default();
    while read_row(&batch.rows, frames.len(), &mut frame).unwrap() {
        frames.push(frame.clone());
    }
    frames
}

#[test]
fn every_kind_of_frame_is_read_back_equal_also_those_at_one_time_and_before_it() {
    let at = |micros| Frame { ts: Timestamp::from_micros(micros), ..Frame::default() };
    let mut long = Frame { id: 5, fd: true, fd_flags: 3, len: 64, ..at(10) };
    long.payload = std::array::from_fn(|place| u8::try_from(place).unwrap());
    let frames = [
        Frame { id: 0x18F0_0E00, extended: true, ..at(10) },
        long,
        Frame { id: 0x123, kind: FrameKind::Remote, len: 8, ..at(10) },
        Frame { id: 0x40, kind: FrameKind::Error, len: 8, ..at(4) },
        at(20),
    ];
    let batch = written(&frames);
    assert_eq!(batch.timestamps(), [10, 11, 12, 13, 20]);
    assert_eq!(batch.table.name(), "_can_raw_truck_1");
    assert_eq!(read(&batch), frames);
}

#[test]
fn rows_of_another_table_are_refused_with_the_column_that_is_missing() {
    let batch = written(&[Frame::default()]);
    let mut places: Vec<usize> = (0..batch.rows.num_columns()).collect();
    places.retain(|place| batch.rows.schema().field(*place).name() != "id");
    let rows = batch.rows.project(&places).unwrap();
    let error = read_row(&rows, 0, &mut Frame::default()).unwrap_err();
    assert!(error.to_string().contains("`id`"), "{error}");
}
