//! A gateway's folder with a past, for measuring what is asked of it: a lake of many days, or a
//! journal of which nothing is sealed.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pipelines_flow::disk::RealDisk;
use pipelines_flow::historian::{FileAbout, Profile, by_date, write_file};
use pipelines_flow::lake;
use signals::{BatchBuilder, ClockState, Offset};

use crate::journal;
use crate::make::Device;
use crate::meter::held;

const DAY_S: u32 = 86_400;

/// One file a day and device, 40 signals at 1 Hz.
pub(crate) fn lake(devices: u64, days: u32, folder: &Path) -> String {
    for device in 0..devices {
        let mut device = Device::new(device);
        for day in 0..days {
            let mut rows = BatchBuilder::new(Arc::clone(&device.table));
            for second in day * DAY_S..(day + 1) * DAY_S {
                device.sample(second, &mut rows);
            }
            let batch = rows.finish().expect("a day has rows");
            for (part, rows) in (0..).zip(by_date(&batch.rows, batch.timestamps())) {
                let seq = Offset(u64::from(2 * day) + part);
                let about = FileAbout {
                    table: Arc::clone(&device.table),
                    gateway: "bench".to_owned(),
                    from: seq,
                    to: seq,
                    clock: ClockState::Synced,
                    profile: Profile::Default,
                };
                let first = first_of(&rows);
                let path = lake::path_of(&folder.join("lake"), device.table.name(), first, seq);
                write_file(&RealDisk, &path, &about, &[rows]).expect("the folder can be written");
            }
        }
    }
    told(&folder.join("lake"))
}

/// One commit for every `commit` seconds of samples; a cursor stands at the first of them.
pub(crate) fn journal(devices: u64, (seconds, commit): (u32, u32), folder: &Path) -> String {
    let mut plant: Vec<Device> = (0..devices).map(Device::new).collect();
    let log = journal::open(folder, Duration::from_secs(3_600));
    let _historian = log.cursor("historian");
    for second in 0..seconds {
        for device in &mut plant {
            let mut rows = BatchBuilder::new(Arc::clone(&device.table));
            device.sample(second, &mut rows);
            log.append(rows.finish().expect("a row")).expect("the journal is open");
        }
        if (second + 1).is_multiple_of(commit) {
            let _end = log.sync().expect("the journal is open");
        }
    }
    log.close();
    told(&folder.join("journal"))
}

fn first_of(rows: &arrow_array::RecordBatch) -> signals::Timestamp {
    use arrow_array::cast::AsArray as _;
    use arrow_array::types::TimestampMicrosecondType;
    let times = rows.column(0).as_primitive::<TimestampMicrosecondType>();
    signals::Timestamp::from_micros(times.values().first().copied().expect("a part has rows"))
}

fn told(folder: &Path) -> String {
    let (bytes, files) = held(folder);
    format!("{{\"what\": \"fill\", \"bytes\": {bytes}, \"files\": {files}}}")
}
