use super::*;

#[test]
fn a_clock_that_shows_a_time_after_this_program_was_written_counts_as_set() {
    assert_eq!(SystemClock::unwitnessed().state(), ClockState::Synced);
}

#[test]
fn a_clock_with_a_witness_is_set_once_the_file_is_there_and_stays_set() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("synced");
    let clock =
        SystemClock { witness: Some(Witness::at(path.clone())), ..SystemClock::unwitnessed() };
    assert_eq!(clock.state(), ClockState::Unsynced);
    std::fs::write(&path, "").unwrap();
    let witness = clock.witness.as_ref().unwrap();
    assert!(!witness.is_there(Duration::ZERO), "it is not looked for more than once a second");
    assert!(witness.is_there(Duration::from_secs(5)));
    std::fs::remove_file(&path).unwrap();
    assert_eq!(clock.state(), ClockState::Synced);
}
