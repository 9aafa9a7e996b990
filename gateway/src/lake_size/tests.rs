use signals::Offset;

use super::*;

fn hours(hours: i64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000 + hours * 3_600_000_000)
}

fn put(lake: &Path, table: &str, first: Timestamp, bytes: usize) {
    let path = lake::path_of(lake, table, first, Offset(u64::try_from(bytes).unwrap()));
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, vec![0; bytes]).unwrap();
    std::fs::write(lake::unfinished(&path), vec![0; bytes]).unwrap();
}

#[test]
fn tables_are_told_apart_and_what_is_still_being_written_is_not_counted() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "pump", hours(0), 100);
    put(folder.path(), "pump", hours(40), 30);
    put(folder.path(), "boiler", hours(39), 6);
    let size = LakeSize::new(folder.path()).get(hours(48));
    assert_eq!((size.files, size.bytes), (3, 136));
    let pump = size.tables.iter().find(|table| table.table == "pump").unwrap();
    assert_eq!((pump.files, pump.bytes, pump.bytes_of_day), (2, 130, 30));
    assert_eq!((pump.oldest, pump.newest), (Some(hours(0)), Some(hours(40))));
    assert_eq!(size.oldest(), Some(hours(0)));
}

#[test]
fn growth_counts_the_last_day_and_a_younger_lake_is_scaled_to_one() {
    let of = |age_hours: i64| {
        Size {
            tables: vec![TableSize {
                bytes_of_day: 48,
                oldest: Some(hours(0)),
                ..TableSize::default()
            }],
            ..Size::default()
        }
        .bytes_per_day(hours(age_hours))
    };
    assert_eq!(of(400), Some(48));
    assert_eq!(of(12), Some(96));
    assert_eq!(of(0), None);
}

#[test]
fn the_nearer_of_budget_and_volume_ends_the_room() {
    let size = Size { bytes: 70, ..Size::default() };
    let left = |bytes_max, free_min| {
        let room = Some(Room { free: 50, total: 200 });
        Outlook::of(&size, room, Budget { bytes_max, free_min }, hours(0)).bytes_left
    };
    assert_eq!(left(None, 20), Some(30));
    assert_eq!(left(Some(80), 20), Some(10));
    assert_eq!(left(Some(60), 60), Some(0));
    let days = |bytes_per_day| Outlook { bytes_per_day, bytes_left: Some(30) }.days_left();
    assert_eq!(days(Some(15)), Some(2.0));
    assert_eq!((days(Some(0)), days(None)), (None, None));
}

#[test]
fn a_lake_that_cannot_be_listed_is_not_taken_for_an_empty_one() {
    let folder = tempfile::tempdir().unwrap();
    let lake = folder.path().join("lake");
    put(&lake, "pump", hours(0), 100);
    let sizes = LakeSize::new(&lake);
    assert_eq!((sizes.get(hours(1)).bytes, &sizes.get(hours(1)).error), (100, &None));
    // A file where the folder was: what lists it is refused.
    std::fs::remove_dir_all(&lake).unwrap();
    std::fs::write(&lake, "").unwrap();
    sizes.last.lock().unwrap().as_mut().unwrap().at -= FRESH * 2;
    let size = sizes.get(hours(1));
    assert_eq!(size.bytes, 100, "what was known stays");
    assert!(size.error.as_ref().unwrap().contains("check the disk"), "{:?}", size.error);
}
